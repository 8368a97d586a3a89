"""Finds the Pythons of this machine, and makes a copy where the tenants of the tests cannot reach the original.

Runs in pytest's process. Never changes a permission of what it finds: a copy of the interpreter's prefix is the way.
"""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from functools import cache
from pathlib import Path

from support.users import ALICE

VERSIONS = ("3.8", "3.11", "3.13")  # most tests: the oldest, Debian's, a new one
ALL_VERSIONS = tuple(f"3.{minor}" for minor in range(8, 15))
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "test", "tests", "idlelib", "turtledemo", "*.a", "share", "include")


@cache
def find(version: str) -> Path | None:
    """Return an executable of this version, e.g. "3.8", that works; None when the machine has none.

    Of the version that runs the tests, the one that does.
    """
    roots = [os.environ.get("PYENV_ROOT", ""), os.path.expanduser("~/.pyenv"), "/opt/pyenv"]
    candidates = [path for root in roots if root for path in glob.glob(f"{root}/versions/{version}.*/bin/python3")]
    candidates += glob.glob(f"/opt/hostedtoolcache/Python/{version}.*/x64/bin/python3")
    candidates += [found for found in [shutil.which(f"python{version}")] if found]
    distributed = [f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"]
    for candidate in [sys.executable, *distributed, *sorted(candidates)]:
        base = _base(candidate, version)
        if base is not None:
            return base
    return None


def _base(candidate: str, version: str) -> Path | None:
    """Return the interpreter behind a venv or a shim, if it is of this version and starts."""
    if not os.access(candidate, os.X_OK):
        return None
    code = "import sys; print('%d.%d' % sys.version_info[:2]); print(getattr(sys, '_base_executable', sys.executable))"
    try:
        run = subprocess.run([candidate, "-I", "-c", code], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found, executable = run.stdout.splitlines()
    return Path(executable) if found == version else None


def library_of(executable: Path) -> Path:
    """Return the directory of its standard library."""
    command = [str(executable), "-I", "-S", "-c", "import os; print(os.path.dirname(os.__file__))"]
    return Path(subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.rstrip("\n"))


def present(versions: tuple[str, ...] = VERSIONS) -> list[str]:
    """Return those of the versions that this machine has, and always the version that runs the tests."""
    own = sysconfig.get_python_version()
    return [version for version in dict.fromkeys((*versions, own)) if find(version) is not None]


class Accessible:
    """Interpreters that every user can execute; copies live until `close`."""

    def __init__(self) -> None:
        self._directory: Path | None = None
        self._found: dict[str, Path] = {}

    def get(self, version: str) -> Path:
        """Return an executable that works for ALICE as well. Raises LookupError when the machine has none."""
        if version not in self._found:
            original = find(version)
            if original is None:
                raise LookupError(f"this machine has no Python {version}")
            self._found[version] = original if _works_for_tenants(original) else self._copy(original, version)
        return self._found[version]

    def _copy(self, original: Path, version: str) -> Path:
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="wsgigroups-interpreters-"))
            self._directory.chmod(0o755)
        prefix = original.resolve().parent.parent
        copy = self._directory / version
        shutil.copytree(prefix, copy, symlinks=True, ignore=_LEFT_OUT)
        executable = copy / "bin" / original.name
        _make_relocatable(executable.resolve(), prefix)
        if not _works_for_tenants(executable):
            shutil.rmtree(copy)
            raise LookupError(f"a copy of {prefix} does not work for uid {ALICE}")
        return executable

    def close(self) -> None:
        """Remove the copies."""
        if self._directory is not None:
            shutil.rmtree(self._directory)


def _make_relocatable(executable: Path, prefix: Path) -> None:
    """Let a copy built with --enable-shared find its own libpython: its RUNPATH names the original, absolutely."""
    before, after = f"{prefix}/lib\0".encode(), b"$ORIGIN/../lib\0"
    data = executable.read_bytes()
    if before in data and len(after) <= len(before):
        executable.write_bytes(data.replace(before, after.ljust(len(before), b"\0")))


def _works_for_tenants(executable: Path) -> bool:
    identity = {"user": ALICE, "group": ALICE, "extra_groups": []} if os.geteuid() == 0 else {}
    command = [str(executable), "-I", "-S", "-c", "import json, sqlite3, socket"]
    try:
        return subprocess.run(command, capture_output=True, timeout=20, cwd="/", **identity).returncode == 0  # type: ignore[call-overload]
    except OSError:
        return False
