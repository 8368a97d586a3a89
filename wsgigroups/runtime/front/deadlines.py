"""When the poller has to do something about a connection."""

from __future__ import annotations

from typing import Iterable, List

from ..originals import LockType
from .connection import Connection
from .timing import SECOND_NS

LOOK_NS = SECOND_NS // 20  # all connections are looked at no more often, so a deadline is met this late at most


class Deadlines:
    """`next_ns`: none is earlier; 0: there is none.

    A deadline is stored before `next_ns` is looked at, and the leader clears that before it looks at deadlines:
    whichever comes second sees the other.
    """

    __slots__ = ("_lock", "next_ns")

    def __init__(self, lock: LockType) -> None:
        self._lock = lock
        self.next_ns = 0

    def set(self, connection: Connection, when_ns: int) -> None:
        """The poller is to act at that time, unless the connection has moved on."""
        connection.deadline_ns = when_ns
        if not 0 < self.next_ns <= when_ns:
            self.expect(when_ns)

    def expect(self, when_ns: int) -> None:
        """Have the leader look at that time at the latest."""
        with self._lock:
            if not 0 < self.next_ns <= when_ns:
                self.next_ns = when_ns

    def over(self, connections: Iterable[Connection], now_ns: int) -> List[Connection]:
        """Return those that nobody owns and whose time is over, if it is time to look. The caller leads."""
        overdue: List[Connection] = []
        if not 0 < self.next_ns <= now_ns:
            return overdue
        self.next_ns = next_ns = 0
        for connection in connections:
            deadline_ns = connection.deadline_ns
            if 0 < deadline_ns <= now_ns and not connection.owned:
                overdue.append(connection)
            elif deadline_ns and not 0 < next_ns <= deadline_ns:
                # Also of one that is owned and whose time is over: a request thread has set it, and is about to give
                # the connection back. Whoever forgets it now leaves an idle connection open for ever.
                next_ns = deadline_ns
        if next_ns:
            self.expect(max(next_ns, now_ns + LOOK_NS))
        return overdue
