"""Opening files that others may have put there: regular ones alone, and nothing else is even opened.

To open a device can be to use it, and to open a FIFO, or a file of which somebody has a lease, can take for ever. Runs
in the manager and in commands. Needs /proc.
"""

from __future__ import annotations

import errno
import os
import stat

NOT_REGULAR = "it is not a regular file"


def open_regular(path: str) -> int:
    """Return a descriptor to read a file from; links are followed. Raises OSError, its strerror the reason."""
    entry = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        mode = os.fstat(entry).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, NOT_REGULAR, path)
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, NOT_REGULAR, path)
        return os.open(f"/proc/self/fd/{entry}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    finally:
        os.close(entry)
