"""Whether the logs of groups can be opened, and are not shared by users who must not share one.

Runs in the manager's only thread, before anything of a change is done.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.supervision.log_streams import STREAMS
from wsgigroups.trust.walking import judging_root, make_directories, open_to_append

if TYPE_CHECKING:
    from wsgigroups.plan.desired import GroupTarget

Writers = dict[tuple[int, int], tuple[str, str, int, str]]  # device and number of a log → group, user, uid, its path


def check_log(target: GroupTarget, writers: Writers, made: set[str], *, in_use: bool = False) -> None:
    """Make sure of one group's log; writers: those of others before it. Raises WsgigroupsError.

    made: directories that this apply has made sure of; in_use: its processes write to it, nothing of it has changed.
    """
    if target.log_path in STREAMS:
        return
    try:
        found = _present(target.log_path) if in_use else None
        if found is None:
            directory = os.path.dirname(target.log_path)
            if directory not in made:
                os.close(make_directories(directory, judging_root()))
                made.add(directory)
            fd = open_to_append(target.log_path, judging_root())
            found = os.fstat(fd)
            os.close(fd)
    except OSError as error:
        raise WsgigroupsError(
            f"cannot open the log {target.log_path} of group {target.name!r}: {error.strerror}",
            hint="set error-log, or another --log-dir",
        ) from None
    identity = target.spec.identity
    if identity and stat.S_ISREG(found.st_mode):
        writer = (target.name, str(target.user), identity.uid, target.log_path)
        first = writers.setdefault((found.st_dev, found.st_ino), writer)
        _refuse_shared_log(target.log_path, first, writer)


def _present(path: str) -> os.stat_result | None:
    """Return what a log is that was opened before; None for what has to be looked at as if it were new."""
    with contextlib.suppress(OSError):
        found = os.stat(path, follow_symlinks=False)
        return found if stat.S_ISREG(found.st_mode) else None
    return None


def _refuse_shared_log(path: str, first: tuple[str, str, int, str], other: tuple[str, str, int, str]) -> None:
    if first[2] != other[2] and first[3] != other[3]:
        raise WsgigroupsError(
            f"cannot use the log {path} for {first[0]!r} of {first[1]} and {other[0]!r} of {other[1]}: "
            "it is one file under two names",
            hint="name it in the same way, or give each user a log of its own",
        )
