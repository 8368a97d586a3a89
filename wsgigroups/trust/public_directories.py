"""Opening a directory for others to see what is in it, whoever has had a hand in its path.

Runs in the manager. The path is walked one component at a time, as in walking.py.
"""

from __future__ import annotations

import errno
import os
import stat

from wsgigroups.trust.judging import Doubt
from wsgigroups.trust.walking import UntrustedPathError

_NAME_ONLY = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_MAXIMUM_LINKS = 40  # as the kernel: path_resolution(7)


def open_public_directory(path: str, *, root: bool) -> int:
    """Return an O_PATH descriptor of a directory that everybody is to see what is in. Raises OSError.

    root: a link on the way is followed only if it is root's, or belongs to whom the directory belongs: nobody can have
    root open, and so make public, what is another's. The directories on the way may be anybody's.
    """
    if not os.path.isabs(path):
        raise OSError(errno.EINVAL, "not an absolute path", path)
    waiting = [name for name in reversed(path.split("/")) if name not in ("", ".")]
    here = os.open("/", _NAME_ONLY | os.O_DIRECTORY)
    way = [""]
    owners: dict[int, str] = {}  # of links → one of them
    links = 0
    try:
        while waiting:
            name = waiting.pop()
            entry = os.open(name, _NAME_ONLY, dir_fd=here)
            try:
                found = os.fstat(entry)
                if stat.S_ISLNK(found.st_mode):
                    links += 1
                    if links > _MAXIMUM_LINKS:
                        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                    owners.setdefault(found.st_uid, "/".join((*way, name)))
                    target = os.readlink("", dir_fd=entry)
                    waiting += [part for part in reversed(target.split("/")) if part not in ("", ".")]
                    if target.startswith("/"):
                        os.close(here)
                        here = -1
                        here, way = os.open("/", _NAME_ONLY | os.O_DIRECTORY), [""]
                    continue
                if not stat.S_ISDIR(found.st_mode):
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
                here, entry = entry, here
                way.append(name)
            finally:
                if entry >= 0:
                    os.close(entry)
        owner = os.fstat(here).st_uid
        for uid, link in owners.items():
            if root and uid not in (0, owner):
                doubt = Doubt(link, f"it is a link of uid {uid}, and leads to a directory of uid {owner}")
                raise UntrustedPathError(path, doubt)
        opened, here = here, -1
        return opened
    finally:
        if here >= 0:
            os.close(here)
