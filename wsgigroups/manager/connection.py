"""Frames with descriptors on a non-blocking socket, driven by the event loop.

Runs in the manager's only thread. Never blocks: what the socket does not take waits in a bounded queue; a peer that
lets it overflow is cut off.
"""

from __future__ import annotations

import array
import asyncio
import os
import socket
from collections import deque
from typing import TYPE_CHECKING, Any

from wsgigroups.runtime.wire import frames

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAXIMUM_QUEUED_BYTES = 64 * 1024 * 1024


class FrameConnection:
    """One socket. on_frame(body, fds) owns the descriptors it is given; on_close(reason) is called once.

    Without on_frame nothing is ever read: the peer is one of whom nothing is wanted.
    """

    def __init__(
        self,
        sock: socket.socket,
        on_frame: Callable[[dict[str, Any], list[int]], None] | None,
        on_close: Callable[[str], None],
    ) -> None:
        self.sock = sock
        self._on_frame = on_frame
        self._on_close = on_close
        self._receiver = frames.Receiver()
        self._queue: deque[tuple[memoryview, list[int]]] = deque()
        self._queued_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._closed = False
        sock.setblocking(False)
        if on_frame is not None:
            self._loop.add_reader(sock.fileno(), self._readable)

    def send(self, body: dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Send or queue one frame; the caller keeps its descriptors. Does nothing once closed."""
        if self._closed:
            return
        data = frames.encode(body, fds)
        if self._queued_bytes + len(data) > MAXIMUM_QUEUED_BYTES:
            self.close("the peer does not read")
            return
        self._queue.append((memoryview(data), [os.dup(fd) for fd in fds]))
        self._queued_bytes += len(data)
        if len(self._queue) == 1:
            self._flush()

    @property
    def behind(self) -> bool:
        """Whether frames wait because the peer does not read."""
        return bool(self._queue)

    def close(self, reason: str = "closed here") -> None:
        """Close the socket and tell the owner."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self.sock.fileno())
        self._loop.remove_writer(self.sock.fileno())
        self.sock.close()
        self._receiver.close()
        for _data, fds in self._queue:
            for fd in fds:
                os.close(fd)
        self._queue.clear()
        self._on_close(reason)

    def _readable(self) -> None:
        try:
            data, fds = frames.receive_some(self.sock)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.close(str(error))
            return
        if not data:
            self.close("the peer closed the connection")
            return
        try:
            received = self._receiver.feed(data, fds)
        except frames.FrameError as error:
            self.close(str(error))
            return
        for body, passengers in received:
            assert self._on_frame is not None
            self._on_frame(body, passengers)

    def _flush(self) -> None:
        while self._queue:
            data, fds = self._queue[0]
            try:
                if fds:
                    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds).tobytes())]
                    sent = self.sock.sendmsg([data], rights)
                else:
                    sent = self.sock.send(data)
            except (BlockingIOError, InterruptedError):
                self._loop.add_writer(self.sock.fileno(), self._flush)
                return
            except OSError as error:
                self.close(str(error))
                return
            for fd in fds:
                os.close(fd)
            self._queued_bytes -= sent
            if sent < len(data):
                self._queue[0] = (data[sent:], [])
            else:
                self._queue.popleft()
        self._loop.remove_writer(self.sock.fileno())
