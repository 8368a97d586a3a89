"""Judging a path from facts: who besides the trusted could change where it leads. Pure; `walking` gathers the facts.

A component is trusted when it belongs to somebody trusted and nobody else can write it. A sticky directory protects
its entries from everybody but their owners and its own (unlink(2)), so there each entry is judged by itself. A missing
rest of a path is nobody's: it is made in a directory that was judged.
"""

from __future__ import annotations

import stat
import struct
from dataclasses import dataclass, field

# acl(5) as the extended attribute system.posix_acl_access holds it: a version, then (tag, permissions, id) each
_ACL_HEADER = struct.Struct("<I")
_ACL_ENTRY = struct.Struct("<HHI")
_ACL_USER, _ACL_GROUP = 0x02, 0x08
_ACL_WRITE = 0x02


@dataclass(frozen=True, slots=True)
class Fact:
    """One component of a path, as fstat(2) has it. mode: st_mode; acl: its access control list, b"" without one."""

    path: str
    uid: int
    gid: int
    mode: int
    links: int = 1
    acl: bytes = b""

    @property
    def is_shared(self) -> bool:
        """Whether it is a sticky directory, whose entries belong to many."""
        return stat.S_ISDIR(self.mode) and bool(self.mode & stat.S_ISVTX)


@dataclass(frozen=True, slots=True)
class Trusted:
    """Who may be able to change a path. gids: groups that have no members but those.

    or_alone: what others could write is no doubt where there are no others (trust.alone).
    """

    uids: frozenset[int]
    gids: frozenset[int] = frozenset({0})
    or_alone: bool = False


ROOT_ALONE = Trusted(frozenset({0}))


@dataclass(frozen=True, slots=True)
class Doubt:
    """The component that speaks against a path, and why. by_mode: it is somebody's trusted, and others may write it."""

    path: str
    why: str
    by_mode: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return f"another user could change {self.path}: {self.why}"


def judge(fact: Fact, parent: Fact | None, trusted: Trusted) -> Doubt | None:
    """Return what speaks against a component whose parent was judged before; None if nothing does."""
    if fact.uid not in trusted.uids:
        return Doubt(fact.path, f"it belongs to uid {fact.uid}")
    if stat.S_ISLNK(fact.mode):
        return None  # a link's own mode means nothing: whoever can write its directory could replace it
    if stat.S_ISREG(fact.mode) and fact.links > 1 and parent is not None and parent.is_shared:
        return Doubt(fact.path, "it is a further name of another file, in a directory that everybody can write")
    if fact.is_shared:
        return None
    if fact.mode & stat.S_IWOTH:
        return Doubt(fact.path, "everybody can write it", by_mode=True)
    if fact.mode & stat.S_IWGRP:
        if fact.gid not in trusted.gids:
            return Doubt(fact.path, f"group {fact.gid} can write it", by_mode=True)
        # without an access control list the group's bits are the group's alone; with one, they are its mask
        return _judge_list(fact, trusted)
    return None


def _judge_list(fact: Fact, trusted: Trusted) -> Doubt | None:
    for start in range(_ACL_HEADER.size, len(fact.acl) - _ACL_ENTRY.size + 1, _ACL_ENTRY.size):
        tag, permissions, number = _ACL_ENTRY.unpack_from(fact.acl, start)
        if not permissions & _ACL_WRITE:
            continue
        if tag == _ACL_USER and number not in trusted.uids:
            return Doubt(fact.path, f"its access control list lets uid {number} write it")
        if tag == _ACL_GROUP and number not in trusted.gids:
            return Doubt(fact.path, f"its access control list lets group {number} write it")
    return None
