"""Make the virtual environment of a set-up, and the copies beside it, once: repeated calls see that nothing changed.

Runs in the caller's process; pip asks whatever package index the machine has configured. Never touches an environment
that it has not made itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools import facts
from tools.choose import Interpreter, SetUpError, choose_interpreter, lacks_only_packages
from tools.facts import Account

CLONE = Path(__file__).resolve().parent.parent
MARK = ".made-by-wsgigroups"  # holds the fingerprint of what was installed; a directory without it is somebody else's
PACKAGED = (
    "LICENSE",
    "README.md",
    "hatch_build.py",
    "pyproject.toml",
    "wsgigroups",
)  # what a build of the project reads


def say(text: str) -> None:
    """Tell what happens, on standard error: standard output is for results."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def alone_in(place: Path) -> Iterator[None]:
    """Keep other set-ups out of the directory while the block runs; waits for one that is there already."""
    with open(place / ".lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Waiting for another set-up that works in {place} …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def find_interpreter(account: Account) -> Interpreter:
    """Return an interpreter for the account; as root on Debian, install the distribution's where none will do."""
    found = facts.interpreters(account)
    try:
        return choose_interpreter(found, account.name)
    except SetUpError:
        if not (facts.has_apt() and lacks_only_packages(found, facts.DISTRIBUTION_PYTHON)):
            raise
    say("Installing the packages python3 and python3-venv: no Python here will do for the daemons' user …")
    install_packages(["python3", "python3-venv"])
    return choose_interpreter(facts.interpreters(account), account.name)


def install_packages(names: Sequence[str]) -> None:
    """Install Debian packages as root; raise SetUpError with apt's own words."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-q", "-y", "--no-install-recommends", *names]):
        done = subprocess.run(
            command, capture_output=True, check=False, env=environment, stdin=subprocess.DEVNULL, text=True
        )
        if done.returncode and command[1] == "install":
            raise SetUpError(f"cannot install {', '.join(names)}: {' '.join(command)} says\n{done.stderr.strip()}")


def fingerprint(parts: Sequence[str], directory: Path, names: Sequence[str]) -> str:
    """Return a digest of `parts` and of the content of the files `names` (trees too) in `directory`."""
    digest = hashlib.sha256("\0".join(parts).encode())
    for path in sorted(facts.walk(directory, tuple(names))):
        if path.is_file() and path.suffix not in (".pyc", ".so"):  # made of what counts already
            digest.update(os.fsencode(path.relative_to(directory)) + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


@dataclass(frozen=True)
class Recipe:
    """What an environment is made of."""

    interpreter: Interpreter
    installs: tuple[tuple[str, ...], ...]  # arguments of one `pip install` each
    depends_on: tuple[str, ...]  # names in the clone whose content decides whether the environment is still good

    def fingerprint(self) -> str:
        """Return what changes when the environment has to be made again."""
        parts = [self.interpreter.path, *(" ".join(line) for line in self.installs)]
        return fingerprint(parts, CLONE, self.depends_on)


def is_current(directory: Path, recipe: Recipe) -> bool:
    """Tell whether the environment exists as the recipe wants it."""
    mark = directory / MARK
    return mark.exists() and mark.read_text().strip() == recipe.fingerprint()


def make_environment(directory: Path, recipe: Recipe) -> Path:
    """Make the environment `directory` by the recipe where it is not current; return its python.

    Raises SetUpError when the directory is somebody else's, or with pip's own words.
    """
    python = directory / "bin" / "python"
    mark = directory / MARK
    interpreter, installs = recipe.interpreter, recipe.installs
    if directory.exists():
        if not mark.exists():
            raise SetUpError(f"cannot use {directory}: it exists and was not made by this set-up. Move it away.")
        if is_current(directory, recipe):
            return python
        shutil.rmtree(directory)
    say(f"Making an environment of Python {'.'.join(map(str, interpreter.version))} in {directory} …")
    directory.mkdir(parents=True)
    mark.write_text("unfinished\n")
    run([interpreter.path, "-I", "-m", "venv", str(directory)])
    for line in installs:
        run([str(python), "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *line])
    mark.write_text(recipe.fingerprint() + "\n")
    return python


def add_optional(directory: Path, names: Sequence[str]) -> list[str]:
    """Install each of `names` into an environment; return those that could not be, with pip's last line said."""
    failed = []
    for name in names:
        try:
            run([str(directory / "bin" / "python"), "-I", "-m", "pip", "install", "--quiet", name])
        except SetUpError as problem:
            say(f"Left out {name}: {str(problem).splitlines()[-1]}")
            failed.append(name)
    return failed


def run(command: Sequence[str]) -> None:
    """Run a step of the set-up; raise SetUpError with the end of what it said."""
    done = subprocess.run(
        command,
        check=False,
        cwd=CLONE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        words = "\n".join(done.stdout.strip().splitlines()[-25:])
        raise SetUpError(f"cannot set up: {' '.join(command)} failed with exit code {done.returncode}:\n{words}")


def copy_tree(source: Path, target: Path, leave_out: Sequence[str] = ()) -> None:
    """Copy `source` to `target`, replacing what an earlier call put there; everybody may read and enter the copy.

    The copies belong to the caller. Symbolic links are copied as links, special files are left out.
    """
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(target)
    target.mkdir(mode=0o755, parents=True)
    for parent, folders, files in os.walk(source):
        here = target / Path(parent).relative_to(source)
        folders[:] = sorted(name for name in folders if name not in leave_out and name != "__pycache__")
        for name in folders:
            (here / name).mkdir(mode=0o755)
        for name in files:
            path = Path(parent, name)
            if path.is_symlink():
                (here / name).symlink_to(os.readlink(path))
            elif path.is_file() and name not in leave_out:
                shutil.copyfile(path, here / name)
                (here / name).chmod(0o755 if os.access(path, os.X_OK) else 0o644)
