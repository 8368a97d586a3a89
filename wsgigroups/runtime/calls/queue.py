"""Requests that wait for a request thread: first in, first out, bounded, with the time each may wait.

Pure; the caller holds the poller's lock. The first `places` are in the queue proper (listen-backlog) and get 504 when
queue-timeout is over; what came when it was full waits outside for a place and gets 503 after connect-timeout. Slow
requests for which there is no lane are held: they keep their place, and others pass them.
"""

from __future__ import annotations

import collections
from typing import Deque, List, Optional, Tuple

from ..front.connection import CLOSED, QUEUED, Connection
from .lanes import HOLD_NS


class Queue:
    """Durations in nanoseconds, 0 for no limit."""

    def __init__(self, places: int, queue_timeout_ns: int, connect_timeout_ns: int) -> None:
        self.places = places
        self.queue_timeout_ns = queue_timeout_ns
        self.connect_timeout_ns = connect_timeout_ns
        self.next_expiry_ns = 0  # nothing expires earlier; 0: nothing ever
        self._inside: Deque[Connection] = collections.deque()
        self._outside: Deque[Connection] = collections.deque()
        self._held: Deque[Connection] = collections.deque()
        self.used = False  # whether the leader looks here first; it reads this without the lock

    def __len__(self) -> int:
        return len(self._inside) + len(self._outside) + len(self._held)

    @property
    def runnable(self) -> int:
        """How many requests wait for nothing but a thread; what is outside waits for a place."""
        return len(self._inside)

    def offer(self, connection: Connection, now_ns: int, held: bool = False) -> None:
        """Let it wait; `arrived_ns` of the connection is when its request came. held: it has no lane, as for `hold`."""
        connection.state = QUEUED
        connection.offered_ns = now_ns
        if not self.has_place():
            self._outside.append(connection)
            self._expect(self._expiry(connection, True)[0])
        elif held:
            self.hold(connection)
        else:
            self._inside.append(connection)
            self._expect(self._expiry(connection, False)[0])
            self.used = True

    def hold(self, connection: Connection) -> None:
        """Let others pass one that has a place, until it has a lane, or HOLD_NS are over since it was offered."""
        connection.state = QUEUED
        self._held.append(connection)
        self._expect(connection.offered_ns + HOLD_NS)
        self._expect(self._expiry(connection, False)[0])

    def take(self, lane: bool) -> Optional[Connection]:
        """Return the one that has waited longest, None when nobody waits. lane: whether there is one for a slow one."""
        while True:
            if lane and self._held:
                connection = self._held.popleft()
            elif self._inside:
                connection = self._inside.popleft()
            else:
                return None
            if self._outside and self.has_place():
                self._inside.append(self._outside.popleft())
                self.used = True
            if connection.state != CLOSED:
                return connection

    def has_place(self) -> bool:
        """Whether one more fits in."""
        return len(self._inside) + len(self._held) < self.places

    def expire(self, now_ns: int) -> List[Tuple[Connection, int]]:
        """Remove and return those that have waited too long, each with its status."""
        expired: List[Tuple[Connection, int]] = []
        self.next_expiry_ns = 0
        outside = self._sift(self._outside, True, now_ns, expired)
        self._inside = self._sift(self._inside, False, now_ns, expired)
        self._held = self._sift(self._held, False, now_ns, expired)
        while self._held and self._held[0].offered_ns + HOLD_NS <= now_ns:
            self._inside.append(self._held.popleft())
            self.used = True
        while outside and self.has_place():
            self._inside.append(outside.popleft())
            self.used = True
        self._outside = outside
        for side in (self._inside, self._outside, self._held):
            for connection in side:
                self._expect(self._expiry(connection, side is self._outside)[0])
        if self._held:
            self._expect(self._held[0].offered_ns + HOLD_NS)
        return expired

    def _sift(
        self, side: Deque[Connection], outside: bool, now_ns: int, expired: List[Tuple[Connection, int]]
    ) -> Deque[Connection]:
        kept: Deque[Connection] = collections.deque()
        for connection in side:
            when_ns, status = self._expiry(connection, outside)
            if connection.state == CLOSED:
                continue
            if when_ns and when_ns <= now_ns:
                expired.append((connection, status))
            else:
                kept.append(connection)
        return kept

    def _expiry(self, connection: Connection, outside: bool) -> Tuple[int, int]:
        """When it has waited too long, and the answer then."""
        timeout_ns = connection.arrived_ns + self.queue_timeout_ns if self.queue_timeout_ns else 0
        if outside and self.connect_timeout_ns:
            place_ns = connection.offered_ns + self.connect_timeout_ns
            if not timeout_ns or place_ns < timeout_ns:
                return place_ns, 503
        return timeout_ns, 504

    def _expect(self, when_ns: int) -> None:
        if when_ns and (not self.next_expiry_ns or when_ns < self.next_expiry_ns):
            self.next_expiry_ns = when_ns
