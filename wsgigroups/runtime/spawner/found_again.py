"""A spawner that no manager reaches makes its socket again when that is gone: a removed run directory strands nobody.

While a manager is there that is the manager's to do. Nothing is made where somebody else could change the way to it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from typing import Optional

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def bound_again(listener: socket.socket) -> Optional[socket.socket]:
    """Return a socket that listens at the path of another one; None where a file is there, or none can be made."""
    path = listener.getsockname()
    if not isinstance(path, str) or not os.path.isabs(path) or os.path.lexists(path):
        return None
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _make(os.path.dirname(path))
        os.fchmod(made.fileno(), 0o600)  # which becomes the file's at bind (unix(7))
        made.bind(path)
        made.listen(4)
    except OSError:
        made.close()
        return None
    return made


def _make(directory: str) -> None:
    """Make a directory, and the one above it, where they are missing. Raises OSError where others could change one."""
    above = os.path.dirname(directory)
    _judge(os.path.dirname(above))
    for path, mode in ((above, 0o755), (directory, 0o700)):
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, mode)
        _judge(path)


def _judge(path: str) -> None:
    """Raise PermissionError where somebody else could put another directory in the place of this, or of a parent."""
    parent = os.path.dirname(path)
    if parent != path:
        _judge(parent)
    found = os.lstat(path)
    alone = found.st_uid in (0, os.geteuid()) and not found.st_mode & _OTHERS_MAY_WRITE
    # in a sticky directory nobody removes what is another's, and what is in it is judged next
    if not stat.S_ISDIR(found.st_mode) or not (alone or (found.st_uid == 0 and found.st_mode & stat.S_ISVTX)):
        raise PermissionError("others can change %s" % path)
