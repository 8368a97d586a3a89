"""One request and its answer: start_response, write, and every block of the body on its way to the client.

Made for one request, used by one request thread. Must never let an answer that was cut short look whole: a body that
ends before its Content-Length, or an exception after the head has left, makes `finish` or the caller abort.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from typing import Any, Callable, List, Optional, Tuple

from ..front.answering import Front
from ..front.connection import Connection
from ..front.output import DONT_WAIT, Output
from ..protocol import responses
from ..protocol.heads import Head
from ..protocol.responses import UNPREPARED
from .bodies import ArrivingBody

_UNSENT = -1
_WITH_END = DONT_WAIT | socket.MSG_MORE
_SENDFILE_BYTES = 1 << 30
_OF_THE_FILE = frozenset((errno.EBADF, errno.EINVAL, errno.EIO, errno.EOVERFLOW, errno.ENOMEM))  # sendfile(2), "ERRORS"


class ClientGoneError(OSError):
    """The client has closed the connection, or has taken nothing for response-socket-timeout."""


class Exchange:
    """`start_response` is given to the application, and returns this, the write() callable. Made by `begin`.

    The caller uses the rest.
    """

    __slots__ = (
        "_front",
        "body",
        "connection",
        "ended",
        "framing",
        "gone",
        "head",
        "keep",
        "left",
        "prepared",
        "sent_bytes",
    )

    _front: Front
    connection: Connection
    head: Head
    body: Optional[ArrivingBody]  # None: all of it had arrived before
    prepared: responses.Prepared  # UNPREPARED before start_response
    framing: int
    left: int  # bytes still due by Content-Length; -1: no such promise; only once the framing is decided
    keep: bool  # whether the connection may be kept
    sent_bytes: int
    gone: bool  # the client has left
    ended: bool  # nothing may be sent any more

    # For the application

    def start_response(self, status: str, headers: List[Tuple[str, str]], exc_info: Any = None) -> Callable[..., None]:
        """PEP 3333, "The start_response() Callable". Raises TypeError, ValueError, RuntimeError, FieldTooLargeError."""
        if self.ended:
            raise RuntimeError("start_response was called after the request had ended")
        if exc_info is not None:
            if self.framing != _UNSENT:
                try:
                    raise exc_info[1].with_traceback(exc_info[2])
                finally:
                    exc_info = None  # break the cycle through this frame
        elif self.prepared is not UNPREPARED:
            raise RuntimeError("start_response was called again without exc_info")
        preparer = self._front.preparer
        last_status, last_headers, last = preparer.last
        if status == last_status and headers == last_headers and type(headers) is list:
            self.prepared = last
        else:
            self.prepared = preparer.prepare(status, headers)
        return self  # a method of it would be made for each request, and most let it go

    def __call__(self, block: bytes) -> None:
        """PEP 3333, "The write() Callable". Raises TypeError, RuntimeError, ClientGoneError."""
        if type(block) is not bytes:
            raise TypeError("write() takes bytes, not %s" % type(block).__name__)
        if self.ended:
            raise RuntimeError("write() was called after the request had ended")
        if block:
            self.send_block(block)

    # For the caller

    def compose(self, known: Optional[int]) -> bytes:
        """Decide the framing and return the head. Raises RuntimeError when start_response was not called."""
        prepared = self.prepared
        if prepared is UNPREPARED:
            raise RuntimeError("the application did not call start_response")
        front = self._front
        body = self.body
        if body is not None:
            body.answer_began = True
        if not front.keeps or (body is not None and not body.complete):
            self.keep = False  # what is left of an unread body must not be taken for a request
        elif front.surplus and self.keep:
            front.surplus -= 1
            self.keep = False
        own, date = front.dates.lines
        data, self.framing, self.keep = responses.compose(
            prepared, self.head.is_http_1_1, self.keep, self.head.method == "HEAD", known, own, date
        )
        self.left = -1
        if self.framing == responses.WITH_LENGTH:
            length = prepared.length if prepared.length is not None else known
            self.left = -1 if length is None else length
        return data

    def ordinary(self, block: Any) -> bytes:
        """Return the whole answer, if it is as most are: one short block with its length, on a kept connection.

        Else b"". Nothing is changed by it, and `whole` comes to the same for these.
        """
        prepared, front = self.prepared, self._front
        if (
            type(block) is bytes
            and prepared.short == len(block)
            and self.framing == _UNSENT
            and self.body is None
            and self.head.ordinary
            and front.keeps
            and not front.surplus
        ):
            own = front.dates.lines[0]
            made_of, head = prepared.last  # what `Prepared.head` would find, without the call
            return (head if made_of is own else prepared.head(own)) + block
        return b""

    def whole(self, block: bytes) -> Tuple[bytes, bytes]:
        """Return head and body of an answer that has one block."""
        if type(block) is not bytes:
            raise TypeError("the iterable must yield bytes, not %s" % type(block).__name__)
        head = self.compose(len(block))
        if self.framing == responses.NO_BODY:
            block = b""
        elif self.left != len(block):
            block = self._within_length(block)
        else:
            self.left = 0
        return head, block

    def send_block(self, block: bytes) -> None:
        """Send a block of the body, and the head before the first one."""
        head = self.compose(None) if self.framing == _UNSENT else b""
        if self.framing == responses.CHUNKED:
            if len(block) <= responses.SHORT_BYTES:
                block = b"%x\r\n%b\r\n" % (len(block), block)
            else:
                self.send(head + b"%x\r\n" % len(block))
                self.send(block)
                head, block = b"", b"\r\n"
        elif self.framing == responses.NO_BODY:
            block = b""
        elif self.left >= 0:
            block = self._within_length(block)
        self.send_with_head(head, block)

    def send_file(self, fd: int, offset: int, length: int) -> None:
        """Send a region of a file without reading it; the head has not left yet. Raises OSError of the file."""
        head = self.compose(length)
        if self.framing == responses.NO_BODY:
            self.send(head)
            return
        self.send(head)
        count = min(length, self.left) if self.left >= 0 else length
        connection = self.connection
        sock_fd = connection.fd
        if not connection.watched:
            os.set_blocking(sock_fd, False)  # sendfile(2) has no flag for it
        while count:
            if connection.output is not None:
                self._drain(0)
            try:
                sent = os.sendfile(sock_fd, fd, offset, min(count, _SENDFILE_BYTES))
            except BlockingIOError:
                self._wait_writable()
                continue
            except OSError as error:
                if error.errno in _OF_THE_FILE:
                    raise
                raise self.lost(error) from None
            if not sent:
                break  # the file has become shorter: `finish` sees what is missing
            offset += sent
            count -= sent
            self.sent_bytes += sent
            if self.left >= 0:
                self.left -= sent

    def finish(self) -> bool:
        """Everything was produced: send what completes the answer; False when it cannot be made complete."""
        if self.framing == _UNSENT:
            self.send(self.compose(0))
        elif self.framing == responses.CHUNKED:
            self.send(b"0\r\n\r\n")
        return self.left <= 0

    def _within_length(self, block: bytes) -> bytes:
        if len(block) > self.left:
            self.log("warning", "the body is longer than its Content-Length: what is beyond it was dropped")
            block = block[: self.left]
        self.left -= len(block)
        return block

    def send_with_head(self, head: bytes, block: bytes) -> None:
        """Send a block, behind the head if that has not left yet."""
        if not head:
            if block:
                self.send(block)
        elif len(block) <= responses.SHORT_BYTES:
            self.send(head + block if block else head)
        else:
            self.send(head)
            self.send(block)

    @property
    def closes(self) -> bool:
        """Whether the connection ends with the answer, and the client knows and has sent all it wanted to."""
        return not (self.keep or self.head.keep_alive or self.connection.data or self.body is not None)

    def send_one(self, head: bytes, block: bytes, brief: bool) -> None:
        """Send the head and the only block.

        brief: calls are short and nothing contends, so that a close follows at once; the end of the stream leaves with
        the answer then, in one segment, instead of after it (MSG_MORE, tcp(7)).
        """
        if brief and len(block) <= responses.SHORT_BYTES and self.closes:
            self.send(head + block, _WITH_END)
        else:
            self.send_with_head(head, block)

    def send(self, data: bytes, flags: int = DONT_WAIT) -> None:
        """Give bytes to the client: to the socket, else to the poller, which has room for a little; else wait."""
        connection = self.connection
        if self.gone:
            raise ClientGoneError("the client is gone")
        sent = 0
        if connection.output is None:
            try:
                sent = connection.sock.send(data, flags)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                raise self.lost(error) from None
        self.sent_bytes += len(data)
        if sent < len(data):
            self._buffer(memoryview(data)[sent:])

    def _buffer(self, rest: memoryview) -> None:
        connection, front = self.connection, self._front
        output = connection.output
        if output is None:
            output = Output()
            output.append(rest)
            connection.output = output
            try:
                front.watch_output(connection)
            except OSError as error:
                raise self.lost(error) from None
        else:
            with output.lock:
                output.append(rest)
                # Not only at the next event: the socket may have taken all before, and then there is none.
                try:
                    output.flush(connection.sock)
                except OSError as error:
                    raise self.lost(error) from None
        limit = front.settings.response_buffer_size_bytes
        if limit and output.size > limit:
            self._drain(limit)

    def _drain(self, limit: int) -> None:
        """Wait until no more than `limit` bytes are waiting for the client. Raises ClientGoneError."""
        connection = self.connection
        output = connection.output
        while output is not None:
            before = output.size
            try:
                with output.lock:
                    output.flush(connection.sock)
            except OSError as error:
                raise self.lost(error) from None
            if output.size <= limit:
                break
            if not _writable(connection.fd, self._front.write_timeout_s) and output.size >= before:
                raise self._stalled()
        if not limit and output is not None:
            self._front.flushed_early(connection)

    def _wait_writable(self) -> None:
        if not _writable(self.connection.fd, self._front.write_timeout_s):
            raise self._stalled()

    def _stalled(self) -> ClientGoneError:
        reason = "it has taken nothing for %gs (response-socket-timeout): connection aborted"
        return self.lost(None, reason % self._front.write_timeout_s)

    def log(self, level: str, text: str) -> None:
        """Log with what was asked, and by whom."""
        self._front.log_request(self.head, self.connection, level, text)

    def lost(self, error: Optional[OSError], reason: str = "") -> ClientGoneError:
        """Note that nobody takes the rest; returns what to raise."""
        self.gone = True
        return ClientGoneError("the client is gone: %s" % (error if error is not None else reason))


_new = Exchange.__new__


def begin(front: Front, connection: Connection, head: Head, body: Optional[ArrivingBody]) -> Exchange:
    """Return the exchange of a request. A function: before Python 3.13, to call the class takes twice the time."""
    exchange = _new(Exchange)
    exchange._front = front
    exchange.connection = connection
    exchange.head = head
    exchange.body = body
    exchange.prepared = UNPREPARED
    exchange.framing = _UNSENT
    exchange.keep = head.keep_alive
    exchange.sent_bytes = 0
    exchange.gone = exchange.ended = False
    return exchange


def _writable(fd: int, timeout_s: float) -> bool:
    """Wait until the socket takes something; False when it did not in time (0: no limit)."""
    poller = select.poll()
    poller.register(fd, select.POLLOUT)
    return bool(poller.poll(timeout_s * 1000 if timeout_s else None))
