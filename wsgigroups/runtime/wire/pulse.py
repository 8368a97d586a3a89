"""The pulse of a listener: one sealed memory page on which the processes that share it tell each other how they are.

Made by the manager with the socket and passed with it. Used by the leader of each process. Word 0 is when somebody with
a free request thread took a connection: a process that has none tells by it whether its siblings still serve what
waits. A word for each slot holds how many connections its process has, or how many requests wait in it when no thread
is free, and when it said so: see front/siblings.py for what others do about it. CLOCK_MONOTONIC; 8-byte stores, the
last one wins, which is all that is asked of them. Only processes of one group share a page, so a tenant can mislead
nobody but itself; the seals keep its size.
"""

from __future__ import annotations

import mmap
from typing import List

from ..originals import os
from .board import create_sealed

SIZE_BYTES = 4096
LINES = 64  # slots beyond share one: two processes then pass for one
_TOP = 1 + LINES  # the word of the last line that has been written: there are mostly but a few, and they are read often
_MASK = (1 << 24) - 1
NO_LANE = 1 << 22  # instead of a count: takes connections, but has no thread for a request that waits long
FULL = NO_LANE + 1  # … takes none now; so many more than this: so many requests wait for its threads
GONE = _MASK  # … takes none, and its calls do not end, or it leaves
_FRESH_S = 2  # an older word is of a process that has gone, or hangs: it beats once a second


def create(name: str) -> int:
    """Make a page and return its descriptor (close-on-exec). Raises OSError."""
    return create_sealed(name, SIZE_BYTES, b"")


class Pulse:
    """`word[0]`, in nanoseconds, is when the last connection was taken by a process with a free thread."""

    __slots__ = ("_map", "word")

    def __init__(self, fd: int) -> None:
        """Map the page; the descriptor stays the caller's. Raises OSError, ValueError."""
        if os.fstat(fd).st_size != SIZE_BYTES:
            raise ValueError("descriptor %d is no pulse" % fd)
        self._map = mmap.mmap(fd, SIZE_BYTES, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self.word = memoryview(self._map).cast("Q")

    def tell(self, slot: int, connections: int, now_ns: int) -> None:
        """Say how many connections the process of a slot has, or one of the words above instead."""
        line = slot % LINES
        if self.word[_TOP] < line:  # of two who say so at once one is lost, until it speaks again
            self.word[_TOP] = line
        self.word[1 + line] = (now_ns // 1_000_000_000) << 24 | min(connections, GONE)

    def fewest(self, slot: int, now_ns: int) -> int:
        """Return the least that any other process has; FULL or more when there is none that would take a connection.

        NO_LANE when none of those that would has a thread for a request that waits long.
        """
        return min(self._others(slot, now_ns), default=GONE)

    def alone(self, slot: int, now_ns: int) -> bool:
        """Whether no other process has said anything for a while."""
        return not self._others(slot, now_ns)

    def _others(self, slot: int, now_ns: int) -> List[int]:
        """What the others have said last, if that is not too long ago."""
        own = slot % LINES
        lines = self.word[1 : 2 + self.word[_TOP]].tolist()
        del lines[own : own + 1]
        oldest = now_ns // 1_000_000_000 - _FRESH_S
        return [line & _MASK for line in lines if line >> 24 >= oldest]
