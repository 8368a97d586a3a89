"""Bytes of a response that a slow client has not taken yet.

Shared by two threads under its lock: the request thread appends and, beyond response-buffer-size, waits and sends; the
leader sends while the application computes, and after the request thread has gone on to other work.
"""

from __future__ import annotations

import collections
from typing import Deque

from ..originals import Lock, socket

DONT_WAIT = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL


class Output:
    """A queue of blocks. Raises OSError from `flush` when the client is gone."""

    __slots__ = ("begun_ns", "blocks", "lock", "size")

    def __init__(self) -> None:
        self.lock = Lock()
        self.blocks: Deque[memoryview] = collections.deque()
        self.size = 0
        self.begun_ns = 0  # when the first of it was to leave

    def append(self, block: memoryview) -> None:
        """Add what a send has left over. The caller holds the lock or is the only one who knows this object."""
        self.blocks.append(block)
        self.size += len(block)

    def flush(self, sock: socket.socket) -> int:
        """Send what the socket takes now; returns how many bytes. The caller holds the lock. Raises OSError."""
        sent = 0
        blocks = self.blocks
        while blocks:
            block = blocks[0]
            try:
                count = sock.send(block, DONT_WAIT)
            except BlockingIOError:
                break
            sent += count
            if count < len(block):
                blocks[0] = block[count:]
                break
            blocks.popleft()
        self.size -= sent
        return sent
