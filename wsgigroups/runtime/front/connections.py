"""The open connections of a daemon: watched, kept, refused, ended; and what clients have yet to take.

The leader calls what is here for every connection that nobody owns, a request thread for the one that it owns, as
answering.Front. No application code runs here, and nothing here waits.
"""

from __future__ import annotations

import contextlib
import struct
from typing import Callable, Dict, Iterator, Optional, Set, Tuple

from .. import tracebacks
from ..originals import Lock, os, select, socket
from ..protocol import request_ids, responses
from ..protocol.forwarding import Trust
from ..protocol.heads import Head
from ..protocol.preparing import Preparer
from ..wire.board import WORD
from ..wire.histograms import SEND
from ..wire.spec import Serving
from .answering import Answering
from .connection import CLOSED, FLUSHING, HEAD, IDLE, LINGERING, RUNNING, Connection
from .dates import Dates
from .deadlines import Deadlines
from .lingering import Lingering
from .output import DONT_WAIT
from .timing import HEAD_TIMEOUT_NS, SECOND_NS

_READ = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
_READ_WRITE = _READ | select.EPOLLOUT
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with 0 seconds: close() sends RST

Log = Callable[[str, str], None]


class Connections:
    """`open`: by descriptor. `lock` guards `signalled`, the next deadline, and what calls.crew.Crew says."""

    answering: Answering  # set once, before anything is accepted

    def __init__(
        self, epoll: select.epoll, words: memoryview, settings: Serving, clock: Callable[[], int], log: Log
    ) -> None:
        self.lock = Lock()
        self.epoll = epoll
        self.open: Dict[int, Connection] = {}
        self.deadlines = Deadlines(self.lock)
        self.dates = Dates()
        self.last = False  # the last request has begun: each answer from now on closes its connection
        self.stopping = False
        self.parting = False  # whoever is answered shall connect anew, elsewhere (drain-delay)
        self.idle_until_ns = 0  # when idle ones are closed at the latest, because the process leaves; 0: no limit
        self.surplus = 0
        self.new_ids: Optional[Iterator[str]] = None  # where requests may have ids; `ids`, while they do
        self.dropped: Set[Tuple[str, str]] = set()
        self.tune(settings)
        self.log = log
        self._words = words
        self._clock = clock
        self._lingering = Lingering(self.deadlines, clock)
        self._closed = False

    def tune(self, settings: Serving) -> None:
        """Take over settings. Immutable objects, one store each: no two of them have to fit together."""
        self.settings = settings
        self.trust = Trust(settings.trusted_proxies, settings.trusted_uids)
        self.preparer = Preparer(settings.header_buffer_size_bytes)
        self.ids = None if settings.request_id == "off" else self.new_ids
        self.tells_ids = self.ids is not None and settings.request_id == "response"
        self.keep_alive_ns = int(settings.keep_alive_timeout_s * SECOND_NS)
        self.keeps = self._may_keep()

    def part(self, wanted: bool) -> None:
        """Have each answer from now on close its connection, or do so no more. The main thread, as `tune`."""
        self.parting = wanted
        self.keeps = self._may_keep()

    def _may_keep(self) -> bool:
        return self.keep_alive_ns > 0 and not (self.stopping or self.last or self.parting)

    def log_request(self, head: Head, connection: Connection, level: str, text: str) -> None:
        """Log with what was asked, and by whom."""
        self.log(level, "%s %s from %s: %s" % (head.method, head.target, connection.peer, text))

    def report(self, text: str, error: BaseException) -> None:
        """Log an error that no application has caused, with what memory there is."""
        with contextlib.suppress(Exception):
            self.log("error", text + "\n" + tracebacks.of_error(error))

    @property
    def write_timeout_s(self) -> float:
        """How long a write may make no progress; 0: for ever."""
        return self.settings.response_socket_timeout_s or self.settings.socket_timeout_s

    def watch(self, connection: Connection) -> None:
        """Have epoll watch it from now on; what has come already is reported, too."""
        if not connection.watched:
            connection.watched = True
            os.set_blocking(connection.fd, False)  # for whoever reads without a flag that says so
            self.epoll.register(connection.fd, _READ)
            if not connection.deadline_ns and connection.state in (IDLE, HEAD):
                self.deadlines.set(connection, self._clock() + HEAD_TIMEOUT_NS)

    def kept(self, connection: Connection, now_ns: int) -> None:
        """Wait for the next request: a response is complete."""
        connection.to(IDLE)
        connection.head = None  # its environ may hold what an application wants to see go
        connection.body = b""
        self.deadlines.set(connection, now_ns + self.keep_alive_ns)
        until_ns = self.idle_until_ns  # looked at last: draining may have begun meanwhile, and passed by this one
        if 0 < until_ns < connection.deadline_ns:
            self.deadlines.set(connection, until_ns)
        if not connection.watched:
            self.watch(connection)

    def refuse(self, connection: Connection, status: int, reason: str, keep: bool = False) -> bool:
        """Answer in the server's own name, and close: what follows in this stream cannot be trusted.

        keep: it can, the request was whole. Returns whether the connection waits for the next one.
        """
        head, keep = connection.head, keep and self.keeps
        is_head = head is not None and head.method == "HEAD"
        own = self.dates.lines[0]
        about = connection.peer
        if head is not None and self.ids is not None:
            if not head.name:
                request_ids.name(head, self.ids, connection.trusted)
            about = "%s: request %s" % (about, head.name)
            if self.tells_ids:
                own += request_ids.line_of(head)
        to_gateway = head is not None and connection.is_to_our_gateway(head)
        data = responses.refusal(status, own, keep, is_head, to_gateway)
        self.log("info", "%s: %d: %s" % (about, status, reason))
        self.answering.refused(connection, status, len(data), responses.refusal_length(status, is_head))
        try:
            sent = connection.sock.send(data, DONT_WAIT)
        except OSError:  # a client that takes nothing, or is gone, gets no explanation
            self.abort(connection)
            return False
        if keep and sent == len(data):
            connection.to(RUNNING)  # until now
            self.kept(connection, self._clock())
            return True
        self.linger(connection)
        return False

    def linger(self, connection: Connection) -> None:
        """Say that we are done, and read on a little: see lingering.Lingering."""
        connection.to(LINGERING)
        connection.data = connection.body = b""
        connection.scanner = connection.decoder = connection.head = None
        try:
            self._lingering.begin(connection)
        except OSError:
            self.close(connection)
            return
        self.read_on(connection)

    def read_on(self, connection: Connection) -> None:
        """Drop what has come on a connection that lingers, and close it if there will be no more."""
        if not self._lingering.drop(connection):
            self.close(connection)
        elif not connection.watched:
            self.watch(connection)
        elif connection.more:
            self.epoll.modify(connection.fd, _READ)  # so that what is there is reported again

    # What the client has not taken yet

    def watch_output(self, connection: Connection) -> None:
        """Have the leader send what is in the connection's output. Raises OSError when there is no leader any more."""
        if self._closed:
            raise OSError("the server has been closed")
        if connection.output is not None:
            connection.output.begun_ns = self._clock()
        if connection.watched:
            self.epoll.modify(connection.fd, _READ_WRITE)
        else:
            connection.watched = True
            os.set_blocking(connection.fd, False)
            self.epoll.register(connection.fd, _READ_WRITE)

    def arm_write_timeout(self, connection: Connection) -> None:
        """Abort the connection unless the client takes something in time."""
        connection.deadline_ns = 0
        if self.write_timeout_s:
            self.deadlines.set(connection, self._clock() + int(self.write_timeout_s * SECOND_NS))

    def flush(self, connection: Connection) -> None:
        """Send what the client takes now of a whole response, or of one that is in the making. The caller leads."""
        output = connection.output
        if output is not None:
            try:
                with output.lock:
                    sent = output.flush(connection.sock)
            except OSError:
                self.abandon(connection)
                return
            if output.size:
                if sent and connection.state == FLUSHING:
                    self.arm_write_timeout(connection)
                return
        if connection.state == FLUSHING:
            self.flushed_early(connection)
            if connection.keep:
                self.kept(connection, self._clock())
                connection.more = True
            else:
                self.linger(connection)

    def flushed_early(self, connection: Connection) -> None:
        """Take note that the output is empty: its bytes have left. Counts for how long they waited."""
        if connection.output is not None:
            waited_ns = max(0, self._clock() - connection.output.begun_ns)
            with self.lock:
                self._words[SEND.index(waited_ns)] += 1
                self._words[WORD[SEND.sum_word]] += waited_ns
        connection.output = None
        self.epoll.modify(connection.fd, _READ)

    def left_over(self, connection: Connection, keep: bool) -> bool:
        """Leave what is in the output to the leader; False if nothing is. keep: whether a request may follow."""
        output = connection.output
        if output is None:
            return False
        with output.lock:
            if output.size:
                connection.keep = keep
                connection.to(FLUSHING)
        if connection.state == FLUSHING:
            self.arm_write_timeout(connection)
            return True
        self.flushed_early(connection)
        return False

    # Ends

    def lost_answer(self, connection: Connection, head: Optional[Head], error: OSError) -> None:
        """Close, since its answer cannot be sent any more."""
        if head is not None:
            self.log_request(head, connection, "info", "the client is gone: %s" % error)
        self.abandon(connection)

    def count_aborted(self) -> None:
        """Count a connection that ends before its response is complete."""
        with self.lock:
            self._words[WORD["aborted"]] += 1

    def abandon(self, connection: Connection) -> None:
        """Close, and count a request that has had no whole answer."""
        self.count_aborted()
        self.close(connection)

    def close(self, connection: Connection) -> None:
        """Forget and close; epoll forgets a closed descriptor by itself."""
        if connection.state == CLOSED:
            return
        connection.to(CLOSED)
        connection.head = None
        # Before the close: the number may be given out again at once, to a connection that the leader accepts.
        self.open.pop(connection.fd, None)
        output = connection.output
        if output is None:
            connection.sock.close()
            return
        with output.lock:  # the leader may be sending: the number must not become another file's under its hands
            connection.sock.close()

    def abort(self, connection: Connection) -> None:
        """Close with a reset, so that nobody takes what was sent for a whole response."""
        with contextlib.suppress(OSError):
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close(connection)

    def shut(self, forked: bool = False) -> bool:
        """Close all; False if that has been done. forked: in a child of the application, where others own them."""
        if self._closed:
            return False
        self._closed = True
        for connection in self.open.copy().values():
            if forked:
                connection.sock.close()
                connection.fd = -1  # the number may soon be a file of the child's
            else:
                self.close(connection)
        self.epoll.close()
        return True
