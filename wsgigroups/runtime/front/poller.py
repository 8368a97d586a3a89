"""The poller half of a daemon: it accepts, receives requests, sends what clients were slow to take, and keeps time.

Driven by one thread at a time, the leader. No application code runs here, and nothing here waits but `wait`.

Connections are watched edge-triggered: while a request thread owns one, nothing has to be switched off, because an
event is reported once, and noted in `signalled`.
"""

from __future__ import annotations

import collections
import contextlib
from typing import Any, Callable, Deque, Dict, List, Optional, Tuple

from ..originals import os, select
from ..wire.board import LISTENING, WORD
from .arrivals import Arrivals
from .connection import BODY, CLOSED, FLUSHING, HEAD, IDLE, LINGERING, POSTED, RECEIVE_BYTES, Connection
from .connections import Connections
from .intake import Intake
from .listening import Listening
from .outbox import Outbox
from .receiving import Receiving
from .timing import HEAD_TIMEOUT_NS, SECOND_NS

LONGEST_WAIT_S = 1.0  # while connections are open
_EVENTS = 64
_READABLE = int(select.EPOLLIN)  # and nothing else
_ENDED = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_HEAD_TIMEOUT_S = HEAD_TIMEOUT_NS // SECOND_NS
_MOST = 64  # connections accepted at a time from a listener that is left
_ROUNDS = 128  # … and how often, where nobody else will: twice as many as the kernel lets wait (net.core.somaxconn)
_SIBLINGS_NS = 250_000_000  # for siblings to leave before the listeners are closed
_SIBLINGS_LOOK_S = 0.002


class Poller:
    """Events of connections and listeners, and time."""

    def __init__(
        self,
        connections: Connections,
        listening: Listening,
        intake: Intake,
        words: memoryview,
        clock: Callable[[], int],
    ) -> None:
        self.connections = connections
        self.listening = listening
        self.outbox = Outbox(connections, clock)
        self.receiving = Receiving(connections, intake, clock)
        # Connections and events, not looked at yet. Not by descriptor: a request thread may close a connection
        # meanwhile, and the number is given out again at once, to a new one that these events are not about.
        self.ready: Deque[Tuple[Connection, int]] = collections.deque()
        self.look_by_ns = 0  # wait no longer than until then: whoever leads has something else to see to; 0: nothing
        self.arrivals = Arrivals(connections, listening, self.ready, words, clock)
        self.read: Optional[Callable[[int, int], bytes]] = None  # reads what idle clients have sent; None: os.read
        # Descriptors that somebody else has added to the same epoll, and whose events he takes from `heard`.
        self.guests: Dict[int, Any] = {}
        self.heard: List[Tuple[Any, int]] = []
        self._open = connections.open
        self.epoll = connections.epoll
        self._clock = clock
        self._words = words
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.epoll.register(self._wake_read, select.EPOLLIN)

    def wake(self) -> None:
        """Make the leader look at what has changed."""
        with contextlib.suppress(BlockingIOError, OSError):  # full of wake-ups already, or closed
            os.write(self._wake_write, b"\0")

    def stop(self, idle_s: Optional[float] = None, closes: bool = False) -> None:
        """Take no new connections, and close each after its next answer.

        idle_s: idle ones are closed then at the latest, else at the end of keep-alive-timeout as ever. closes: the
        listeners are closed for everybody, as soon as siblings have left them and nobody waits.
        """
        connections = self.connections
        if closes:
            self.listening.closes_by_ns = self._clock() + _SIBLINGS_NS
        if idle_s is not None:
            connections.idle_until_ns = self._clock() + int(idle_s * SECOND_NS)
        connections.stopping = True
        connections.keeps = False
        self.wake()

    def shut(self, forked: bool = False) -> None:
        """Close everything of ours; the listening sockets are others' too. Nobody leads any more, or not here."""
        if self.connections.shut(forked):
            os.close(self._wake_read)
            os.close(self._wake_write)

    def wait(self) -> None:
        """Send what is in the outbox, wait for events, put them into `ready`; accept and act on deadlines at once."""
        if self.outbox.posted:
            self.outbox.send()
        self.arrivals.prepare()
        try:
            events = self.epoll.poll(self.timeout_s(), _EVENTS)
        except InterruptedError:
            events = []
        self.connections.dates.refresh()
        self.arrivals.take_in(self._hear(events))
        if self.connections.stopping and not self.listening.stopped and not self.listening.awaits_siblings():
            self._stop_listening()
        self._keep_time()

    def _hear(self, events: List[Tuple[int, int]]) -> List[int]:
        """Put events into `ready`, with what idle clients have sent; return listeners where connections have arrived.

        Those are for later: until all events have found their connections, none may be added.
        """
        find, put, read = self._open.get, self.ready.append, self.read or os.read
        arrivals: List[int] = []
        for fd, flags in events:
            connection = find(fd)
            if connection is None:
                if fd == self._wake_read:
                    self._wakened()
                elif fd in self.listening:
                    arrivals.append(fd)
                elif fd in self.guests:
                    self.heard.append((self.guests[fd], flags))
                continue
            if flags != _READABLE or connection.state != IDLE or connection.owned:
                put((connection, flags))
                continue
            # Read before any request of this round is run: see outbox.Outbox.
            try:
                data = read(fd, RECEIVE_BYTES)  # `watch` has made it non-blocking
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            except MemoryError as error:
                self._give_up(connection, error)
                continue
            if not data:
                self.receiving.lost(connection)
                continue
            if len(data) == RECEIVE_BYTES:
                connection.more = True
            connection.data = connection.data + data if connection.data else data
            connection.deadline_ns = 0  # or that of an idle one would end it before its turn
            put((connection, 0))
        return arrivals

    def step(self) -> Optional[Connection]:
        """As `act`, on the oldest event in `ready`."""
        return self.act(*self.ready.popleft())

    def act(self, connection: Connection, flags: int) -> Optional[Connection]:
        """Act on an event; a connection whose request is complete becomes the caller's."""
        try:
            if flags or connection.state != IDLE or connection.owned:
                return connection if self._act(connection, flags) else None
            return connection if self.receiving.resume(connection) else None
        except Exception as error:  # noqa: BLE001 — an error of ours, or no memory, ends this connection only
            self._give_up(connection, error)
            return None

    def _give_up(self, connection: Connection, error: Exception) -> None:
        self.connections.report("cannot go on with the connection of %s" % connection.peer, error)
        self.connections.abort(connection)

    def _act(self, connection: Connection, flags: int) -> bool:
        """Whether the connection has a complete request, and is the caller's."""
        if connection.state == CLOSED or (connection.owned and self._note(connection, flags)):
            return False
        if connection.state == POSTED:  # pipelining, or a client that leaves: first things first
            self.outbox.send()
            if connection.state == CLOSED:
                return False
        if flags & _ENDED:
            connection.gone = True
        if connection.state == LINGERING:
            self.connections.read_on(connection)
            return False
        if connection.state == FLUSHING or flags & select.EPOLLOUT:
            was = connection.state
            self.connections.flush(connection)
            if was == FLUSHING or flags == select.EPOLLOUT:
                return connection.state == IDLE and self.receiving.resume(connection)
        return self.receiving.receive(connection) if flags else self.receiving.resume(connection)

    def _note(self, connection: Connection, flags: int) -> bool:
        """Leave the event to the request thread that owns the connection; False when it has just given it back."""
        with self.connections.lock:
            if not connection.owned:
                return False
            connection.signalled |= flags or select.EPOLLIN
        output = connection.output
        if output is not None and flags & select.EPOLLOUT:
            # PEP 3333, "Buffering and Streaming": a block goes on its way while the next one is computed.
            with output.lock, contextlib.suppress(OSError):  # the owner meets the error at its next write
                output.flush(connection.sock)
        return True

    def timeout_s(self) -> Optional[float]:
        """For how long to wait for events; None: until there are some."""
        waiting, listening = self.connections.answering.waiting, self.listening
        if self.ready or (waiting.runnable and not listening.saturated):  # a request thread leads, and takes it
            return 0.0
        timeout_s = LONGEST_WAIT_S if self._open else None
        times = self.connections.deadlines.next_ns, waiting.next_expiry_ns, listening.paused_until_ns, self.look_by_ns
        for when_ns in times:
            if when_ns:
                left_s = max(0.0, (when_ns - self._clock()) / SECOND_NS)
                timeout_s = left_s if timeout_s is None else min(timeout_s, left_s)
        if listening.probing() or len(self._open) >= self.arrivals.most_connections:
            timeout_s = listening.probe_s if timeout_s is None else min(timeout_s, listening.probe_s)
        if self.connections.stopping and not listening.stopped:
            timeout_s = _SIBLINGS_LOOK_S if timeout_s is None else min(timeout_s, _SIBLINGS_LOOK_S)
        return timeout_s

    def _wakened(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self._wake_read, 4096)) == 4096:
                pass

    def _stop_listening(self) -> None:
        """Leave new connections to siblings, and idle ones open for their next requests: see Connections.idle_until_ns.

        What has come until now is ours: its wake-up may have been spent on us, and nobody else hears of it. The board
        says so only after that: from then on whoever connects is served by others. `stopped` is set last, because the
        main thread takes "stopped, and no connections" for the end. Where nobody else is there, all that wait are ours,
        and who comes later is refused at once, instead of waiting for what will not come.
        """
        listening, closes = self.listening, self.listening.closes_by_ns > 0
        listening.unwatch()
        for fd in () if listening.over or (listening.held and not closes) else listening.descriptors:
            for _round in range(_ROUNDS if closes else 1):
                if self.arrivals.accept(fd, _MOST) < _MOST:
                    break
        if closes:
            listening.shut_down()
        connections = self.connections
        limit_ns = connections.idle_until_ns
        for connection in self._open.copy().values():
            if limit_ns and connection.state == IDLE:  # owned or not: see Connections.kept
                connections.deadlines.set(connection, min(connection.deadline_ns or limit_ns, limit_ns))
        self._words[WORD["listening"]] = LISTENING["no"]
        listening.stopped = True
        listening.tell(len(self._open))

    def _keep_time(self) -> None:
        """End what has lasted too long: pauses, waits for a thread, and what clients take their time for."""
        connections, listening = self.connections, self.listening
        waiting, deadlines = connections.answering.waiting, connections.deadlines
        expiry_ns = waiting.next_expiry_ns
        if not (deadlines.next_ns or expiry_ns or listening.paused_until_ns):
            return
        now_ns = self._clock()
        if 0 < listening.paused_until_ns <= now_ns:
            listening.release()
        if 0 < expiry_ns <= now_ns:
            for connection, status, reason in waiting.expire(now_ns):
                connection.owned = False
                connections.refuse(connection, status, reason)
        if 0 < deadlines.next_ns <= now_ns:
            for connection in deadlines.over(self._open.copy().values(), now_ns):
                self._overdue(connection)

    def _overdue(self, connection: Connection) -> None:
        connections, state = self.connections, connection.state
        if state == HEAD:
            reason = "the head did not come within %d s, or socket-timeout" % _HEAD_TIMEOUT_S
            connections.refuse(connection, 408, reason)
        elif state == BODY:
            connections.refuse(connection, 408, "the body came too slowly")
        elif state == FLUSHING:
            text = "%s: the client has not taken its response for %gs: connection aborted"
            connections.log("warning", text % (connection.peer, connections.write_timeout_s))
            connections.count_aborted()
            connections.abort(connection)
        else:
            connections.close(connection)
