"""An answer on its way to a client: its head, how its body is framed, and what the client has yet to take.

The loop's. What is cut short is never made to look whole: a body that ends before its time ends with a reset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Optional, Sequence, Tuple

from ..front.connection import CLOSED
from ..front.output import DONT_WAIT, Output
from ..originals import select
from ..protocol.responses import BODILESS, CHUNKED, NO_BODY, UNTIL_CLOSE, WITH_LENGTH
from . import pages
from .upload import Upload

if TYPE_CHECKING:
    from .client import ClientConnection
    from .loop import Loop
    from .request import Request

Fields = List[Tuple[str, str]]
UNSENT = -1
GONE = select.EPOLLHUP | select.EPOLLERR
_READ_EVENTS = select.EPOLLIN | select.EPOLLRDHUP


class Reply:
    """The base of all that answers. `owned` and `deadline_ns` are for front.deadlines.Deadlines."""

    __slots__ = (
        "_pending",
        "body_bytes",
        "client",
        "deadline_ns",
        "ended",
        "framing",
        "keep",
        "left",
        "loop",
        "request",
        "status",
        "upload",
        "whole",
    )
    owned = False

    def __init__(self, loop: "Loop", client: "ClientConnection", request: "Request", upload: Optional[Upload]) -> None:
        head = request.head
        self.loop = loop
        self.client = client
        self.request = request
        self.deadline_ns = 0
        self.status = 0
        self.framing = UNSENT
        self.left = 0  # bytes of the body that are due by Content-Length
        self.body_bytes = 0  # … that were given to the client
        self.keep = head.keep_alive
        self.ended = False  # nothing is to be done for it any more
        self.whole = False  # it was given as a whole, though the client may have to take some of it yet
        self._pending = b""  # the head, until the first bytes of the body are there
        self.upload = upload  # what the client has yet to send of the body

    # The answer

    def begin(self, status: int, reason: str, fields: Fields, length: Optional[int]) -> None:
        """Decide how the answer is framed; its head leaves with what comes first of its body, or with its end."""
        loop, head = self.loop, self.request.head
        self.status = status
        lines = ["HTTP/1.1 %d %s\r\n" % (status, reason)]
        lines += ["%s: %s\r\n" % field for field in fields]
        lines += self.request.own_fields
        if head.method == "HEAD" or status in BODILESS:
            self.framing = NO_BODY
            if length is not None and status != 204:  # RFC 9110 section 8.6
                lines.append("Content-Length: %d\r\n" % length)
        elif length is not None:
            self.framing = WITH_LENGTH
            self.left = length
            lines.append("Content-Length: %d\r\n" % length)
        elif head.is_http_1_1:
            self.framing = CHUNKED
            lines.append("Transfer-Encoding: chunked\r\n")
        else:
            self.framing = UNTIL_CLOSE
            self.keep = False
        if self.keep and not loop.may_keep(self.upload):
            self.keep = False
        if not self.keep:
            lines.append("Connection: close\r\n")
        elif not head.is_http_1_1:
            lines.append("Connection: keep-alive\r\n")
        lines.append("\r\n")
        self._pending = "".join(lines).encode("latin-1")

    def give(self, block: bytes, last: bool = False) -> None:
        """Give a part of the body to the client; `last`: all of it. Raises OSError when the client is gone."""
        framing = self.framing
        if framing == WITH_LENGTH:
            if len(block) > self.left:
                block = block[: self.left]
            self.left -= len(block)
        elif framing == NO_BODY:
            block = b""
        self.body_bytes += len(block)
        if framing == CHUNKED:
            if block:
                block = (
                    b"%x\r\n%b\r\n0\r\n\r\n" % (len(block), block) if last else b"%x\r\n%b\r\n" % (len(block), block)
                )
            elif last:
                block = b"0\r\n\r\n"
        if self._pending:
            block, self._pending = self._pending + block, b""
            if last and self.keep and self.client.output is None:
                self._post(block)
                return
        if block:
            self.send(block)
        if last:
            self.finish()

    def send(self, data: bytes) -> None:
        """Send bytes, and leave to the loop what the client does not take now. Raises OSError when it is gone."""
        client = self.client
        output = client.output
        sent = 0
        if output is None:
            try:
                sent = client.sock.send(data, DONT_WAIT)
            except BlockingIOError:
                sent = 0
            if sent == len(data):
                return
            client.output = output = Output()
            output.append(memoryview(data)[sent:])
            self.loop.connections.watch_output(client)
        else:
            output.append(memoryview(data))

    def answer(self, status: int, reason: str, fields: Fields, body: bytes) -> None:
        """Answer as a whole."""
        self.begin(status, reason, [*self.loop.own_fields(), *fields], len(body))
        try:
            self.give(body, True)
        except OSError as error:
            self.lost(str(error))

    def page(self, status: int, fields: Sequence[Tuple[str, str]] = ()) -> None:
        """Answer with the site's page for a status, or a line of text."""
        request = self.request
        reason = pages.REASONS.get(status, "Error")
        found, body = pages.page(request.match.site, status, reason, request.facts.request_id)
        found = [field for field in found if field[0] != "Content-Length"]  # which `begin` gives
        self.answer(status, reason, [*found, *fields], body)

    # Its end

    def _post(self, data: bytes) -> None:
        """Leave a whole answer, behind which the connection goes on, to the outbox."""
        client, loop = self.client, self.loop
        client.answer = data
        self.whole = True
        self._end()
        client.body = b""
        loop.poller.outbox.post(client)
        client.owned = False
        if client.data or client.more:
            loop.poller.ready.append((client, 0))

    def finish(self) -> None:
        """The answer is complete."""
        client, loop = self.client, self.loop
        connections = loop.connections
        self.whole = True
        self._end()
        client.owned = False
        client.body = b""
        if connections.left_over(client, self.keep):
            return
        if not self.keep:
            connections.linger(client)
            return
        connections.kept(client, loop.now_ns)
        if client.data or client.more:
            loop.poller.ready.append((client, 0))

    def cut(self, reason: str, level: str = "warning") -> None:
        """End the connection within the answer, so that the client sees that it is not whole."""
        self._log(level, reason)
        client, connections = self.client, self.loop.connections
        self._end()
        client.owned = False
        connections.count_aborted()
        connections.abort(client)

    def lost(self, reason: str) -> None:
        """The client is gone."""
        if self.client.state != CLOSED:
            self.cut("the client is gone: %s" % reason, "info")

    def _end(self) -> None:
        if not self.ended:
            self.ended = True
            self.deadline_ns = 0
            self.release()
            self.loop.leave(self)

    def release(self) -> None:
        """Let go of what the answer was made of."""

    def _log(self, level: str, text: str) -> None:
        self.loop.connections.log_request(self.request.head, self.client, level, text)

    # Events of the client

    def heard(self, flags: int) -> None:
        """Take an event of the client's socket."""
        client = self.client
        if flags & GONE:
            self.lost("it has closed the connection")
            return
        if flags & select.EPOLLOUT and client.output is not None:
            try:
                client.output.flush(client.sock)
            except OSError as error:
                self.lost(str(error))
                return
            if not client.output.size:
                self.loop.connections.flushed_early(client)
        if flags & _READ_EVENTS:
            client.more = True
            if flags & select.EPOLLRDHUP:
                client.gone = True
        self.went_on(flags)

    def went_on(self, flags: int) -> None:
        """The client has sent or taken something."""

    def overdue(self) -> None:
        """What was waited for has not come in time."""

    def told(self, flags: int) -> None:
        """Take an event of a descriptor that is watched for this."""

    def figures(self) -> Tuple[int, int, int]:
        """Return for how long it was queued, answered and sent, in nanoseconds."""
        return 0, 0, self.loop.now_ns - self.request.began_ns
