"""Two tenants, as numbers: a daemon's identity needs no entry in the passwd file."""

from __future__ import annotations

import os

from wsgigroups.runtime.wire.spec import Identity

ALICE = 61001
BOB = 61002


def identity(uid: int = ALICE, groups: tuple[int, ...] | None = None) -> Identity | None:
    """Return that tenant's identity as root, None for an ordinary user, who cannot become anybody."""
    if os.geteuid() != 0:
        return None
    return Identity(uid, uid, (uid,) if groups is None else groups)


def uid_of(uid: int = ALICE) -> int:
    """Return whose process a daemon with `identity(uid)` is."""
    return uid if os.geteuid() == 0 else os.geteuid()
