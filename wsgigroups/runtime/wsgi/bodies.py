"""wsgi.input: a body that is here already, none at all, or one that is still arriving.

Runs in the request thread that owns the connection. A body that ends early, is malformed or comes too slowly raises
from `read`, again at each call, and the request's answer is discarded: nothing short ever looks whole.
"""

from __future__ import annotations

import io
from typing import Any, Callable, Optional

from ..front.connection import Connection
from ..front.output import DONT_WAIT
from ..front.timing import BODY_GRACE_NS, BODY_RATE_BYTES, SECOND_NS
from ..originals import select, socket
from ..protocol.chunked import ChunkedDecoder
from ..protocol.errors import ProtocolError

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_READ_BYTES = 262144


class BodyError(OSError):
    """The rest of the request's body cannot be had."""


class EmptyBody(io.BufferedIOBase):
    """The input of every request without a body; it has no state, so all requests share one."""

    def read(self, size: Optional[int] = -1) -> bytes:
        """Return b"", the end."""
        return b""

    def close(self) -> None:
        """Stay open: it is others' input, too."""


class ArrivingBody(io.RawIOBase):
    """A body read from the socket as the application asks for it; io.BufferedReader gives it the rest of a file's ways.

    Raises BodyError.
    """

    def __init__(
        self, connection: Connection, timeout_s: float, expects: bool, clock: Callable[[], int], limit: int = 0
    ) -> None:
        """timeout_s: of silence; limit: of the bytes of a chunked body, which says no length; 0: none, for both."""
        head = connection.head
        assert head is not None
        self._connection = connection
        self._timeout_s = timeout_s
        self._expects = expects
        self._clock = clock
        self._decoder: Optional[ChunkedDecoder] = connection.decoder
        self._buffer = connection.body  # received and not yet read
        self._position = 0  # in the buffer
        self._left = head.length - len(connection.body)  # still to come; not known for a chunked body
        self._limit = limit
        self._decoded_bytes = len(connection.body)
        self._waited_ns = 0  # for the client; what the application does between two reads is not the client's time
        self.answer_began = False  # set by the exchange when a byte of the answer leaves
        self.received_bytes = len(connection.body)
        self.error: Optional[ProtocolError] = None  # why there is no more; its status is the answer that is due

    @property
    def complete(self) -> bool:
        """Whether the whole body has arrived, read or not."""
        return self._left == 0 if self._decoder is None else self._decoder.complete

    @property
    def whole(self) -> bool:
        """Whether the connection may be kept after it: it has come to its end, and nothing was wrong with it."""
        return self.complete and self.error is None

    def readable(self) -> bool:
        """Return True; io.BufferedReader asks."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Put into a buffer of bytes what has come, at least one; return how many, 0 at the end."""
        while self._position == len(self._buffer):
            if self.error is not None:
                raise BodyError("cannot read the rest of the request's body: %s" % self.error.reason)
            if self.complete:
                return 0
            try:
                self._receive()
            except ProtocolError as error:
                self.error = error
        block = self._buffer[self._position : self._position + len(buffer)]
        buffer[: len(block)] = block
        self._position += len(block)
        return len(block)

    def readall(self) -> bytes:
        """Return all that is left."""
        return b"".join(iter(lambda: self.read(_READ_BYTES) or b"", b""))

    def _receive(self) -> None:
        """One read from the socket. Raises ProtocolError with the status that is due."""
        if self._expects:
            self._expects = False
            if not self.answer_began:  # in the middle of the answer it would be part of it; a final status says enough
                self._invite()
        sock = self._connection.sock
        wanted = _READ_BYTES if self._decoder is not None else min(_READ_BYTES, self._left)
        try:
            data = sock.recv(wanted, socket.MSG_DONTWAIT)
        except BlockingIOError:
            self._wait()
            return
        except OSError as error:
            raise ProtocolError(0, "the client is gone (%s)" % error) from None
        if not data:
            raise ProtocolError(0, "the client closed the connection in the middle of it")
        self.received_bytes += len(data)
        if self._decoder is None:
            self._left -= len(data)
            self._buffer, self._position = data, 0
            return
        self._buffer, self._position = self._decoder.feed(data), 0
        if self._decoder.complete:
            self._connection.data = self._decoder.rest
        self._decoded_bytes += len(self._buffer)
        if 0 < self._limit < self._decoded_bytes:
            self._buffer = b""
            raise ProtocolError(413, "it is longer than %d bytes (limit-request-body)" % self._limit)

    def _wait(self) -> None:
        """Wait for the client. Raises ProtocolError(408)."""
        allowed_ns = max(BODY_GRACE_NS, self.received_bytes * SECOND_NS // BODY_RATE_BYTES) - self._waited_ns
        if self._timeout_s:
            allowed_ns = min(allowed_ns, int(self._timeout_s * SECOND_NS))
        poller = select.poll()
        poller.register(self._connection.fd, select.POLLIN)
        began_ns = self._clock()
        ready = poller.poll(max(1, allowed_ns // 1_000_000))
        waited_ns = self._clock() - began_ns
        self._waited_ns += waited_ns
        if not ready and waited_ns >= allowed_ns:
            raise ProtocolError(408, "it came too slowly, or socket-timeout is over")

    def _invite(self) -> None:
        """Tell the client that its body is wanted (RFC 9110 section 10.1.1)."""
        try:
            self._connection.sock.send(_CONTINUE, DONT_WAIT)
        except OSError as error:  # 25 bytes on an empty socket fail only when the client is gone
            raise ProtocolError(0, "the client is gone (%s)" % error) from None


EMPTY_BODY = EmptyBody()
