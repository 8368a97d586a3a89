"""From received bytes to a complete request, without a system call.

Runs in the thread that owns the connection. A request is complete when a request thread may have it: its head is
whole, and its body too if that is short; a long body, or one whose sender waits for 100 (Continue), is read by the
request thread as the application asks for it.
"""

from __future__ import annotations

from ..protocol import heads, limits, uwsgi
from ..protocol.chunked import ChunkedDecoder
from ..protocol.errors import ProtocolError
from ..protocol.limits import BUFFERED_BODY_BYTES, Limits
from ..protocol.scanner import Scanner
from ..wire.spec import Serving
from .connection import BODY, RUNNING, Connection


class Intake:
    """`advance` takes from a connection's data what makes the next request."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits  # of heads
        self._body_limit = 0  # bytes of a body of either coding; 0: none
        self.collected_bytes = BUFFERED_BODY_BYTES  # a body up to this size is received before its request is
        self._streams = False  # chunked bodies are the request thread's from their first byte on

    def tune(self, settings: Serving) -> None:
        """Take over settings, for what has yet to come."""
        self.limits = _limits(settings)
        self._body_limit = settings.limit_request_body
        self._streams = settings.chunked_bodies == "stream"

    def advance(self, connection: Connection) -> bool:
        """Tell whether the next request is complete now. Raises ProtocolError."""
        data = connection.data
        if connection.state == BODY:
            return self._body(connection)
        if connection.scanner is None:
            if not data:
                return False
            if data[0] == uwsgi.FIRST_BYTE and not connection.begun and not connection.empty_lines:
                return self._packet(connection)
            if data[0] == 13:
                data = self._skip_empty_lines(connection)
                if data in (b"", b"\r"):
                    return False
            end = data.find(b"\r\n\r\n") + 4
            if end < 4:
                connection.scanner = Scanner(self.limits)
        if connection.scanner is not None:
            end = connection.scanner.feed(data)
            if not end:
                return False
            connection.scanner = None
        if end == len(data):
            connection.data = b""
        else:
            connection.data = data[end:]
            data = data[:end]
        connection.begun = True
        connection.empty_lines = 0
        return self._begin(connection, heads.parse(data, connection.base, connection.keys, self.limits))

    @staticmethod
    def _skip_empty_lines(connection: Connection) -> bytes:
        data = connection.data
        while data.startswith(b"\r\n"):
            data = data[2:]
            connection.empty_lines += 1
            if connection.empty_lines > limits.EMPTY_LINES:
                raise ProtocolError(400, "there are empty lines instead of a request line")
        connection.data = data
        return data

    def _packet(self, connection: Connection) -> bool:
        data = connection.data
        size = uwsgi.size_of(data)
        if not size or len(data) < size:
            return False
        connection.is_uwsgi = connection.begun = True
        if len(data) == size:
            connection.data = b""
        else:
            connection.data = data[size:]
            data = data[:size]
        return self._begin(connection, uwsgi.parse(data, connection.base, connection.trusted, self.limits))

    def _begin(self, connection: Connection, head: heads.Head) -> bool:
        connection.head = head
        connection.decoder = None
        if not head.length and not head.chunked:
            connection.body = b""
            connection.to(RUNNING)
            return True
        if 0 < self._body_limit < head.length:
            raise self._too_long()
        connection.received_bytes = connection.since_ns = 0
        connection.body = b""
        if head.chunked:
            connection.decoder = ChunkedDecoder()
        connection.to(BODY)
        return self._body(connection)

    def _too_long(self) -> ProtocolError:
        return ProtocolError(413, "the body is longer than %d bytes (limit-request-body)" % self._body_limit)

    def _body(self, connection: Connection) -> bool:
        head, decoder, data = connection.head, connection.decoder, connection.data
        assert head is not None
        if decoder is not None:
            connection.received_bytes += len(data)
            connection.data = b""
            connection.body += decoder.feed(data)
            if 0 < self._body_limit < len(connection.body):
                raise self._too_long()
            if decoder.complete:
                connection.data = decoder.rest
                connection.decoder = None
            elif len(connection.body) <= self.collected_bytes and not head.expects and not self._streams:
                return False
        elif head.length <= self.collected_bytes and len(data) < head.length and not head.expects:
            connection.received_bytes = len(data)
            return False
        else:
            connection.body = data[: head.length]
            connection.data = data[head.length :]
        connection.to(RUNNING)
        return True


def _limits(settings: Serving) -> Limits:
    """Return the limits of heads."""
    return Limits(settings.limit_request_line, settings.limit_request_field_size, settings.limit_request_fields)
