"""Sends frames with descriptors on a non-blocking socket; what the socket does not take waits in a bounded queue.

Used by the loops of manager and spawner, each in its only thread. Never blocks and has no loop of its own: who owns it
calls `flush` when the socket can be written to, or `PAUSE_S` after it was found starved.
"""

from __future__ import annotations

import array
import errno
import os
import socket
from collections import deque
from typing import Any, Deque, Dict, List, Sequence

from .frames import encode

PAUSE_S = 0.1  # a socket that refuses descriptors is writable all the same: to poll for that would spin


class SendError(Exception):
    """Nothing more can be sent on this socket: the peer is gone, or does not read."""


class _Outgoing:
    """A frame that is not wholly sent; owns duplicates of its descriptors until they are."""

    def __init__(self, data: memoryview, fds: Sequence[int]) -> None:
        self.data = data
        self.fds: List[int] = []
        try:
            for fd in fds:
                self.fds.append(os.dup(fd))
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        for fd in self.fds:
            os.close(fd)
        self.fds = []


class Sender:
    """The way out of one connection. The socket stays its owner's."""

    def __init__(self, sock: socket.socket, maximum_queued_bytes: int) -> None:
        self._sock = sock
        self._maximum_queued_bytes = maximum_queued_bytes
        self._queue: Deque[_Outgoing] = deque()
        self._queued_bytes = 0
        # descriptors are not taken now: more are in flight than RLIMIT_NOFILE allows (ETOOMANYREFS, unix(7)), or EPERM
        self.starved = False

    @property
    def behind(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._queue)

    @property
    def wants_to_write(self) -> bool:
        """Whether something waits that the socket may take as soon as it can be written to."""
        return bool(self._queue) and not self.starved

    def send(self, body: Dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Send one frame, or queue what the socket does not take of it. The descriptors stay the caller's.

        Raises SendError when the connection is of no further use, FrameError above the limits of a frame, and OSError
        (EMFILE) when descriptors that must wait cannot be duplicated: then the frame is as if it had not been given,
        and the connection goes on.
        """
        self.send_encoded(encode(body, fds), fds)

    def send_encoded(self, frame: bytes, fds: Sequence[int] = ()) -> None:
        """Send what `encode` has made of a body and these descriptors, as `send` does."""
        data = memoryview(frame)
        if self._queued_bytes + len(data) > self._maximum_queued_bytes:
            raise SendError("the peer does not read: %d bytes are waiting for it" % self._queued_bytes)
        if not self._queue:
            sent = self._write(data, fds)
            if sent == len(data):
                return
            if sent:  # descriptors go with the first byte
                data, fds = data[sent:], ()
        self._queue.append(_Outgoing(data, fds))
        self._queued_bytes += len(data)

    def flush(self) -> None:
        """Send what the socket takes. Raises SendError."""
        self.starved = False
        while self._queue:
            outgoing = self._queue[0]
            sent = self._write(outgoing.data, outgoing.fds)
            if not sent:
                return
            outgoing.close()
            outgoing.data = outgoing.data[sent:]
            self._queued_bytes -= sent
            if len(outgoing.data):
                return
            self._queue.popleft()

    def close(self) -> None:
        """Drop what waits, and close its descriptors."""
        for outgoing in self._queue:
            outgoing.close()
        self._queue.clear()
        self._queued_bytes = 0

    def _write(self, data: memoryview, fds: Sequence[int]) -> int:
        """Return how many bytes the socket took; 0: none, and no descriptor either."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds).tobytes())] if fds else []
        try:
            return self._sock.sendmsg([data], rights)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            # EPERM: whoever listens takes no descriptors before it has seen who connected (runtime/wire/rights.py)
            if error.errno != errno.ETOOMANYREFS and not (rights and error.errno == errno.EPERM):
                raise SendError(str(error)) from None
            self.starved = True
            return 0
