"""Requests in line for a request thread: the queue of the poller, under the poller's lock, and the board's count of it.

The leader puts requests there when every thread is in the application, when there is no lane for a slow one, or when
the pace is single; whoever ends a call takes the one that has waited longest. While the queue is `used`, the leader
looks there before it looks at what the poll found.
"""

from __future__ import annotations

import select
import time
from typing import Callable, Optional

from ..front.connection import RUNNING, Connection
from ..front.poller import Poller
from ..protocol import forwarding
from ..wire.board import WORD
from .lanes import HOLD_NS, Lanes

_QUEUED, _ABORTED, _TIMEOUTS = WORD["requests_queued"], WORD["aborted"], WORD["queue_timeouts"]


class Line:
    """What the threads of a crew put into the queue and take from it."""

    def __init__(self, poller: Poller, lanes: Lanes, words: memoryview, clock: Callable[[], int]) -> None:
        self._poller = poller
        self._lanes = lanes
        self._queue = poller.queue
        self._lock = poller.lock
        self._words = words
        self._clock = clock

    def __len__(self) -> int:
        return len(self._queue)

    def offer(self, connection: Connection, now_ns: int, held: bool = False) -> None:
        """Queue a request. The caller holds the lock; if it does not lead, it wakes the leader afterwards."""
        connection.arrived_ns = connection.arrived_ns or now_ns
        self._queue.offer(connection, now_ns, held)
        self._words[_QUEUED] = len(self._queue)

    def take(self) -> Optional[Connection]:
        """Return the request that has waited longest, whose client is still there, and which may be called now.

        The caller holds the lock.
        """
        queue = self._queue
        while True:
            connection = queue.take(self._lanes.room())
            if connection is None:
                break
            if connection.signalled & (select.EPOLLHUP | select.EPOLLERR):
                self._words[_ABORTED] += 1
                self._poller.close(connection)
            elif self.begin(connection, self._clock() - connection.offered_ns >= HOLD_NS):
                break
            else:
                queue.hold(connection)
        self._words[_QUEUED] = len(queue)
        if connection is not None:
            connection.state = RUNNING
        return connection

    def begin(self, connection: Connection, patience_is_over: bool = False) -> bool:
        """Whether the request may be called now; a slow one that may is counted. The caller holds the lock."""
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

    def admit(self, connection: Connection) -> bool:
        """Whether a request that has just come may be called now; else it is in the queue. The caller leads."""
        with self._lock:
            if self.begin(connection):
                return True
        self.put(connection, held=True)
        return False

    def put(self, connection: Connection, held: bool = False) -> None:
        """Queue a request that has just come, watched, so as to hear of it if the client leaves. The caller leads.

        held: it has no lane.
        """
        if connection.trusted and self.too_late(connection):
            return
        now_ns = self._clock()
        self._poller.watch(connection)
        with self._lock:
            self.offer(connection, now_ns, held)

    def next(self, stays: bool) -> Optional[Connection]:
        """Put all that has come into the queue, and take what has waited longest. The caller leads.

        stays: whether the line is used from here on even if it is empty.
        """
        while self._poller.ready:
            connection = self._poller.step()
            if connection is not None:
                self.put(connection)
        with self._lock:
            connection = self.take()
            self._queue.used = stays or self._queue.runnable > 0
        return connection

    def too_late(self, connection: Connection) -> bool:
        """Refuse a request that a trusted gateway has kept waiting for longer than queue-timeout."""
        head = connection.head
        if head is None:
            return False
        started_s = forwarding.queue_start_s(head.environ)
        if started_s is None:
            return False
        waited_ns = int(min(max(0.0, time.time() - started_s), 86400.0) * 1e9)
        connection.arrived_ns = self._clock() - waited_ns
        if not 0 < self._queue.queue_timeout_ns <= waited_ns:
            return False
        connection.owned = False
        with self._lock:
            self._words[_TIMEOUTS] += 1
        self._poller.refuse(connection, 504, "it waited for longer than queue-timeout before it came here")
        return True
