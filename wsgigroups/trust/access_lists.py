"""Access control lists of files that we make (acl(5)), as the kernel keeps them: no library is needed for it.

Runs in the manager.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_ATTRIBUTE = "system.posix_acl_access"
_VERSION = struct.pack("<I", 2)  # struct posix_acl_xattr_header of <linux/posix_acl_xattr.h>
_ENTRY = struct.Struct("<HHI")  # tag, permissions, id
_OWNER, _USER, _OWNING_GROUP, _GROUP, _MASK, _OTHERS = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NOBODY = 0xFFFFFFFF  # of entries that are about no id
_READ_WRITE = 6


def let_in(path: str, uids: Collection[int], gids: Collection[int], mode: int) -> None:
    """Let these users and members of these groups read and write a file, besides those whom its mode lets.

    mode: of the file without a list. Raises OSError; ENOTSUP where the file system has no such lists.
    """
    if not uids and not gids:
        with contextlib.suppress(OSError):  # there is none, or there can be none
            os.removexattr(path, _ATTRIBUTE, follow_symlinks=False)
    else:
        os.setxattr(path, _ATTRIBUTE, encoded(uids, gids, mode), follow_symlinks=False)
        return
    if os.path.islink(path):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    os.chmod(path, mode)  # the bits of the group were those of the list's mask


def encoded(uids: Collection[int], gids: Collection[int], mode: int) -> bytes:
    """Return such a list, in the order that the kernel wants."""
    entries = [
        (_OWNER, mode >> 6 & 7, _NOBODY),
        *((_USER, _READ_WRITE, uid) for uid in sorted(uids)),
        (_OWNING_GROUP, mode >> 3 & 7, _NOBODY),
        *((_GROUP, _READ_WRITE, gid) for gid in sorted(gids)),
        (_MASK, _READ_WRITE, _NOBODY),
        (_OTHERS, mode & 7, _NOBODY),
    ]
    return _VERSION + b"".join(_ENTRY.pack(*entry) for entry in entries)
