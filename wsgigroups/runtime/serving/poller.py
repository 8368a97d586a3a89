"""The poller half of a daemon: it accepts, receives requests, sends what clients were slow to take, and keeps time.

Driven by one thread at a time, the leader. `receive`, `refuse`, `close` and `settle` are also called by a request
thread for a connection that it owns. No application code runs here, and nothing here waits but `wait`.

Connections are watched edge-triggered: while a request thread owns one, nothing has to be switched off, because an
event is reported once, and noted in `signalled`.
"""

from __future__ import annotations

import collections
import contextlib
import os
import select
import socket
import struct
import threading
from typing import Callable, Deque, Dict, Optional, Tuple

from ..protocol import responses
from ..protocol.errors import ProtocolError
from ..protocol.forwarding import Trust
from ..wire.board import WORD
from ..wire.spec import Serving
from .connection import BODY, CLOSED, FLUSHING, HEAD, IDLE, LINGERING, QUEUED, Connection
from .dates import Dates
from .intake import Intake
from .listening import PROBE_S, Listening
from .output import DONT_WAIT
from .queue import Queue

SECOND_NS = 1_000_000_000
RECEIVE_BYTES = 16384  # a head and a short body in one call; longer bodies have a larger buffer of their own
HEAD_TIMEOUT_NS = 10 * SECOND_NS  # from a request's first byte to the end of its head; then 408
BODY_GRACE_NS = 15 * SECOND_NS  # after that a body must have come at BODY_RATE on average; then 408
BODY_RATE_BYTES = 500  # a second
LINGER_NS = 2 * SECOND_NS  # how long we read on after our last word, so that the client can read it (RFC 9112, 9.6)
LINGER_BYTES = 4 << 20
DRAIN_IDLE_NS = 2 * SECOND_NS  # when draining: a kept connection's next request may be on its way for this long
LONGEST_WAIT_S = 1.0  # while connections are open
_EVENTS = 64
_READ = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
_READ_WRITE = _READ | select.EPOLLOUT
_ENDED = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with 0 seconds: close() sends RST

_EXPIRED = {
    504: ("queue_timeouts", "no request thread within queue-timeout"),
    503: ("refused", "no place in the queue within connect-timeout"),
}

Log = Callable[[str, str], None]


class Poller:
    """Connections, their events and their deadlines."""

    def __init__(
        self,
        epoll: select.epoll,
        listening: Listening,
        intake: Intake,
        queue: Queue,
        words: memoryview,
        settings: Serving,
        trust: Trust,
        clock: Callable[[], int],
        dates: Dates,
        log: Log,
    ) -> None:
        self.lock = threading.Lock()  # guards `signalled`, the queue and who is idle (see crew.Crew)
        self.epoll = epoll
        self.listening = listening
        self.queue = queue
        self.settings = settings
        self.trust = trust
        self.ready: Deque[Tuple[int, int]] = collections.deque()  # (fd, events) not looked at yet
        self.connections: Dict[int, Connection] = {}
        self.stopping = False
        self.refused: Callable[[Connection, int, int], None] = lambda _connection, _status, _size: None
        self.most_connections = _most_connections()
        self._intake = intake
        self._words = words
        self._clock = clock
        self._dates = dates
        self._log = log
        self._next_deadline_ns = 0  # no deadline is earlier; 0: there is none
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._closed = False
        self._published = 0  # connections, as the board has them
        epoll.register(self._wake_read, select.EPOLLIN)

    # Any thread

    def wake(self) -> None:
        """Make the leader look at what has changed."""
        with contextlib.suppress(BlockingIOError, OSError):  # full of wake-ups already, or closed
            os.write(self._wake_write, b"\0")

    # The leader

    def wait(self) -> None:
        """Wait for events, put them into `ready`; accept and act on deadlines at once."""
        listening = self.listening
        open_now = len(self.connections)
        if open_now != self._published:
            self._published = self._words[WORD["connections"]] = open_now
        full = open_now >= self.most_connections
        if listening.watching != (not full) or listening.saturated or listening.paused_until_ns or listening.stopped:
            listening.adjust(full)
        try:
            events = self.epoll.poll(self._timeout_s(), _EVENTS)
        except InterruptedError:
            events = []
        self._dates.refresh()
        for event in events:
            fd = event[0]
            if fd in listening:
                self._accept(fd)
            elif fd == self._wake_read:
                self._wakened()
            else:
                self.ready.append(event)
        if listening.probing():
            for fd in listening.probe():
                self._accept(fd, 64)
        if self.stopping and not listening.stopped:
            self._stop_listening()
        if self._next_deadline_ns or self.queue.next_expiry_ns or listening.paused_until_ns:
            self._keep_time(self._clock())

    def step(self) -> Optional[Connection]:
        """Act on the oldest event in `ready`; a connection whose request is complete becomes the caller's."""
        fd, flags = self.ready.popleft()
        connection = self.connections.get(fd)
        if connection is None:
            return None
        if connection.owned:
            with self.lock:
                owned = connection.owned
                if owned:
                    connection.signalled |= flags or select.EPOLLIN
            if owned:
                output = connection.output
                if output is not None and flags & select.EPOLLOUT:
                    # PEP 3333, "Buffering and Streaming": a block goes on its way while the next one is computed.
                    with output.lock, contextlib.suppress(OSError):  # the owner meets the error at its next write
                        output.flush(connection.sock)
                return None
        if flags & _ENDED:
            connection.gone = True
        state = connection.state
        if state == FLUSHING:
            if not self._flush(connection):
                return None
        elif state == LINGERING:
            self._discard(connection)
            return None
        elif connection.output is not None and flags & select.EPOLLOUT:
            self._flush(connection)
        if not flags or state == FLUSHING:
            return connection if self.resume(connection) else None
        if flags == select.EPOLLOUT:
            return None
        if self.receive(connection):
            connection.owned = True
            return connection
        return None

    def _timeout_s(self) -> Optional[float]:
        if self.ready:
            return 0.0
        timeout_s = LONGEST_WAIT_S if self.connections else None
        expiry_ns = self.queue.next_expiry_ns
        for deadline_ns in (self._next_deadline_ns, expiry_ns, self.listening.paused_until_ns):
            if deadline_ns:
                left_s = max(0.0, (deadline_ns - self._clock()) / SECOND_NS + 0.001)
                timeout_s = left_s if timeout_s is None else min(timeout_s, left_s)
        if self.listening.probing():
            timeout_s = PROBE_S if timeout_s is None else min(timeout_s, PROBE_S)
        return timeout_s

    def _accept(self, fd: int, most: int = 4) -> None:
        # A few at a time: what is left wakes a sibling, or us again.
        room = self.most_connections - len(self.connections)
        accepted, _more = self.listening.accept(fd, self.trust, max(1, min(most, room)))
        for connection in accepted:
            self.connections[connection.fd] = connection
            # Most clients send at once: look before epoll is asked to watch.
            self.ready.append((connection.fd, select.EPOLLIN))

    def _wakened(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self._wake_read, 4096)) == 4096:
                pass

    def _stop_listening(self) -> None:
        """Leave new connections to siblings, and kept ones a while for a request that may be on its way.

        What has come until now is ours: its wake-up may have been spent on us, and nobody else hears of it. `stopped`
        is set last, because the main thread takes "stopped, and no connections" for the end.
        """
        listening = self.listening
        listening.unwatch()
        for fd in listening.descriptors:
            self._accept(fd, 64)
        limit_ns = self._clock() + DRAIN_IDLE_NS
        for connection in self.connections.copy().values():
            if connection.state == IDLE and not connection.owned:
                self.set_deadline(connection, min(connection.deadline_ns or limit_ns, limit_ns))
        listening.stopped = True

    def _keep_time(self, now_ns: int) -> None:
        if 0 < self.listening.paused_until_ns <= now_ns:
            self.listening.paused_until_ns = 0
        if 0 < self.queue.next_expiry_ns <= now_ns:
            with self.lock:
                expired = self.queue.expire(now_ns)
                self._words[WORD["requests_queued"]] = len(self.queue)
            for connection, status in expired:
                connection.owned = False
                word, reason = _EXPIRED[status]
                self._words[WORD[word]] += 1
                self.refuse(connection, status, reason)
        if not 0 < self._next_deadline_ns <= now_ns:
            return
        self._next_deadline_ns = 0
        for connection in self.connections.copy().values():
            deadline_ns = connection.deadline_ns
            if 0 < deadline_ns <= now_ns:
                if not connection.owned:
                    self._overdue(connection)
            elif deadline_ns and (not self._next_deadline_ns or deadline_ns < self._next_deadline_ns):
                self._next_deadline_ns = deadline_ns

    def _overdue(self, connection: Connection) -> None:
        state = connection.state
        if state == HEAD:
            self.refuse(connection, 408, "the head took longer than %d s" % (HEAD_TIMEOUT_NS // SECOND_NS))
        elif state == BODY:
            self.refuse(connection, 408, "the body came too slowly")
        elif state == FLUSHING:
            self._log(
                "warning",
                "%s: the client has not taken its response for %gs: connection aborted"
                % (connection.peer, self.write_timeout_s),
            )
            self.abort(connection)
        else:
            self.close(connection)

    # The owner of the connection

    @property
    def write_timeout_s(self) -> float:
        """How long a write may make no progress; 0: for ever."""
        return self.settings.response_socket_timeout_s or self.settings.socket_timeout_s

    def set_deadline(self, connection: Connection, when_ns: int) -> None:
        """The poller is to act at that time, unless the connection has moved on."""
        connection.deadline_ns = when_ns
        if not self._next_deadline_ns or when_ns < self._next_deadline_ns:
            self._next_deadline_ns = when_ns

    def receive(self, connection: Connection) -> bool:
        """Read what has come; True when a request is complete. May refuse or close the connection."""
        while True:
            try:
                data = connection.sock.recv(RECEIVE_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                connection.more = False
                self.watch(connection)
                return False
            except OSError:
                self._lost(connection)
                return False
            if not data:
                self._lost(connection)
                return False
            connection.more = len(data) == RECEIVE_BYTES or connection.gone
            connection.data = connection.data + data if connection.data else data
            if self._advance(connection):
                return True
            if not connection.more or connection.state in (CLOSED, LINGERING):
                return False

    def resume(self, connection: Connection) -> bool:
        """Go on after a response: with what was received before, else with what the socket has; as `receive`."""
        if connection.data and self._advance(connection):
            connection.owned = True
            return True
        if connection.more and connection.state not in (CLOSED, LINGERING) and self.receive(connection):
            connection.owned = True
            return True
        return False

    def _advance(self, connection: Connection) -> bool:
        try:
            if self._intake.advance(connection):
                connection.deadline_ns = 0
                return True
        except ProtocolError as error:
            self.refuse(connection, error.status, error.reason)
            return False
        now_ns = self._clock()
        if connection.state == BODY:
            since_ns = connection.since_ns or now_ns
            connection.since_ns = since_ns
            needed_ns = connection.received_bytes * SECOND_NS // BODY_RATE_BYTES
            deadline_ns = since_ns + max(BODY_GRACE_NS, needed_ns)
            if self.settings.socket_timeout_s:
                deadline_ns = min(deadline_ns, now_ns + int(self.settings.socket_timeout_s * SECOND_NS))
            self.set_deadline(connection, deadline_ns)
        elif connection.state != HEAD and connection.data:
            connection.state = HEAD
            self.set_deadline(connection, now_ns + HEAD_TIMEOUT_NS)
        self.watch(connection)
        return False

    def watch(self, connection: Connection) -> None:
        """Have epoll watch it from now on; what has come already is reported, too."""
        if not connection.watched:
            connection.watched = True
            self.epoll.register(connection.fd, _READ)
            if not connection.deadline_ns:
                self.set_deadline(connection, self._clock() + HEAD_TIMEOUT_NS)

    def _lost(self, connection: Connection) -> None:
        """The client has closed or reset the connection before a request was complete."""
        if connection.state in (BODY, QUEUED):
            self._words[WORD["aborted"]] += 1
        self.close(connection)

    def kept(self, connection: Connection, now_ns: int) -> None:
        """A response is complete and another request may come: wait for it."""
        connection.state = IDLE
        connection.head = None
        connection.body = b""
        connection.since_ns = 0
        connection.deadline_ns = deadline_ns = now_ns + int(self.settings.keep_alive_timeout_s * SECOND_NS)
        if not self._next_deadline_ns or deadline_ns < self._next_deadline_ns:
            self._next_deadline_ns = deadline_ns
        if not connection.watched:
            self.watch(connection)

    def refuse(self, connection: Connection, status: int, reason: str) -> None:
        """Answer in the server's own name, and close: what follows in this stream cannot be trusted."""
        head = connection.head
        data = responses.refusal(status, self._dates.lines[0], is_head=head is not None and head.method == "HEAD")
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
            self._words[WORD["aborted"]] += 1
            self.close(connection)
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
            self.epoll.register(connection.fd, _READ_WRITE)

    def close(self, connection: Connection) -> None:
        """Forget and close; epoll forgets a closed descriptor by itself."""
        if connection.state == CLOSED:
            return
        connection.state = CLOSED
        # Before the close: the number may be given out again at once, to a connection that the leader accepts.
        self.connections.pop(connection.fd, None)
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


def _most_connections() -> int:
    """As many as descriptors allow, leaving the application half of them up to a reserve of a thousand."""
    import resource

    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 65536
    return max(8, min(65536, max(soft // 2, soft - 1000)))
