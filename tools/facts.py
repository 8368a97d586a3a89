"""What the machine is like, asked as the account that daemons will run as.

Runs in the caller's process; as root every question is put by a child that has become the account first. Changes
nothing but that it makes the directories that it is asked about.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.choose import Interpreter, Place, SetUpError

NEEDED_MODULES = ("ctypes", "ensurepip", "sqlite3", "ssl", "venv")
QUESTION = (
    "import importlib.util as u, json, sys;"
    f"print(json.dumps([sys.version_info[:3], [m for m in {NEEDED_MODULES!r} if u.find_spec(m) is None]]))"
)
DISTRIBUTION_PYTHON = "/usr/bin/python3"


@dataclass(frozen=True)
class Account:
    """Whom daemons run as."""

    name: str
    uid: int
    gid: int

    def is_caller(self) -> bool:
        """Tell whether no change of user is needed (or possible)."""
        return self.uid == os.geteuid()

    def popen_arguments(self) -> dict[str, Any]:
        """Return what `subprocess` needs to run a command as this account and nobody else."""
        return {} if self.is_caller() else {"user": self.uid, "group": self.gid, "extra_groups": []}


def daemon_account(names: tuple[str, ...] = ("www-data", "nobody")) -> Account:
    """Return the caller, or as root the first of `names` that exists; raise SetUpError when there is none."""
    if os.geteuid() != 0:
        try:
            name = pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            name = f"#{os.geteuid()}"
        return Account(name, os.geteuid(), os.getegid())
    for name in names:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0 and entry.pw_gid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise SetUpError(
        f"cannot run applications: root may not, and there is no user {' or '.join(map(repr, names))}.\n"
        "Create one (useradd --system www-data), or run make as an ordinary user."
    )


def interpreters(account: Account, preferred: str = sys.executable) -> list[Interpreter]:
    """Ask each Python that can be found, once, `preferred` first, then PATH, then the usual directories.

    A path that the account cannot use says nothing about another one that leads to the same program.
    """
    found: list[Interpreter] = []
    seen: set[str] = set()
    for path in interpreter_paths(preferred):
        real = os.path.realpath(path)
        if path in seen or real in seen:
            continue
        answer = ask(path, account)
        seen.add(real if answer.runs else path)
        found.append(answer)
    return found


def interpreter_paths(preferred: str) -> Iterator[str]:
    """Yield paths of existing files that may be a Python, best first."""
    yield preferred
    names = ["python3", *(f"python3.{minor}" for minor in range(15, 9, -1))]
    directories = [item for item in os.environ.get("PATH", "").split(os.pathsep) if os.path.isabs(item)]
    directories += ["/usr/local/bin", "/usr/bin", *sorted(glob.glob("/opt/*/bin"))]
    for name in names:
        for directory in directories:
            path = os.path.join(directory, name)
            if os.path.isfile(path):
                yield path


def ask(path: str, account: Account) -> Interpreter:
    """Run `path` as the account, isolated and without its environment, and note what it says."""
    try:
        answer = subprocess.run(
            [path, "-I", "-c", QUESTION],
            capture_output=True,
            check=False,
            cwd="/",
            env={"PATH": os.defpath},
            text=True,
            timeout=30,
            **account.popen_arguments(),
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Interpreter(path, runs=False, reason=str(getattr(error, "strerror", None) or error))
    if answer.returncode:
        last_line = (answer.stderr.strip().splitlines() or ["no message"])[-1]
        return Interpreter(path, runs=False, reason=f"exit code {answer.returncode}: {last_line}")
    try:
        version, missing = json.loads(answer.stdout)
    except ValueError:
        return Interpreter(path, runs=False, reason="its answer is not Python's")
    return Interpreter(path, runs=True, version=tuple(version), missing=tuple(missing))


def places(clone: Path, account: Account) -> Iterator[Place]:
    """Make and judge, one by one, the directories where a set-up may lie: in the clone, else where the account can."""
    own = f"wsgigroups-build-{hashlib.sha256(os.fsencode(clone)).hexdigest()[:8]}"
    named = os.environ.get("WSGIGROUPS_BUILD_DIR")
    if named:  # a directory below it, so that `make clean` removes nothing but ours
        yield look_at(Path(named).absolute() / own, account)
        return
    candidates = [clone / ".build"]
    if os.geteuid() == 0:
        candidates += [Path("/var/lib") / own, Path("/opt") / own]
    else:
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        candidates += [Path(cache) / own, Path("/var/tmp") / f"{own}-{account.uid}"]
    yield from (look_at(path, account) for path in candidates)


def look_at(path: Path, account: Account) -> Place:
    """Make the directory where it is missing, and judge it."""
    try:
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError:
        return Place(str(path), writable=False, enterable=False, trusted=False)
    return Place(
        str(path),
        writable=os.access(path, os.W_OK | os.X_OK),
        enterable=holds_for(account, lambda: os.access(path, os.R_OK | os.X_OK)),
        trusted=is_trusted(path.resolve()),
    )


def is_trusted(path: Path) -> bool:
    """Tell whether only root and the caller can rename or replace `path` or one of its parents.

    A directory that others may write (a shared group is "others") is only accepted where its sticky bit protects
    the entries of their owners, as in /tmp.
    """
    for directory in (path, *path.parents):
        facts = os.stat(directory)
        if facts.st_uid not in (0, os.geteuid()):
            return False
        # An ordinary caller's own group may write: it is the caller's private group on most distributions.
        forbidden = stat.S_IWOTH | (stat.S_IWGRP if os.geteuid() == 0 else 0)
        if facts.st_mode & forbidden and not facts.st_mode & stat.S_ISVTX:
            return False
    return True


def can_read_tree(account: Account, directory: Path, names: tuple[str, ...]) -> bool:
    """Tell whether the account can read every file below `names` in `directory`."""
    return holds_for(account, lambda: all(os.access(path, os.R_OK) for path in walk(directory, names)))


def walk(directory: Path, names: tuple[str, ...]) -> Iterator[Path]:
    """Yield `directory`'s entries `names` and everything below them, directories too."""
    for name in names:
        top = directory / name
        yield top
        for parent, folders, files in os.walk(top):
            folders[:] = [folder for folder in folders if folder != "__pycache__"]
            yield from (Path(parent, entry) for entry in (*folders, *files))


def holds_for(account: Account, question: Callable[[], bool]) -> bool:
    """Answer the question in a child that is the account; a child that fails says no."""
    if account.is_caller():
        return question()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setgroups([])
            os.setresgid(account.gid, account.gid, account.gid)
            os.setresuid(account.uid, account.uid, account.uid)
            code = 0 if question() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def has_apt() -> bool:
    """Tell whether missing packages can be installed by us."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None
