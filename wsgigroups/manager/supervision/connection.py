"""Frames with descriptors on a non-blocking socket, driven by the event loop.

Runs in the manager's only thread. Never blocks: what the socket does not take waits in a bounded queue; a peer that
lets it overflow is cut off.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from wsgigroups.runtime.wire import frames
from wsgigroups.runtime.wire.sender import PAUSE_S, Sender, SendError

if TYPE_CHECKING:
    import socket
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
        self._sender = Sender(sock, MAXIMUM_QUEUED_BYTES)
        self._pause: asyncio.TimerHandle | None = None  # while more descriptors are in flight than may be
        self._loop = asyncio.get_running_loop()
        self._closed = False
        sock.setblocking(False)
        if on_frame is not None:
            self._loop.add_reader(sock.fileno(), self.receive)

    def send(self, body: dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Send or queue one frame; the caller keeps its descriptors. Does nothing once closed.

        Raises OSError when descriptors that must wait cannot be duplicated; nothing was sent then, and the connection
        goes on.
        """
        self.send_encoded(frames.encode(body, fds), fds)

    def send_encoded(self, frame: bytes, fds: Sequence[int] = ()) -> None:
        """Send what `frames.encode` has made of a body and these descriptors, as `send` does."""
        if self._closed:
            return
        try:
            self._sender.send_encoded(frame, fds)
        except SendError as error:
            self.close(str(error))
            return
        self._arm()

    @property
    def behind(self) -> bool:
        """Whether frames wait because the peer does not read."""
        return self._sender.behind

    def close(self, reason: str = "closed here") -> None:
        """Close the socket and tell the owner."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self.sock.fileno())
        self._loop.remove_writer(self.sock.fileno())
        if self._pause:
            self._pause.cancel()
        self.sock.close()
        self._receiver.close()
        self._sender.close()
        self._on_close(reason)

    def receive(self) -> None:
        """Read once of what has arrived, without waiting."""
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
        self._pause = None
        try:
            self._sender.flush()
        except SendError as error:
            self.close(str(error))
            return
        self._arm()

    def _arm(self) -> None:
        """See to it that what waits is tried again."""
        if self._sender.wants_to_write:
            self._loop.add_writer(self.sock.fileno(), self._flush)
            return
        self._loop.remove_writer(self.sock.fileno())
        if self._sender.starved and self._pause is None:
            self._pause = self._loop.call_later(PAUSE_S, self._flush)
