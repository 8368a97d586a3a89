"""How many descriptors this process may still open, and a sentence for when that are too few.

Used by manager and spawner before they take on what needs some: a few stay for whoever asks what is the matter. Never
opens more than the list of its own descriptors, and that only where the kernel has no number of them.
"""

from __future__ import annotations

import resource
from typing import Tuple

from ..originals import os

_DIRECTORY = "/proc/self/fd"


def used_and_limit() -> Tuple[int, int]:
    """Return how many descriptors are open and how many may be (RLIMIT_NOFILE); 0 used where nobody can tell."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    try:
        used = os.stat(_DIRECTORY).st_size  # their number, since Linux 6.2
        if not used:
            used = len(os.listdir(_DIRECTORY))
    except OSError:
        used = 0
    return used, limit


def reason_for_none(number: int, reserve: int) -> str:
    """Return why so many cannot be opened with a reserve left, in words that name the limit; empty if they can.

    At most a quarter of the limit is held back.
    """
    used, limit = used_and_limit()
    if limit == resource.RLIM_INFINITY or used + number + min(reserve, limit // 4) <= limit:
        return ""
    return full()


def full() -> str:
    """Return the sentence for a limit that is reached."""
    return "%d files are open and RLIMIT_NOFILE allows %d: raise it (ulimit -n, LimitNOFILE=)" % used_and_limit()
