"""The pulse of a listener: one sealed memory page on which the processes that share it note when one took a connection.

Made by the manager with the socket and passed with it. Used by the leader of each process: one that has no free
request thread tells by it whether its siblings still serve what waits, or nobody does. One 8-byte word,
CLOCK_MONOTONIC nanoseconds; the last store wins, which is all that is asked of it. Only processes of one group share a
page, so a tenant can mislead nobody but itself; the seals keep it from growing and shrinking.
"""

from __future__ import annotations

import mmap
import os

from .board import create_sealed

SIZE_BYTES = 4096


def create(name: str) -> int:
    """Make a page and return its descriptor (close-on-exec). Raises OSError."""
    return create_sealed(name, SIZE_BYTES, b"")


class Pulse:
    """`word[0]` is when the last connection was taken by a process with a free thread."""

    __slots__ = ("_map", "word")

    def __init__(self, fd: int) -> None:
        """Map the page; the descriptor stays the caller's. Raises OSError, ValueError."""
        if os.fstat(fd).st_size != SIZE_BYTES:
            raise ValueError("descriptor %d is no pulse" % fd)
        self._map = mmap.mmap(fd, SIZE_BYTES, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self.word = memoryview(self._map).cast("Q")
