"""The open connections of a daemon: watched, kept, given a deadline, refused, ended; and what clients have yet to take.

The leader calls what is here for every connection that nobody owns, a request thread for the one that it owns. No
application code runs here, and nothing here waits.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import threading
import traceback
from typing import Callable, Dict, List, Optional

from ..protocol import responses
from ..protocol.heads import NO_ENVIRON, Head
from ..protocol.preparing import Preparer
from ..wire.board import WORD
from ..wire.spec import Serving
from .connection import CLOSED, FLUSHING, HEAD, IDLE, LINGERING, Connection
from .dates import Dates
from .output import DONT_WAIT, Output

SECOND_NS = 1_000_000_000
HEAD_TIMEOUT_NS = 10 * SECOND_NS  # from a request's first byte to the end of its head; then 408
LINGER_NS = 2 * SECOND_NS  # how long we read on after our last word, so that the client can read it (RFC 9112, 9.6)
LINGER_BYTES = 4 << 20
OUTBOX_NS = 1_000_000  # no answer waits for longer than that, and one call, for those that leave with it
DRAIN_IDLE_NS = 2 * SECOND_NS  # when draining: a kept connection's next request may be on its way for this long
_READ = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
_READ_WRITE = _READ | select.EPOLLOUT
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with 0 seconds: close() sends RST

Log = Callable[[str, str], None]


class Keeper:
    """The base of the poller. Public attributes are the poller's and its threads'."""

    def __init__(
        self,
        epoll: select.epoll,
        words: memoryview,
        settings: Serving,
        clock: Callable[[], int],
        dates: Dates,
        log: Log,
    ) -> None:
        self.lock = threading.Lock()  # guards `signalled`, the queue, who is idle (see crew.Crew), the next deadline
        self.epoll = epoll
        self.stopping = False
        self.tune(settings)
        self.connections: Dict[int, Connection] = {}
        self.outbox: List[Connection] = []  # POSTED: their answers leave together; the leader's
        self.send_by_ns = 0  # when `send_outbox` is to be called, and the board to be told the time, at the next call
        self.surplus = 0  # kept connections that a sibling has time for: each ends with its next answer, which says so
        self.refused: Callable[[Connection, int, int], None] = lambda _connection, _status, _size: None
        self._words = words
        self._clock = clock
        self.dates = dates
        self._log = log
        self._next_deadline_ns = 0  # no deadline is earlier; 0: there is none
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._closed = False
        epoll.register(self._wake_read, select.EPOLLIN)

    def tune(self, settings: Serving) -> None:
        """Take over settings."""
        self.settings = settings
        self.preparer = Preparer(settings.header_buffer_size_bytes)
        keep_alive_s = settings.keep_alive_timeout_s
        self.keep_alive_ns = DRAIN_IDLE_NS if self.stopping else int(keep_alive_s * SECOND_NS)
        self.keeps = keep_alive_s > 0 and not self.stopping  # whether an answer may leave its connection open

    def wake(self) -> None:
        """Make the leader look at what has changed."""
        with contextlib.suppress(BlockingIOError, OSError):  # full of wake-ups already, or closed
            os.write(self._wake_write, b"\0")

    def log_request(self, head: Head, connection: Connection, level: str, text: str) -> None:
        """Log with what was asked, and by whom."""
        self._log(level, "%s %s from %s: %s" % (head.method, head.target, connection.peer, text))

    def report(self, text: str, error: BaseException) -> None:
        """Log an error that no application has caused, with what memory there is."""
        with contextlib.suppress(Exception):
            self._log(
                "error", text + "\n" + "".join(traceback.format_exception(type(error), error, error.__traceback__))
            )

    @property
    def write_timeout_s(self) -> float:
        """How long a write may make no progress; 0: for ever."""
        return self.settings.response_socket_timeout_s or self.settings.socket_timeout_s

    def set_deadline(self, connection: Connection, when_ns: int) -> None:
        """The poller is to act at that time, unless the connection has moved on."""
        connection.deadline_ns = when_ns
        if not 0 < self._next_deadline_ns <= when_ns:
            self._expect(when_ns)

    def _expect(self, when_ns: int) -> None:
        """Have the leader look at that time at the latest."""
        with self.lock:
            if not 0 < self._next_deadline_ns <= when_ns:
                self._next_deadline_ns = when_ns

    def watch(self, connection: Connection) -> None:
        """Have epoll watch it from now on; what has come already is reported, too."""
        if not connection.watched:
            connection.watched = True
            os.set_blocking(connection.fd, False)  # for whoever reads without a flag that says so
            self.epoll.register(connection.fd, _READ)
            if not connection.deadline_ns and connection.state in (IDLE, HEAD):
                self.set_deadline(connection, self._clock() + HEAD_TIMEOUT_NS)

    def kept(self, connection: Connection, now_ns: int) -> None:
        """A response is complete and another request may come: wait for it."""
        connection.state = IDLE
        head = connection.head
        if head is not None:
            head.environ = NO_ENVIRON
            connection.head = None
        connection.body = b""
        keep_alive_ns = self.keep_alive_ns
        connection.deadline_ns = deadline_ns = now_ns + keep_alive_ns
        if keep_alive_ns != self.keep_alive_ns:  # draining has begun meanwhile, and passed by this one
            connection.deadline_ns = deadline_ns = now_ns + self.keep_alive_ns
        if not 0 < self._next_deadline_ns <= deadline_ns:
            self._expect(deadline_ns)
        if not connection.watched:
            self.watch(connection)

    def refuse(self, connection: Connection, status: int, reason: str) -> None:
        """Answer in the server's own name, and close: what follows in this stream cannot be trusted."""
        head = connection.head
        data = responses.refusal(status, self.dates.lines[0], is_head=head is not None and head.method == "HEAD")
        self._log("info", "%s: %d: %s" % (connection.peer, status, reason))
        self.refused(connection, status, len(data))
        try:
            connection.sock.send(data, DONT_WAIT)
        except OSError:  # a client that takes nothing, or is gone, gets no explanation
            self.abort(connection)
            return
        self.linger(connection)

    def linger(self, connection: Connection) -> None:
        """Say that we are done, and read on a little: a close with unread bytes would be a reset for the client."""
        connection.state = LINGERING
        connection.data = connection.body = b""
        connection.scanner = connection.decoder = connection.head = None
        connection.received_bytes = 0
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.close(connection)
            return
        self.set_deadline(connection, self._clock() + LINGER_NS)
        self._discard(connection)
        if connection.state == LINGERING:
            self.watch(connection)

    def _discard(self, connection: Connection) -> None:
        try:
            while connection.received_bytes <= LINGER_BYTES:
                data = connection.sock.recv(65536, socket.MSG_DONTWAIT)
                if not data:
                    break
                connection.received_bytes += len(data)
        except BlockingIOError:
            return
        except OSError:  # a reset ends the wait as well
            pass
        self.close(connection)

    def _flush(self, connection: Connection) -> bool:
        """Send what the client takes now; True when a response that was complete has left wholly."""
        output = connection.output
        if output is None:
            return connection.state == FLUSHING
        try:
            with output.lock:
                sent = output.flush(connection.sock)
        except OSError:
            self._abandon(connection)
            return False
        if output.size:
            if sent and connection.state == FLUSHING:
                self.arm_write_timeout(connection)
            return False
        if connection.state != FLUSHING:
            return False
        self.flushed(connection)
        return connection.state == IDLE

    def flushed(self, connection: Connection) -> None:
        """The last byte of a response has left through the poller."""
        connection.output = None
        self.epoll.modify(connection.fd, _READ)
        if connection.keep:
            self.kept(connection, self._clock())
            connection.more = True
        else:
            self.linger(connection)

    def flushed_early(self, connection: Connection) -> None:
        """The output has become empty while a request thread owns the connection."""
        connection.output = None
        self.epoll.modify(connection.fd, _READ)

    def arm_write_timeout(self, connection: Connection) -> None:
        """Abort the connection unless the client takes something in time."""
        connection.deadline_ns = 0
        if self.write_timeout_s:
            self.set_deadline(connection, self._clock() + int(self.write_timeout_s * SECOND_NS))

    def watch_output(self, connection: Connection) -> None:
        """Have the leader send what is in the connection's output. Raises OSError when there is no leader any more."""
        if self._closed:
            raise OSError("the server has been closed")
        if connection.watched:
            self.epoll.modify(connection.fd, _READ_WRITE)
        else:
            connection.watched = True
            os.set_blocking(connection.fd, False)
            self.epoll.register(connection.fd, _READ_WRITE)

    def send_outbox(self) -> None:
        """Send all answers in it, and wait for the next requests. The caller leads.

        What one round of events has led to leaves in one go: the code that answers and the kernel's code that sends
        do not push each other out of the processor's caches, and a client is not woken for each answer anew.
        """
        outbox = self.outbox[:]
        self.outbox.clear()
        now_ns = self._clock()
        self.send_by_ns = now_ns + OUTBOX_NS
        deadline_ns = now_ns + self.keep_alive_ns
        for connection in outbox:
            answer, head = connection.answer, connection.head
            connection.answer = b""
            connection.head = None
            connection.deadline_ns = deadline_ns
            connection.state = IDLE
            try:
                if not connection.watched:
                    self.watch(connection)
                sent = connection.sock.send(answer, DONT_WAIT)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                self._unsent(connection, head, error)
                continue
            if head is not None:
                head.environ = NO_ENVIRON
            if sent < len(answer):
                connection.output = output = Output()
                output.append(memoryview(answer)[sent:])
                connection.keep = True
                connection.state = FLUSHING
                self.watch_output(connection)
                self.arm_write_timeout(connection)
        if outbox and not 0 < self._next_deadline_ns <= deadline_ns:
            self._expect(deadline_ns)

    def _unsent(self, connection: Connection, head: Optional[Head], error: OSError) -> None:
        """An answer cannot be sent any more."""
        if head is not None:
            self.log_request(head, connection, "info", "the client is gone: %s" % error)
        self._abandon(connection)

    def _abandon(self, connection: Connection) -> None:
        """Close, and count a request that has had no whole answer."""
        with self.lock:
            self._words[WORD["aborted"]] += 1
        self.close(connection)

    def close(self, connection: Connection) -> None:
        """Forget and close; epoll forgets a closed descriptor by itself."""
        if connection.state == CLOSED:
            return
        connection.state = CLOSED
        connection.head = None  # its environ may hold what an application wants to see go
        # Before the close: the number may be given out again at once, to a connection that the leader accepts.
        self.connections.pop(connection.fd, None)
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

    def shut(self) -> None:
        """Close everything of ours; the listening sockets are others' too. The leader has gone."""
        if self._closed:
            return
        self._closed = True
        for connection in self.connections.copy().values():
            self.close(connection)
        self.epoll.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def forget(self) -> None:
        """Close every descriptor in a process that the application has forked: clients wait for their ends."""
        if self._closed:
            return
        self._closed = True
        for connection in self.connections.copy().values():
            connection.sock.close()
        self.epoll.close()
        os.close(self._wake_read)
        os.close(self._wake_write)
