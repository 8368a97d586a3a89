"""The poller half of a daemon: it accepts, receives requests, sends what clients were slow to take, and keeps time.

Driven by one thread at a time, the leader. `receive` and `resume` are also called by a request thread for a connection
that it owns. No application code runs here, and nothing here waits but `wait`.

Connections are watched edge-triggered: while a request thread owns one, nothing has to be switched off, because an
event is reported once, and noted in `signalled`.
"""

from __future__ import annotations

import collections
import contextlib
import os
import select
import socket
from typing import Callable, Deque, List, Optional, Tuple

from ..calls.queue import Queue
from ..protocol.errors import ProtocolError
from ..protocol.forwarding import Trust
from ..wire.board import WORD
from ..wire.spec import Serving
from .connection import (
    BODY,
    CLOSED,
    FLUSHING,
    HEAD,
    IDLE,
    LINGERING,
    POSTED,
    QUEUED,
    RECEIVE_BYTES,
    Connection,
)
from .dates import Dates
from .intake import Intake
from .keeping import DRAIN_IDLE_NS, HEAD_TIMEOUT_NS, SECOND_NS, Keeper, Log
from .listening import Listening
from .standby import LOOK_STANDING_BY_S

BODY_GRACE_NS = 15 * SECOND_NS  # after that a body must have come at BODY_RATE on average; then 408
BODY_RATE_BYTES = 500  # a second
LOOK_NS = SECOND_NS // 20  # all connections are looked at no more often, so a deadline is met this late at most
LONGEST_WAIT_S = 1.0  # while connections are open
_HEAD_TIMEOUT_S = HEAD_TIMEOUT_NS // SECOND_NS
_EVENTS = 64
_ACCEPTS = 4  # at a time, with siblings
_ACCEPTS_ALONE = 64
_PLAIN = int(select.EPOLLIN)  # readable, and nothing else
_ENDED = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR

_EXPIRED = {
    504: ("queue_timeouts", "no request thread within queue-timeout"),
    503: ("refused", "no place in the queue within connect-timeout"),
}


class Poller(Keeper):
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
        super().__init__(epoll, words, settings, clock, dates, log)
        self.listening = listening
        self.queue = queue
        self.trust = trust
        # Connections and events, not looked at yet. Not by descriptor: a request thread may close a connection
        # meanwhile, and the number is given out again at once, to a new one that these events are not about.
        self.ready: Deque[Tuple[Connection, int]] = collections.deque()
        self.places: Callable[[], int] = lambda: _ACCEPTS
        self.work: Callable[[], Tuple[int, bool]] = lambda: (0, False)  # calls since the start, whether they are short
        self.ended: Callable[[], int] = lambda: 0  # calls of request threads that did not lead
        self.most_connections = _most_connections()
        self._intake = intake
        self._published = 0  # connections, as the board has them
        self._told_occupied = 0
        self._queue_surplus = 0  # of `surplus`, that is there because requests wait
        self._read = os.read

    def stop(self) -> None:
        """Take no new connections, and close each after its next answer."""
        self.stopping = True
        self.keeps = False
        self.wake()

    def wait(self) -> None:
        """Send what is in the outbox, wait for events, put them into `ready`; accept and act on deadlines at once."""
        if self.outbox:
            self.send_outbox()
        listening, connections = self.listening, self.connections
        open_now = len(connections)
        self._compare(open_now)
        full = open_now >= self.most_connections and not self._make_room()
        if listening.watching != (not full) or listening.occupied or listening.paused_until_ns or listening.stopped:
            listening.adjust(full)
        try:
            events = self.epoll.poll(self._timeout_s(), _EVENTS)
        except InterruptedError:
            events = []
        self.dates.refresh()
        self._take_in(self._hear(events))
        if self.stopping and not listening.stopped:
            self._stop_listening()
        if self._next_deadline_ns or self.queue.next_expiry_ns or listening.paused_until_ns:
            self._keep_time(self._clock())

    def _hear(self, events: List[Tuple[int, int]]) -> List[int]:
        """Put events into `ready`, with what idle clients have sent; return listeners where connections have arrived.

        Those are for later: until all events have found their connections, none may be added.
        """
        find, put, read = self.connections.get, self.ready.append, self._read
        arrivals: List[int] = []
        for fd, flags in events:
            connection = find(fd)
            if connection is None:
                if fd == self._wake_read:
                    self._wakened()
                elif fd in self.listening:
                    arrivals.append(fd)
                continue
            if flags != _PLAIN or connection.state != IDLE or connection.owned:
                put((connection, flags))
                continue
            # Read before any request of this round is run: see `Keeper.send_outbox`.
            try:
                data = read(fd, connection.expected)  # `watch` has made it non-blocking
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            except MemoryError as error:
                self._give_up(connection, error)
                continue
            if not data:
                self._lost(connection)
                continue
            if len(data) == connection.expected:
                connection.more = True
            connection.data = connection.data + data if connection.data else data
            connection.deadline_ns = 0  # it is not idle any more, whatever the time is when its turn comes
            put((connection, 0))
        return arrivals

    def _compare(self, connections: int) -> None:
        """Tell siblings what has changed; while requests wait here and one has time, send some kept connections there.

        A kept connection stays where it was accepted, and a process that was the only one free at that moment has them
        all.
        """
        listening = self.listening
        waiting = len(self.queue)
        if listening.saturated:
            listening.siblings.count(waiting)
        if connections != self._published or listening.occupied != self._told_occupied or listening.saturated:
            self._published = self._words[WORD["connections"]] = connections
            self._told_occupied = listening.occupied
            listening.tell(connections)
        if self._queue_surplus and not waiting:
            self.surplus = self._queue_surplus = 0
        siblings = listening.siblings
        if siblings.reporting and (now_ns := self._clock()) >= siblings.next_look_ns:
            was = siblings.standby.active
            siblings.look(now_ns, *self.work())
            if siblings.standby.active != was:
                listening.tell(connections)
            self.surplus = siblings.surplus(connections, waiting, listening.saturated)
            self._queue_surplus = self.surplus if waiting else 0

    def step(self) -> Optional[Connection]:
        """As `act`, on the oldest event in `ready`."""
        return self.act(*self.ready.popleft())

    def act(self, connection: Connection, flags: int) -> Optional[Connection]:
        """Act on an event; a connection whose request is complete becomes the caller's."""
        try:
            if not flags and connection.state == IDLE and not connection.owned:
                return connection if self.resume(connection) else None
            return self._act(connection, flags)
        except Exception as error:  # noqa: BLE001 — an error of ours, or no memory, ends this connection only
            self._give_up(connection, error)
            return None

    def _give_up(self, connection: Connection, error: Exception) -> None:
        self.report("cannot go on with the connection of %s" % connection.peer, error)
        self.abort(connection)

    def _act(self, connection: Connection, flags: int) -> Optional[Connection]:
        if connection.state == CLOSED or (connection.owned and self._note(connection, flags)):
            return None
        if connection.state == POSTED:  # pipelining, or a client that leaves: first things first
            self.send_outbox()
        if not flags and connection.state == IDLE:
            return connection if self.resume(connection) else None
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

    def _note(self, connection: Connection, flags: int) -> bool:
        """Leave the event to the request thread that owns the connection; False when it has just given it back."""
        with self.lock:
            if not connection.owned:
                return False
            connection.signalled |= flags or select.EPOLLIN
        output = connection.output
        if output is not None and flags & select.EPOLLOUT:
            # PEP 3333, "Buffering and Streaming": a block goes on its way while the next one is computed.
            with output.lock, contextlib.suppress(OSError):  # the owner meets the error at its next write
                output.flush(connection.sock)
        return True

    def _timeout_s(self) -> Optional[float]:
        if self.ready or (self.queue.runnable and not self.listening.saturated):  # a request thread leads, and takes it
            return 0.0
        timeout_s = LONGEST_WAIT_S if self.connections else None
        expiry_ns = self.queue.next_expiry_ns
        for deadline_ns in (self._next_deadline_ns, expiry_ns, self.listening.paused_until_ns):
            if deadline_ns:
                left_s = max(0.0, (deadline_ns - self._clock()) / SECOND_NS)
                timeout_s = left_s if timeout_s is None else min(timeout_s, left_s)
        if self.listening.siblings.standby.active:
            timeout_s = LOOK_STANDING_BY_S if timeout_s is None else min(timeout_s, LOOK_STANDING_BY_S)
        if self.listening.probing() or len(self.connections) >= self.most_connections:
            probe_s = self.listening.probe_s
            timeout_s = probe_s if timeout_s is None else min(timeout_s, probe_s)
        return timeout_s

    def _take_in(self, arrivals: List[int]) -> None:
        """Accept from these listeners, or leave that to siblings; look whether anybody waits where nobody is free."""
        listening = self.listening
        for fd in arrivals:
            if not listening.leaves(fd, len(self.connections)):
                self._accept(fd)
        if listening.probing():
            for fd, most in listening.probe(self.ended()):
                self._accept(fd, most)

    def _accept(self, fd: int, most: int = 0) -> None:
        # A few at a time, and no more than there are threads for: what is left wakes a sibling, or us again.
        if not most:
            most = _ACCEPTS_ALONE if self.listening.siblings.serve_alone() else min(_ACCEPTS, self.places())
        room = self.most_connections - len(self.connections)
        accepted = self.listening.accept(fd, self.trust, max(1, min(most, room)))
        for connection in accepted:
            self.connections[connection.fd] = connection
            # Most clients send at once: look before epoll is asked to watch.
            self.ready.append((connection, select.EPOLLIN))

    def _make_room(self) -> bool:
        """If somebody waits while all places are taken, close the connections that have been silent for longest."""
        if not self.listening.anybody_waits():
            return False
        silent = [item for item in self.connections.copy().values() if item.state in (IDLE, HEAD) and not item.owned]
        silent.sort(key=lambda item: item.deadline_ns)
        for connection in silent[: max(1, self.most_connections // 16)]:
            self.close(connection)
        return bool(silent)

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
        self.keep_alive_ns = min(self.keep_alive_ns, DRAIN_IDLE_NS)
        limit_ns = self._clock() + DRAIN_IDLE_NS
        for connection in self.connections.copy().values():
            if connection.state == IDLE:  # owned or not: see `_await_next`
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
        self._next_deadline_ns = next_ns = 0  # first, so that what others set from here on is found below
        for connection in self.connections.copy().values():
            deadline_ns = connection.deadline_ns
            if 0 < deadline_ns <= now_ns:
                if not connection.owned:
                    self._overdue(connection)
            elif deadline_ns and not 0 < next_ns <= deadline_ns:
                next_ns = deadline_ns
        if next_ns:
            self._expect(max(next_ns, now_ns + LOOK_NS))

    def _overdue(self, connection: Connection) -> None:
        state = connection.state
        if state == HEAD:
            self.refuse(connection, 408, "the head did not come within %d s, or socket-timeout" % _HEAD_TIMEOUT_S)
        elif state == BODY:
            self.refuse(connection, 408, "the body came too slowly")
        elif state == FLUSHING:
            self._log(
                "warning",
                "%s: the client has not taken its response for %gs: connection aborted"
                % (connection.peer, self.write_timeout_s),
            )
            with self.lock:
                self._words[WORD["aborted"]] += 1
            self.abort(connection)
        else:
            self.close(connection)

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
        while True:
            try:
                if self._intake.advance(connection):
                    connection.deadline_ns = 0
                    return True
                break
            except ProtocolError as error:
                if not self.refuse(connection, error.status, error.reason, error.keep):
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
        elif connection.data:
            if connection.state != HEAD:
                connection.state = HEAD
                connection.begun_ns = now_ns
            deadline_ns = connection.begun_ns + HEAD_TIMEOUT_NS
            if self.settings.socket_timeout_s:
                deadline_ns = min(deadline_ns, now_ns + int(self.settings.socket_timeout_s * SECOND_NS))
            self.set_deadline(connection, deadline_ns)
        self.watch(connection)
        return False

    def _lost(self, connection: Connection) -> None:
        """The client has closed or reset the connection before a request was complete."""
        if connection.state in (BODY, QUEUED):
            self._abandon(connection)
        else:
            self.close(connection)


def _most_connections() -> int:
    """As many as descriptors allow, leaving the application half of them up to a reserve of a thousand."""
    import resource

    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 65536
    return max(8, min(65536, max(soft // 2, soft - 1000)))
