"""Renaming a log that is as long as it may be: `blog.log` becomes `blog.log.1`, that one `blog.log.2`, and so on.

Runs in the manager, whose right it may take, in a directory that nobody else can change. Whoever writes the log goes on
in the renamed file until it is given the new one.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from wsgigroups.trust.walking import follow

if TYPE_CHECKING:
    from wsgigroups.trust.judging import Trusted


_FIRST_BYTES = 256
_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def first_time(path: str, trusted: Trusted | None) -> float | None:
    """Return the time of the first record of a log, in seconds since the epoch; None where there is none."""
    try:
        with follow(path, trusted, last_link=False) as place:
            if place.entry < 0 or not stat.S_ISREG(os.fstat(place.entry).st_mode):
                return None
            fd = os.open(f"/proc/self/fd/{place.entry}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            found = _TIME.search(os.pread(fd, _FIRST_BYTES, 0))
        finally:
            os.close(fd)
        if found is None:
            return None
        return datetime.strptime(found[0].decode(), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp()
    except (OSError, ValueError):
        return None


def age_s(begun: float) -> float:
    """Return how old a log is whose first record has this time: by the wall clock, since nothing else is in a file."""
    return time.time() - begun


def rotate(path: str, keep: int, trusted: Trusted | None) -> None:
    """Rename a log and those before it; keep so many, 0: the log is removed. Raises UntrustedPathError, and OSError."""
    with follow(path, trusted, last_link=False) as place:
        if place.entry < 0 or not stat.S_ISREG(os.fstat(place.entry).st_mode):
            return  # somebody has renamed it, or it is no file
        name, directory = place.name, place.directory
        if keep <= 0:
            os.unlink(name, dir_fd=directory)
            return
        for number in range(keep - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                os.rename(f"{name}.{number}", f"{name}.{number + 1}", src_dir_fd=directory, dst_dir_fd=directory)
        os.rename(name, f"{name}.1", src_dir_fd=directory, dst_dir_fd=directory)
