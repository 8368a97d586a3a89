"""The directory in which the processes of a group count: made before each of them is started.

Runs in the manager's only thread, and in that of application_metrics.py.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from wsgigroups.targets.counting import counting_directory, counts
from wsgigroups.trust.walking import private_directory

if TYPE_CHECKING:
    from pathlib import Path

    from wsgigroups.plan.desired import GroupTarget


def make_counting_directory(run_dir: Path, target: GroupTarget) -> None:
    """Make it where the target wants one. Raises OSError. What another account has left there is removed."""
    if not counts(target, run_dir):
        return
    identity = target.spec.identity
    uid, gid = (identity.uid, identity.gid) if identity else (os.geteuid(), os.getegid())
    path = counting_directory(run_dir, target.name)
    for directory in (path.parent.parent, path.parent):
        private_directory(str(directory), 0o755)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(fd).st_uid not in (uid, os.geteuid()):
            os.fchown(fd, os.geteuid(), -1)  # so that nothing comes there meanwhile
            clear(fd)
        os.fchown(fd, uid, gid)
        os.fchmod(fd, 0o700)
    finally:
        os.close(fd)


def clear(fd: int) -> None:
    """Remove the files of a directory; a directory in it stays, and nobody reads it. Raises OSError."""
    for name in os.listdir(fd):
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=fd)
