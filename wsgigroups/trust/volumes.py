"""A run directory that everybody can write, as the volume of a container is: one of our own in it takes its place.

`emptyDir` of Kubernetes has mode 2777. Runs in the manager and in commands, which have to come to the same place.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def own_in(path: Path) -> Path:
    """The run directory that is meant by a named one: itself, unless everybody can write it."""
    try:
        found = os.stat(path)
    except OSError:
        return path
    shared = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_IWOTH
    return path / _name() if shared else path


def protect(path: Path) -> bool:
    """Have nobody move our directory out of such a one, where that is ours, too: it becomes sticky (unlink(2)).

    path: what `own_in` came to; others stay as they are. Returns whether it was not so before. Raises OSError.
    """
    if path.name != _name():
        return False
    try:
        fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        found = os.fstat(fd)
        movable = found.st_uid == os.geteuid() and found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX
        if movable:
            os.fchmod(fd, stat.S_IMODE(found.st_mode) | stat.S_ISVTX)
        return bool(movable)
    finally:
        os.close(fd)


def _name() -> str:
    return f"wsgigroups-{os.geteuid()}"
