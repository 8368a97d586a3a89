"""Managers of other versions: of the last release, and of this version with another runtime.

Runs in pytest's process. `python -m tools.freeze_runtime` makes the archive.
"""

from __future__ import annotations

import shutil
import sys
import zipfile
from pathlib import Path

import wsgigroups.runtime

ARCHIVE = Path(__file__).parent / "frozen_runtime.zip"
_OTHER_RUNTIME = """
import sys
from pathlib import Path
from wsgigroups.manager.supervision import starting
from wsgigroups.cli.main import main
starting._BOOTSTRAP = Path(sys.argv.pop(1))
sys.exit(main())
"""
_RELEASE = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from wsgigroups.cli.main import main
sys.exit(main())
"""


def unpack(directory: Path) -> Path:
    """Unpack the last release below a directory that every user may enter; returns where its package lies."""
    place = directory / "release"
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(place)
    return place


def changed(directory: Path) -> Path:
    """Make a runtime that differs from this one below such a directory; returns what a spawner is started with."""
    source, place = Path(wsgigroups.runtime.__file__).parent, directory / "changed" / "runtime"
    shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
    with open(place / "__init__.py", "a") as module:
        module.write("\nOTHERWISE = True\n")
    return place / "spawner" / "__main__.py"


def of_release(command: list[str], place: Path) -> list[str]:
    """Return the command line of a manager that is of the release unpacked there."""
    return _instead(_RELEASE, command, place)


def with_runtime(command: list[str], bootstrap: Path) -> list[str]:
    """Return the command line of a manager whose spawners are started with that."""
    return _instead(_OTHER_RUNTIME, command, bootstrap)


def _instead(program: str, command: list[str], path: Path) -> list[str]:
    assert command[:3] == [sys.executable, "-m", "wsgigroups"]
    return [sys.executable, "-c", program, str(path), *command[3:]]
