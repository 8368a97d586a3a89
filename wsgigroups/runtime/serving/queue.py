"""Requests that wait for a request thread: first in, first out, bounded, with the time each may wait.

Pure; the caller holds the poller's lock. The first `places` are in the queue proper (listen-backlog) and get 504 when
queue-timeout is over; what came when it was full waits outside for a place and gets 503 after connect-timeout.
"""

from __future__ import annotations

import collections
from typing import Deque, List, Optional, Tuple

from .connection import CLOSED, QUEUED, Connection


class Queue:
    """Durations in nanoseconds, 0 for no limit."""

    def __init__(self, places: int, queue_timeout_ns: int, connect_timeout_ns: int) -> None:
        self.places = places
        self.queue_timeout_ns = queue_timeout_ns
        self.connect_timeout_ns = connect_timeout_ns
        self.next_expiry_ns = 0  # nothing expires earlier; 0: nothing ever
        self._inside: Deque[Connection] = collections.deque()
        self._outside: Deque[Connection] = collections.deque()

    def __len__(self) -> int:
        return len(self._inside) + len(self._outside)

    def offer(self, connection: Connection, now_ns: int) -> None:
        """Let it wait; `arrived_ns` of the connection is when its request came."""
        connection.state = QUEUED
        connection.offered_ns = now_ns
        side = self._inside if len(self._inside) < self.places else self._outside
        side.append(connection)
        self._expect(self._expiry(connection, side is self._outside)[0])

    def take(self) -> Optional[Connection]:
        """Return the one that has waited longest, None when nobody waits."""
        while self._inside:
            connection = self._inside.popleft()
            if self._outside:
                self._inside.append(self._outside.popleft())
            if connection.state != CLOSED:
                return connection
        return None

    def expire(self, now_ns: int) -> List[Tuple[Connection, int]]:
        """Remove and return those that have waited too long, each with its status."""
        expired: List[Tuple[Connection, int]] = []
        self.next_expiry_ns = 0
        outside = self._sift(self._outside, True, now_ns, expired)
        self._inside = self._sift(self._inside, False, now_ns, expired)
        while outside and len(self._inside) < self.places:
            self._inside.append(outside.popleft())
        self._outside = outside
        for side in (self._inside, self._outside):
            for connection in side:
                self._expect(self._expiry(connection, side is self._outside)[0])
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
