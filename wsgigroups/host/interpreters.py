"""Which interpreter belongs to a python-home, and who could change or use a path. Executes nothing.

Runs in the command line (checks against the host) and in the manager (before a spawner is started). Reads names, modes,
owners and `pyvenv.cfg`; a venv's own binaries are never run, because its owner may be a tenant.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wsgigroups.errors import WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LEAST_VERSION = (3, 8)

_MAXIMUM_LINKS = 40  # as the kernel: path_resolution(7)
_MAXIMUM_CFG_BYTES = 64 * 1024
_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """An interpreter: the real path of the base interpreter, and what daemons activate, if anything."""

    executable: Path
    python_home: Path | None
    version: tuple[int, int, int] | None  # None: cannot be told without running it
    kind: str  # "venv", "conda", "prefix" or "manager"


def find_interpreter(python_home: Path | None) -> Interpreter:
    """Return the interpreter of a python-home (None: the manager's own). Raises WsgigroupsError naming the place."""
    if python_home is None:
        version = sys.version_info
        executable = Path(os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable))
        return Interpreter(executable, None, (version.major, version.minor, version.micro), "manager")
    if not python_home.is_dir():
        what = "it is not a directory" if python_home.exists() else "it does not exist"
        raise _unusable(python_home, what, "python-home is the directory that sys.prefix names, for example a venv")
    settings = read_venv_settings(python_home)
    if settings is not None:
        interpreter = _of_venv(python_home, settings)
    else:
        conda = (python_home / "conda-meta").is_dir()
        found = _first_executable(python_home / "bin", ("python3", "python"))
        if found is None:
            raise _unusable(python_home, "there is neither pyvenv.cfg nor bin/python3", "make it with python3 -m venv")
        version_found = _conda_version(python_home) if conda else _prefix_version(python_home, found)
        interpreter = Interpreter(found, python_home, version_found, "conda" if conda else "prefix")
    _check_version(python_home, interpreter)
    return interpreter


def read_venv_settings(python_home: Path) -> dict[str, str] | None:
    """Return the keys of `pyvenv.cfg` in lower case, None where there is no such file. Raises WsgigroupsError."""
    path = python_home / "pyvenv.cfg"
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(python_home, f"{path} cannot be opened: {error.strerror}", "check its permissions") from None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise _unusable(python_home, f"{path} is not a file", "make the environment anew")
        text = os.read(fd, _MAXIMUM_CFG_BYTES).decode("utf-8", "surrogateescape")
    finally:
        os.close(fd)
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {key.strip().lower(): value.strip() for key, value in pairs}


def can_execute(path: Path, uid: int, gid: int, groups: Sequence[int]) -> bool | Path:
    """Whether that identity can reach and use the path: True, the first directory that stops it, or False.

    Using means: enter a directory, execute a file that anybody may execute, read any other file. Judged by mode
    bits; access control lists and capabilities are not looked at.
    """
    return _can_use(path, uid, gid, groups, read_last=False)


def can_read(path: Path, uid: int, gid: int, groups: Sequence[int]) -> bool | Path:
    """Like `can_execute`, but the last component must be readable (and enterable, if it is a directory)."""
    return _can_use(path, uid, gid, groups, read_last=True)


def _can_use(path: Path, uid: int, gid: int, groups: Sequence[int], *, read_last: bool) -> bool | Path:
    if uid == 0:
        return path.exists()
    last: tuple[Path, os.stat_result] | None = None
    for component, found in _walk(path):
        if stat.S_ISLNK(found.st_mode):
            continue
        if last is not None and not _allowed(last[1], uid, gid, groups, stat.S_IXOTH):
            return last[0]
        last = (component, found)
    if last is None:
        return False
    found = last[1]
    if not os.path.exists(path):
        # nothing is there, or it lies behind a directory that we cannot enter ourselves
        enters = _allowed(found, uid, gid, groups, stat.S_IXOTH)
        return False if enters or not stat.S_ISDIR(found.st_mode) else last[0]
    wanted = stat.S_IROTH if read_last else 0
    if stat.S_ISDIR(found.st_mode):
        wanted |= stat.S_IXOTH
    elif not read_last:
        wanted |= stat.S_IXOTH if found.st_mode & 0o111 else stat.S_IROTH
    return _allowed(found, uid, gid, groups, wanted)


def _allowed(found: os.stat_result, uid: int, gid: int, groups: Sequence[int], wanted: int) -> bool:
    """Owner, group or others: exactly one of the three decides (path_resolution(7)). wanted is in others' bits."""
    if found.st_uid == uid:
        bits = found.st_mode >> 6
    elif found.st_gid == gid or found.st_gid in groups:
        bits = found.st_mode >> 3
    else:
        bits = found.st_mode
    return bits & wanted == wanted


def _walk(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield every directory, link and file that resolving the path passes, `..` resolved as the kernel does."""
    # not asked for an absolute path: the working directory may have been removed
    absolute = path if path.is_absolute() else Path(os.getcwd()) / path
    waiting = list(reversed(absolute.parts[1:]))
    current = Path("/")
    yield current, os.lstat(current)
    links = 0
    while waiting:
        name = waiting.pop()
        if name == "..":
            current = current.parent
            continue
        step = current / name
        try:
            found = os.lstat(step)
        except OSError:
            return
        yield step, found
        if not stat.S_ISLNK(found.st_mode):
            current = step
            continue
        links += 1
        if links > _MAXIMUM_LINKS:
            return
        target = Path(os.readlink(step))
        if target.is_absolute():
            current = Path("/")
            waiting.extend(reversed(target.parts[1:]))
        else:
            waiting.extend(reversed(target.parts))


def _of_venv(python_home: Path, settings: dict[str, str]) -> Interpreter:
    version = _parse_version(settings.get("version_info") or settings.get("version") or "")
    candidates = [settings[key] for key in ("base-executable", "executable") if settings.get(key)]
    executable: Path | None = None
    for candidate in candidates:
        executable = executable or _executable(Path(candidate))
    if executable is None and settings.get("home"):
        names = [f"python{version[0]}.{version[1]}"] if version else []
        executable = _first_executable(Path(settings["home"]), (*names, "python3", "python"))
    if executable is None:
        looked = settings.get("executable") or settings.get("home") or "no place"
        raise _unusable(
            python_home,
            f"its base interpreter is gone (pyvenv.cfg names {looked})",
            "the Python it was made with was removed or moved: make the environment anew",
        )
    return Interpreter(executable, python_home, version, "venv")


def _check_version(python_home: Path, interpreter: Interpreter) -> None:
    version: tuple[int, ...] | None = interpreter.version
    if version is None:
        named = _VERSION.search(interpreter.executable.name)
        version = (int(named[1]), int(named[2])) if named else None
    if version is not None and version[:2] < LEAST_VERSION:
        text = ".".join(map(str, version))
        raise _unusable(python_home, f"it is Python {text}", "daemons need CPython 3.8 or newer")


def _executable(path: Path) -> Path | None:
    real = Path(os.path.realpath(path))
    try:
        found = os.stat(real)
    except OSError:
        return None
    return real if stat.S_ISREG(found.st_mode) and found.st_mode & 0o111 else None


def _first_executable(directory: Path, names: Sequence[str]) -> Path | None:
    for name in names:
        found = _executable(directory / name)
        if found:
            return found
    return None


def _conda_version(python_home: Path) -> tuple[int, int, int] | None:
    """conda-meta keeps one file per package: `python-3.11.5-h2755cc3_0.json`."""
    try:
        names = sorted(os.listdir(python_home / "conda-meta"))
    except OSError:
        return None
    for name in names:
        found = re.fullmatch(r"python-(\d+)\.(\d+)\.(\d+)-.*\.json", name)
        if found:
            return int(found[1]), int(found[2]), int(found[3])
    return None


def _prefix_version(python_home: Path, executable: Path) -> tuple[int, int, int] | None:
    own = find_interpreter(None)
    if executable == own.executable:
        return own.version
    named = _VERSION.search(executable.name)
    if not named:
        return None
    header = python_home / "include" / f"python{named[1]}.{named[2]}" / "patchlevel.h"
    try:
        with open(header, encoding="ascii", errors="replace") as file:
            found = re.search(r'#define PY_VERSION\s+"([^"]+)"', file.read(_MAXIMUM_CFG_BYTES))
    except OSError:
        return None
    return _parse_version(found[1]) if found else None


def _parse_version(text: str) -> tuple[int, int, int] | None:
    found = _VERSION.match(text)
    return (int(found[1]), int(found[2]), int(found[3])) if found and found[3] else None


def _unusable(python_home: Path, what: str, hint: str) -> WsgigroupsError:
    return WsgigroupsError(f"cannot use python-home {python_home}: {what}", hint=hint)
