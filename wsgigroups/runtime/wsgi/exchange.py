"""One request and its answer: start_response, write, and how the body is framed.

Made for one request, used by one request thread. Must never let an answer that was cut short look whole: a body that
ends before its Content-Length, or an exception after the head has left, makes `finish` or the caller abort.
"""

from __future__ import annotations

from typing import Any, Callable, List, Optional, Tuple

from ..front.answering import Front
from ..front.connection import Connection
from ..front.output import DONT_WAIT
from ..originals import socket
from ..protocol import request_ids, responses
from ..protocol.heads import Head
from ..protocol.preparing import dropped
from ..protocol.responses import UNPREPARED
from .bodies import ArrivingBody
from .delivery import Delivery

UNSENT = -1
_LAST_CHUNK = b"0\r\n\r\n"
YIELDED = "the iterable must yield bytes, not %s"
_MOST_SAID = 256  # pairs of application and name; SCRIPT_NAME may be a client's to choose
_WITH_END = DONT_WAIT | socket.MSG_MORE


class Exchange(Delivery):
    """`start_response` is given to the application, and returns this, the write() callable. Made by `begin`."""

    __slots__ = ("body", "ended", "framing", "keep", "left", "prepared")

    body: Optional[ArrivingBody]  # None: all of it had arrived before
    prepared: responses.Prepared  # UNPREPARED before start_response
    framing: int  # one of `responses`; UNSENT while no byte of the answer has left
    left: int  # bytes still due by Content-Length; -1: no such promise; only once the framing is decided
    keep: bool  # whether the connection may be kept
    ended: bool  # nothing may be sent any more

    # For the application

    def start_response(self, status: str, headers: List[Tuple[str, str]], exc_info: Any = None) -> Callable[..., None]:
        """PEP 3333, "The start_response() Callable". Raises TypeError, ValueError, RuntimeError, FieldTooLargeError."""
        if self.ended:
            raise RuntimeError("start_response was called after the request had ended")
        if exc_info is not None:
            if not isinstance(exc_info, tuple) or len(exc_info) != 3:
                raise TypeError("exc_info must be a tuple as sys.exc_info() gives, not %s" % type(exc_info).__name__)
            if self.framing != UNSENT:
                try:
                    raise exc_info[1].with_traceback(exc_info[2])
                finally:
                    exc_info = None  # break the cycle through this frame
        elif self.prepared is not UNPREPARED:
            raise RuntimeError("start_response was called again without exc_info")
        self.prepared = prepared = self.front.preparer.prepare(status, headers)
        if prepared.own & responses.DROPPED:
            self._warn_of_dropped(headers)
        return self  # a method of it would be made for each request, and most let it go

    def __call__(self, block: bytes) -> None:
        """PEP 3333, "The write() Callable". Raises TypeError, RuntimeError, ClientGoneError."""
        if type(block) is not bytes:
            block = plain(block, "write() takes bytes, not %s")
        if self.ended:
            raise RuntimeError("write() was called after the request had ended")
        if block:
            self.send_block(block)

    def _warn_of_dropped(self, headers: List[Tuple[str, str]]) -> None:
        """Say once for each application and name that it is of no use."""
        application, said = str(self.head.environ.get("SCRIPT_NAME", "")) or "/", self.front.dropped
        for name in dropped(headers):
            key = application, name.lower()
            if key not in said and len(said) < _MOST_SAID:
                said.add(key)
                text = (
                    "the application at %s sets %s, which belongs to the server (PEP 3333): dropped, and not said again"
                )
                self.log("warning", text % (application, name))

    # For the caller

    def compose(self, known: Optional[int]) -> bytes:
        """Decide the framing and return the head. Raises RuntimeError when start_response was not called."""
        prepared = self.prepared
        if prepared is UNPREPARED:
            raise RuntimeError("the application did not call start_response")
        front = self.front
        body = self.body
        if body is not None:
            body.answer_began = True
        if not front.keeps or (body is not None and not body.whole):
            self.keep = False  # what is left of an unread body must not be taken for a request
        elif front.surplus and self.keep:
            front.surplus -= 1
            self.keep = False
        own, date = front.dates.lines
        if front.tells_ids and not prepared.own & responses.IDENTIFIED:
            prepared.lines = [*prepared.lines, request_ids.line_of(self.head)]
        data, self.framing, self.keep = responses.compose(
            prepared, self.head.is_http_1_1, self.keep, self.head.method == "HEAD", known, own, date
        )
        self.left = -1
        if self.framing == responses.WITH_LENGTH:
            length = prepared.length if prepared.length is not None else known
            self.left = -1 if length is None else length
        self.framed_bytes += len(data)
        return data

    def whole(self, block: bytes) -> Tuple[bytes, bytes]:
        """Return head and body of an answer that has one block."""
        if type(block) is not bytes:
            block = plain(block, YIELDED)
        head = self.compose(len(block))
        return head, b"" if self.framing == responses.NO_BODY else self._within_length(block)

    def send_block(self, block: bytes) -> None:
        """Send a block of the body, and the head before the first one."""
        head = self.compose(None) if self.framing == UNSENT else b""
        if self.framing == responses.CHUNKED:
            start = b"%x\r\n" % len(block)
            self.framed_bytes += len(start) + 2
            if len(block) <= responses.SHORT_BYTES:
                block = b"%b%b\r\n" % (start, block)
            else:
                self.send(head + start)
                self.send(block)
                head, block = b"", b"\r\n"
        elif self.framing == responses.NO_BODY:
            block = b""
        elif self.left >= 0:
            block = self._within_length(block)
        self.send_with_head(head, block)

    def send_file(self, fd: int, offset: int, length: int) -> None:
        """Send a region of a file without reading it; the head has not left yet. Raises OSError of the file."""
        self.send(self.compose(length))
        if self.framing != responses.NO_BODY:
            # Where the file has become shorter, `left` says what is missing.
            sent = self.send_region(fd, offset, min(length, self.left) if self.left >= 0 else length)
            if self.left >= 0:
                self.left -= sent

    def finish(self) -> bool:
        """Everything was produced: send what completes the answer; False when it cannot be made complete."""
        if self.framing == UNSENT:
            self.send(self.compose(0))
        elif self.framing == responses.CHUNKED:
            self.framed_bytes += len(_LAST_CHUNK)
            self.send(_LAST_CHUNK)
        return self.left <= 0

    def _within_length(self, block: bytes) -> bytes:
        if len(block) > self.left:
            self.log("warning", "the body is longer than its Content-Length: what is beyond it was dropped")
            block = block[: self.left]
        self.left -= len(block)
        return block

    def send_with_head(self, head: bytes, block: bytes) -> None:
        """Send a block, behind the head if that has not left yet."""
        if len(block) <= responses.SHORT_BYTES:
            head, block = head + block, b""
        if head:
            self.send(head)
        if block:
            self.send(block)

    @property
    def closes(self) -> bool:
        """Whether the connection ends with the answer, and the client knows and has sent all it wanted to."""
        return not (self.keep or self.head.keep_alive or self.connection.data or self.body is not None)

    def send_one(self, head: bytes, block: bytes, brief: bool) -> None:
        """Send the head and the only block.

        brief: calls are, and nothing contends, so that a close follows at once; the end of the stream leaves with
        the answer then, in one segment, instead of after it (MSG_MORE, tcp(7)).
        """
        if brief and len(block) <= responses.SHORT_BYTES and self.closes:
            self.send(head + block, _WITH_END)
        else:
            self.send_with_head(head, block)


def plain(block: Any, complaint: str) -> bytes:
    """Return what a subclass of bytes holds, whatever its methods say. Raises TypeError for anything else."""
    if not isinstance(block, bytes):
        raise TypeError(complaint % type(block).__name__)
    return b"".join((block,))


_new = Exchange.__new__


def begin(front: Front, connection: Connection, head: Head, body: Optional[ArrivingBody]) -> Exchange:
    """Return the exchange of a request. A function: before Python 3.13, to call the class takes twice the time."""
    exchange = _new(Exchange)
    exchange.front = front
    exchange.connection = connection
    exchange.head = head
    exchange.body = body
    exchange.prepared = UNPREPARED
    exchange.framing = UNSENT
    exchange.keep = head.keep_alive
    exchange.sent_bytes = exchange.framed_bytes = exchange.stalled_ns = 0
    exchange.gone = exchange.ended = False
    return exchange
