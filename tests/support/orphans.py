"""Who becomes the parent of what descendants leave behind: pytest's process for a while, its own parent again after it.

A test that leaves it so would have other tests find processes that are no concern of theirs.
"""

from __future__ import annotations

import ctypes

from wsgigroups.runtime import kernel

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


def adopt() -> None:
    """This process does."""
    kernel.adopt_orphans()


def adopt_no_more() -> None:
    """The next subreaper above it does, or process 1."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def adopts() -> bool:
    """Whether this process does."""
    answer = ctypes.c_int()
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER + 1, ctypes.byref(answer), 0, 0, 0)
    return bool(answer.value)
