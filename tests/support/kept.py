"""Environments that outlive the test run, beside that of the tests, each made once by whoever wants it first.

Runs in pytest's process, or in a program before the tests.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

from support.constraints import constrained, digest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_PROJECT = Path(__file__).parents[2] / "pyproject.toml"
_INSTALL_S = 600


def requirements(group: str) -> list[str]:
    """A dependency group of the project."""
    found: list[str] = tomllib.loads(_PROJECT.read_text())["dependency-groups"][group]
    return found


def place(name: str, group: str) -> Path:
    """Where the environment with this dependency group is, or will be: beside that of the tests."""
    return Path(sys.prefix).parent / name / digest(requirements(group), sys.version)


def kept(directory: Path, make: Callable[[Path], None]) -> Path:
    """Return a directory that is complete, made where it is missing. Raises OSError with the words of what failed."""
    mark = directory / "complete"
    if mark.exists():
        return directory
    old = os.umask(0o022)  # every account reads what is installed
    try:
        directory.parent.mkdir(exist_ok=True)
        with _alone(directory.parent / ".lock"):
            if not mark.exists():
                shutil.rmtree(directory, ignore_errors=True)
                make(directory)
                mark.touch()
    finally:
        os.umask(old)
    return directory


def install(directory: Path, group: str) -> None:
    """Make a virtual environment with a dependency group. Raises OSError."""
    venv.create(directory, with_pip=True, symlinks=True)
    # compiling all of it would take as long as the rest: what is used is compiled when it is first imported
    command = [str(directory / "bin" / "python"), "-I", "-m", "pip", "--disable-pip-version-check", "install"]
    done = subprocess.run(
        [*command, "--quiet", "--no-compile", *constrained(requirements(group), sys.version_info[:2])],
        capture_output=True, text=True, timeout=_INSTALL_S, check=False,
    )  # fmt: skip
    if done.returncode:
        raise OSError(0, f"{' '.join(command)} gave exit code {done.returncode}: {done.stdout}{done.stderr}")


def forget_others(wanted: Path) -> None:
    """Remove what earlier requirements have left beside it."""
    for path in wanted.parent.iterdir():
        if path.is_dir() and path != wanted:
            shutil.rmtree(path)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
