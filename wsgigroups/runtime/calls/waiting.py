"""Requests that wait for a request thread: first in, first out, bounded, with the time each may wait.

The leader has them wait when every thread is in the application, or when there is no lane for a slow one; whoever ends
a call takes the one that has waited longest. As long as some are `used`, the leader looks here before it looks at what
the poll found.

The first `places` are inside (listen-backlog) and get 504 when queue-timeout is over; what came when it was full waits
outside for a place and gets 503 after connect-timeout. Slow requests for which there is no lane are held: they keep
their place, and others pass them.
"""

from __future__ import annotations

import collections
from typing import Callable, Deque, List, Optional, Tuple

from ..front.connection import CLOSED, QUEUED, RUNNING, Connection
from ..front.poller import Poller
from ..front.timing import SECOND_NS
from ..originals import select, time
from ..protocol import forwarding
from ..wire.board import WORD
from ..wire.spec import Serving
from .lanes import HOLD_NS, Lanes

_GONE = select.EPOLLHUP | select.EPOLLERR
_MOST_WAITED_NS = 86400 * SECOND_NS  # that a gateway is believed
_LATE_AT_GATEWAY = "it waited for longer than queue-timeout before it came here"
_REASONS = {
    504: ("queue_timeouts", "no request thread within queue-timeout"),
    503: ("refused", "no place in the queue within connect-timeout"),
}


class Waiting:
    """All of them. "Locked": the caller holds the lock of the connections."""

    def __init__(self, poller: Poller, lanes: Lanes, words: memoryview, clock: Callable[[], int]) -> None:
        self._poller = poller
        self._lanes = lanes
        self._lock = poller.connections.lock
        self._words = words
        self._clock = clock
        self._inside: Deque[Connection] = collections.deque()
        self._outside: Deque[Connection] = collections.deque()
        self._held: Deque[Connection] = collections.deque()
        self.next_expiry_ns = 0  # nothing expires earlier; 0: nothing ever
        self.used = False  # whether the leader looks here first; it reads this without the lock
        self._places = 1
        self._queue_timeout_ns = self._connect_timeout_ns = 0

    def __len__(self) -> int:
        return len(self._inside) + len(self._outside) + len(self._held)

    @property
    def runnable(self) -> int:
        """How many wait for nothing but a thread; what is outside waits for a place, what is held for a lane."""
        return len(self._inside)

    def tune(self, settings: Serving) -> None:
        """Take over limits, for those who wait already, too."""
        with self._lock:
            self._places = max(1, settings.listen_backlog)
            self._queue_timeout_ns = int(settings.queue_timeout_s * SECOND_NS)
            self._connect_timeout_ns = int(settings.connect_timeout_s * SECOND_NS)
        self.expire(0)  # nothing is that old: only the next expiry is found anew

    # In

    def put(self, connection: Connection, held: bool = False) -> None:
        """Have a request wait that has just come; watched, so as to hear of it if its client leaves. The caller leads.

        held: it has no lane.
        """
        if connection.trusted and self.too_late(connection):
            return
        self._poller.connections.watch(connection)
        with self._lock:
            self.add(connection, held)

    def add(self, connection: Connection, held: bool = False) -> None:
        """Have a request wait. Locked; if the caller does not lead, it wakes the leader afterwards."""
        connection.to(QUEUED)
        connection.offered_ns = now_ns = self._clock()
        connection.arrived_ns = connection.arrived_ns or now_ns
        if not self._has_place():
            self._outside.append(connection)
            self._expect(self._expiry(connection, True)[0])
        elif held:
            self._hold(connection)
        else:
            self._enter(connection)
        self._words[WORD["requests_queued"]] = len(self)

    def _enter(self, connection: Connection) -> None:
        self._inside.append(connection)
        self._expect(self._expiry(connection, False)[0])
        self.used = True

    def _hold(self, connection: Connection) -> None:
        """Let others pass it, until it has a lane, or HOLD_NS are over since it came here."""
        self._held.append(connection)
        self._expect(connection.offered_ns + HOLD_NS)
        self._expect(self._expiry(connection, False)[0])

    def _has_place(self) -> bool:
        return len(self._inside) + len(self._held) < self._places

    # Out

    def next(self) -> Optional[Connection]:
        """Have all wait that has come, and take what has waited longest. The caller leads."""
        poller = self._poller
        while poller.ready:
            connection = poller.step()
            if connection is not None:
                self.put(connection)
        with self._lock:
            connection = self.take()
            self.used = len(self._inside) > 0
        return connection

    def take(self) -> Optional[Connection]:
        """Return the request that has waited longest, whose client is still there, and which may be called now. Locked.

        None if there is none.
        """
        while True:
            connection = self._pop()
            if connection is None:
                break
            if connection.signalled & _GONE:
                self._words[WORD["aborted"]] += 1
                self._poller.connections.close(connection)
            elif self.begin(connection, self._clock() - connection.offered_ns >= HOLD_NS):
                connection.to(RUNNING)
                break
            else:
                self._hold(connection)
        self._words[WORD["requests_queued"]] = len(self)
        return connection

    def _pop(self) -> Optional[Connection]:
        while True:
            if self._held and self._lanes.room():
                connection = self._held.popleft()
            elif self._inside:
                connection = self._inside.popleft()
            else:
                return None
            self._let_in()
            if connection.state != CLOSED:
                return connection

    def _let_in(self) -> None:
        while self._outside and self._has_place():
            self._enter(self._outside.popleft())

    def expire(self, now_ns: int) -> List[Tuple[Connection, int, str]]:
        """Remove and return those that have waited too long, each with the status that is due to it, and the reason."""
        expired: List[Tuple[Connection, int, str]] = []
        with self._lock:
            self.next_expiry_ns = 0
            for side in (self._outside, self._inside, self._held):
                self._sift(side, now_ns, expired)
            while self._held and self._held[0].offered_ns + HOLD_NS <= now_ns:
                self._enter(self._held.popleft())
            if self._held:
                self._expect(self._held[0].offered_ns + HOLD_NS)
            self._let_in()
            self._words[WORD["requests_queued"]] = len(self)
        return expired

    def _sift(self, side: Deque[Connection], now_ns: int, expired: List[Tuple[Connection, int, str]]) -> None:
        for _ in range(len(side)):
            connection = side.popleft()
            when_ns, status = self._expiry(connection, side is self._outside)
            if connection.state == CLOSED:
                continue
            if when_ns and when_ns <= now_ns:
                word, reason = _REASONS[status]
                self._words[WORD[word]] += 1
                expired.append((connection, status, reason))
            else:
                side.append(connection)
                self._expect(when_ns)

    def _expiry(self, connection: Connection, outside: bool) -> Tuple[int, int]:
        """When it has waited too long, and the answer then."""
        timeout_ns = connection.arrived_ns + self._queue_timeout_ns if self._queue_timeout_ns else 0
        if outside and self._connect_timeout_ns:
            place_ns = connection.offered_ns + self._connect_timeout_ns
            if not timeout_ns or place_ns < timeout_ns:
                return place_ns, 503
        return timeout_ns, 504

    def _expect(self, when_ns: int) -> None:
        if when_ns and (not self.next_expiry_ns or when_ns < self.next_expiry_ns):
            self.next_expiry_ns = when_ns

    # Lanes, and what has waited elsewhere

    def admit(self, connection: Connection) -> bool:
        """Whether a request that has just come may be called now; else it waits. The caller leads."""
        with self._lock:
            if self.begin(connection):
                return True
        self.put(connection, held=True)
        return False

    def begin(self, connection: Connection, patience_is_over: bool = False) -> bool:
        """Whether the request may be called now; a slow one that may is counted. Locked."""
        lanes, head = self._lanes, connection.head
        if not lanes.known or head is None or not lanes.slow(head):
            return True
        if not (patience_is_over or lanes.room()):
            return False
        connection.slow = True
        lanes.slow_calls += 1
        self._poller.listening.reserved = not lanes.room()
        return True

    def end_slow(self) -> None:
        """Count the end of a slow call."""
        with self._lock:
            self._lanes.slow_calls -= 1
            self._poller.listening.reserved = not self._lanes.room()

    def too_late(self, connection: Connection) -> bool:
        """Refuse a request that a trusted gateway has kept waiting for longer than queue-timeout."""
        head = connection.head
        if head is None:
            return False
        started_ns = forwarding.queue_start_ns(head.environ)
        if started_ns is None:
            return False
        waited_ns = time.time_ns() - started_ns
        if not 0 <= waited_ns <= _MOST_WAITED_NS:
            waited_ns = 0 if waited_ns < 0 else _MOST_WAITED_NS
        connection.arrived_ns = self._clock() - waited_ns
        if not 0 < self._queue_timeout_ns <= waited_ns:
            return False
        connection.owned = False
        with self._lock:
            self._words[WORD["queue_timeouts"]] += 1
        self._poller.connections.refuse(connection, 504, _LATE_AT_GATEWAY)
        return True
