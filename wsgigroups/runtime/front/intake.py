"""From received bytes to a complete request, without a system call.

Runs in the thread that owns the connection. A request is complete when a request thread may have it: its head is
whole, and its body too if that is short; a long body, or one whose sender waits for 100 (Continue), is read by the
request thread as the application asks for it.
"""

from __future__ import annotations

from ..protocol import heads, limits, uwsgi
from ..protocol.chunked import ChunkedDecoder
from ..protocol.engines import Engine
from ..protocol.errors import ProtocolError
from ..protocol.openings import Openings
from ..protocol.scanner import Scanner
from .connection import BODY, RECEIVE_BYTES, RUNNING, Connection

# A client whose head is short is read from with a buffer that Python's own allocator serves (pymalloc: 512 bytes, 33 of
# them the object's): a larger one is asked of malloc and given back for each request. A head may become a little longer
# without a second read.
_SHORT_BYTES = 479
_SHORT_HEAD = _SHORT_BYTES - 31


class Intake:
    """`advance` takes from a connection's data what makes the next request."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.body_limit = 0  # bytes of a body of either coding; 0: none
        self.streams = False  # chunked bodies are the request thread's from their first byte on
        self._openings = Openings(), Openings()  # of strangers and of trusted peers, whose fields mean more

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
                connection.scanner = Scanner()
        if connection.scanner is not None:
            end = connection.scanner.feed(data)
            if not end:
                return False
            connection.scanner = None
        if end == len(data):
            connection.data = b""
            if connection.begun:
                head = heads.parse(data, connection.base, connection.keys, self._engine, connection.memory)
            else:
                head = self._open(connection, data)
        else:
            connection.data = data[end:]
            head = heads.parse(data[:end], connection.base, connection.keys, self._engine, connection.memory)
        return self._begin(connection, head)

    def _open(self, connection: Connection, data: bytes) -> heads.Head:
        """Parse the first head of a connection, unless other connections began with the same bytes."""
        openings = self._openings[connection.trusted]
        head = openings.find(data, connection.base)
        if head is None:
            head = heads.parse(data, connection.base, connection.keys, self._engine, connection.memory)
            openings.learn(data, connection.base, head)
        return head

    @staticmethod
    def _skip_empty_lines(connection: Connection) -> bytes:
        data = connection.data
        while data.startswith(b"\r\n"):
            data = data[2:]
            connection.empty_lines += 1
            connection.memory.bytes = b""  # the short way, in `Poller._hear`, counts no lines
            if connection.empty_lines > limits.EMPTY_LINES:
                raise ProtocolError(400, "there are empty lines instead of a request line")
        connection.data = data
        return data

    def _packet(self, connection: Connection) -> bool:
        data = connection.data
        size = uwsgi.size_of(data)
        if not size or len(data) < size:
            return False
        connection.is_uwsgi = True
        connection.data = data[size:]
        return self._begin(connection, uwsgi.parse(data[:size], connection.base, connection.trusted))

    def _begin(self, connection: Connection, head: heads.Head) -> bool:
        connection.head = head
        connection.begun = True
        connection.decoder = None
        connection.empty_lines = 0
        if not head.length and not head.chunked:
            connection.body = b""
            connection.state = RUNNING
            connection.expected = _SHORT_BYTES if 0 < len(connection.memory.bytes) <= _SHORT_HEAD else RECEIVE_BYTES
            return True
        if 0 < self.body_limit < head.length:
            raise ProtocolError(413, "the body is longer than %d bytes (limit-request-body)" % self.body_limit)
        connection.expected = RECEIVE_BYTES
        connection.received_bytes = connection.since_ns = 0
        connection.body = b""
        if head.chunked:
            connection.decoder = ChunkedDecoder()
        connection.state = BODY
        return self._body(connection)

    def _body(self, connection: Connection) -> bool:
        head, decoder, data = connection.head, connection.decoder, connection.data
        assert head is not None
        if decoder is not None:
            connection.received_bytes += len(data)
            connection.data = b""
            connection.body += decoder.feed(data)
            if 0 < self.body_limit < len(connection.body):
                raise ProtocolError(413, "the body is longer than %d bytes (limit-request-body)" % self.body_limit)
            short = len(connection.body) <= limits.BUFFERED_BODY_BYTES and not head.expects and not self.streams
            if decoder.complete:
                connection.data = decoder.rest
                connection.decoder = None
                if short:  # a longer one gets them when it is collected
                    head.environ["CONTENT_LENGTH"] = str(len(connection.body))
                    del head.environ["HTTP_TRANSFER_ENCODING"]
            elif short:
                return False
        elif head.length <= limits.BUFFERED_BODY_BYTES and len(data) < head.length and not head.expects:
            connection.received_bytes = len(data)
            return False
        else:
            connection.body = data[: head.length]
            connection.data = data[head.length :]
        connection.state = RUNNING
        return True
