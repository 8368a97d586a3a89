"""One request whose answer comes from a daemon: the way back, what goes wrong on it, and how long each side may take.

The loop's; nothing here waits. An answer in HTTP comes back on the connection on which the request went (asking.py).
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Optional, Tuple

from ..front.timing import BODY_GRACE_NS, BODY_RATE_BYTES, SECOND_NS
from ..originals import select
from ..protocol.chunked import ChunkedDecoder
from ..protocol.errors import ProtocolError
from ..protocol.responses import WITH_LENGTH
from ..wire.rights import read_without_rights
from ..wire.routes import Link
from . import answers
from .asking import (
    AHEAD_BYTES,
    ANSWERING,
    CONNECTING,
    FOR_BODY,
    FOR_CLIENT,
    FOR_DAEMON,
    FOR_EITHER,
    READS,
    LinkRequest,
)
from .reply import UNSENT
from .upload import Upload

if TYPE_CHECKING:
    from .client import ClientConnection
    from .loop import Loop
    from .request import Request

_READ_BYTES = 65536
_REFUSALS = {  # of whoever answers on behalf of a group
    503: "no process of the group serves, or none has room",
    504: "a process of the group has given it up: queue-timeout, or request-timeout where it is interrupted",
}
STUCK_NS = 5 * SECOND_NS  # neither takes what the other sends: then the rest of the body is dropped


class Passage(LinkRequest):
    """`start` it, and give it the events of both sides."""

    __slots__ = ("_answer", "_data", "_decoder", "_due", "_head_ns", "_paused")

    def __init__(
        self, loop: "Loop", client: "ClientConnection", request: "Request", link: Link, upload: Optional[Upload]
    ) -> None:
        super().__init__(loop, client, request, link, upload)
        self._head_ns = 0  # when the head of the answer had come
        self._data = b""  # of a head that is not whole
        self._answer: Optional[answers.Answer] = None
        self._decoder: Optional[ChunkedDecoder] = None
        self._due = 0  # bytes of the answer's body that have yet to come; -1: its length is not known
        self._paused = False  # the client takes less than the daemon sends

    # From the daemon

    def told(self, flags: int) -> None:
        """Take an event of the link's socket."""
        if self._is_over():
            return
        if flags & select.EPOLLOUT and self._outgoing.size:
            if not self._push():
                return
            upload = self.upload
            if upload is not None and not upload.ended and self._outgoing.size <= AHEAD_BYTES:
                self._receive()
                if self._is_over():
                    return
        if flags & ~select.EPOLLOUT:
            self._readable = True
            self._read()
        else:
            self._arm()

    def _read(self) -> bool:
        """Read what the daemon has sent, as far as the client takes it; whether the request goes on."""
        for _ in range(READS):
            if self._paused or not self._readable or self._sock is None:
                break
            try:
                sock = self._sock
                data = read_without_rights(sock, _READ_BYTES) if self._peeks else sock.recv(_READ_BYTES)
            except BlockingIOError:
                self._readable = False
                break
            except OSError as error:
                self.broken(error)
                return False
            if not self._receives(data):
                return False
        else:
            if not self._paused:
                self.loop.again(self)
        self._arm()
        return True

    def _receives(self, data: bytes) -> bool:
        """Take what was read, b"" for the end; whether the request goes on."""
        if not data:
            self._link_ended("")
            return False
        try:
            self._take(data)
        except OSError as error:
            self.lost(str(error))
        self._look_at_the_client()
        return not self.ended

    def _look_at_the_client(self) -> None:
        """Pause if it has much to take."""
        limit, output = self.link.response_buffer_size_bytes, self.client.output
        if output is not None and limit and output.size > limit:
            self._paused = True

    def broken(self, error: OSError) -> None:
        """Take an error of reading: the link has ended."""
        if error.errno == errno.ECONNRESET and self._is_unread():
            self._ask_again()
        else:
            self._link_ended(error.strerror or str(error))

    # From the short way (short_way.py)

    def take_over(self, data: bytes) -> None:
        """Go on behind what was read of the link."""
        self._readable = True
        if self._receives(data):
            self._read()

    def go_on(self, status: int, length: int, there: int, data: bytes) -> None:
        """Go on within an answer. length: of its body, of which so many bytes are there; data: for the client."""
        self._answer = answers.Answer(status, "", 0)
        self._stage = ANSWERING
        self._head_ns = self.loop.now_ns
        self.status, self.framing, self.body_bytes = status, WITH_LENGTH, there
        self.left = self._due = length - there
        self._readable = True
        try:
            self.send(data)
        except OSError as error:
            self.lost(str(error))
            return
        self._look_at_the_client()
        self._read()

    def _take(self, data: bytes) -> None:
        """Take bytes of the answer. Raises OSError when the client is gone."""
        answer = self._answer
        if answer is None:
            searched = len(self._data)
            data = self._data + data if searched else data
            try:
                answer = answers.read(data, self.link.header_buffer_size_bytes, searched)
                while answer is not None and answer.status < 200:
                    _refuse_switch(answer)
                    data = data[answer.end :]
                    answer = answers.read(data, self.link.header_buffer_size_bytes)
            except answers.AnswerError as error:
                self.fail(error.status, error.reason, "error")
                return
            if answer is None:
                self._data = data
                return
            if answer.refused and answer.status in _REFUSALS:
                self.fail(answer.status, _REFUSALS[answer.status])
                return
            data = self._begin_answer(answer, data)
        if self._due >= 0:
            block = data if len(data) <= self._due else data[: self._due]
            self._due -= len(block)
            self.give(block, not self._due)
        elif self._decoder is not None:
            try:
                block = self._decoder.feed(data)
            except ProtocolError as error:
                self.cut("the answer of the daemon is malformed: %s" % error.reason)
                return
            if block or self._decoder.complete:
                self.give(block, self._decoder.complete)
            elif self._pending:
                self.flush_head()
        else:
            self.give(data)

    def _begin_answer(self, answer: answers.Answer, data: bytes) -> bytes:
        self._answer = answer
        self._data = b""
        self._stage = ANSWERING
        self._head_ns = self.loop.now_ns
        if not answer.has_body(self.request.head.method):
            self._due = 0
        elif answer.chunked:
            self._due = -1
            self._decoder = ChunkedDecoder()
        else:
            self._due = -1 if answer.length is None else answer.length
        self.begin(answer.status, answer.reason, answer.fields, answer.length)
        return data[answer.end :]

    def flush_head(self) -> None:
        """Send the head on, since its body may take long. Raises OSError."""
        if self._pending:
            head, self._pending = self._pending, b""
            self.send(head)

    def _is_unread(self) -> bool:
        """Tell whether a link that was reset carried a request of which nothing can have been executed.

        A UNIX socket ends with a reset if it is closed with something unread in it, or before it was accepted, and with
        an end of file otherwise (unix_release_sock of the kernel). Where all that was sent is the packet, its last byte
        is among that, and without it there is no request.
        """
        head = self.request.head
        return not (head.length or head.chunked or self._data or self._answer or self._retried)

    def _link_ended(self, reason: str) -> None:
        """There will be nothing more."""
        if self._answer is None:
            self.fail(502, "the daemon has closed the connection without an answer%s" % (reason and ": " + reason))
        elif self._due < 0 and self._decoder is None and not reason:
            try:
                self.give(b"", True)
            except OSError as error:
                self.lost(str(error))
        else:
            self.cut("the daemon has closed the connection within its answer%s" % (reason and ": " + reason))

    # What goes wrong

    def fail(self, status: int, reason: str, level: str = "warning") -> None:
        """Answer in the gateway's own name, or cut what has begun."""
        if self.ended:
            return
        if self.framing != UNSENT:
            self.cut(reason, level)
            return
        self._log(level, "%d: %s" % (status, reason))
        self._hang_up()
        self.page(status)

    def release(self) -> None:
        """Close the link."""
        self._hang_up()
        self._body = []
        self._outgoing.blocks.clear()
        self._outgoing.size = 0

    # Events of the client, and time

    def went_on(self, flags: int) -> None:
        """Go on with what the client has made possible."""
        limit, output = self.link.response_buffer_size_bytes, self.client.output
        if self._paused and (output is None or output.size <= limit):
            self._paused = False
        if self._readable and not self._paused and self._sock is not None and not self._read():
            return
        upload = self.upload
        if upload is not None and not upload.ended and (self.client.more or self.client.data):
            self._receive()
        elif self._waits in (FOR_CLIENT, FOR_EITHER):
            self._arm()

    def _arm(self) -> None:
        """Decide what is waited for, and for how long."""
        if self.ended or self._stage == CONNECTING:
            return
        link, upload = self.link, self.upload
        uploading = upload is not None and not upload.ended and not self._dropping
        if self._paused:
            if uploading and self._outgoing.size > AHEAD_BYTES:
                self._wait(FOR_EITHER, STUCK_NS)
            else:
                timeout_s = link.response_socket_timeout_s or link.socket_timeout_s
                self._wait(FOR_CLIENT, int(timeout_s * SECOND_NS))
        elif uploading and not self._outgoing.size and self._stage != ANSWERING:
            self._wait(FOR_BODY, self._body_time_ns())
        else:
            self._wait(FOR_DAEMON, int(link.socket_timeout_s * SECOND_NS))

    def _body_time_ns(self) -> int:
        """Return for how long the next part of a body may take: see front.receiving."""
        allowed_ns = max(BODY_GRACE_NS, self._collected_bytes * SECOND_NS // BODY_RATE_BYTES)
        left_ns = max(1, self._body_since_ns + allowed_ns - self.loop.now_ns)
        timeout_ns = int(self.link.socket_timeout_s * SECOND_NS)
        return min(left_ns, timeout_ns) if timeout_ns else left_ns

    def overdue(self) -> None:
        """What was waited for has not come."""
        self.deadline_ns = 0
        link = self.link
        if self._stage == CONNECTING:
            self.connect()
        elif self._waits == FOR_BODY:
            self.fail(408, "the body came too slowly", "info")
        elif self._waits == FOR_DAEMON:
            what = "sent its answer" if self._answer is None else "gone on with its answer"
            self.fail(504, "socket-timeout: the daemon has not %s for %gs" % (what, link.socket_timeout_s))
        elif self._waits == FOR_EITHER:
            # The daemon does not read, because nobody takes what it sends, and the client does not, because nobody
            # takes what it sends. The rest of the body is what can be done without.
            self._log("info", "neither the daemon nor the client reads: the rest of the body is dropped")
            self._dropping = True
            self.keep = False
            self._receive()
        else:
            seconds = link.response_socket_timeout_s or link.socket_timeout_s
            self.cut("the client has not taken its response for %gs (response-socket-timeout)" % seconds)

    def figures(self) -> Tuple[int, int, int]:
        """Return for how long it was queued, answered and sent, in nanoseconds."""
        began_ns, now_ns = self.request.began_ns, self.loop.now_ns
        asked_ns = self._asked_ns or now_ns
        head_ns = self._head_ns or now_ns
        return asked_ns - began_ns, max(0, head_ns - asked_ns), now_ns - head_ns


def _refuse_switch(answer: answers.Answer) -> None:
    """Raise AnswerError for 101: Upgrade is not passed on, so nobody has asked for it."""
    if answer.status == 101:
        raise answers.AnswerError(502, "the daemon switches protocols, which nobody has asked it to")
