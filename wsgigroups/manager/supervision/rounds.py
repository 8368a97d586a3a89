"""Which processes are looked at in a round: those that do something each time, the others now and then. Pure.

A thousand idle processes would else cost their manager a tenth of a processor for nothing.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_EARLY_S = 0.05  # rounds are a little more than a period apart, and not to be missed by as little


class Rounds:
    """When each life is looked at next. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int]] = []  # a heap; what it has of lives that are gone is dropped when it comes
        self._known: set[int] = set()

    def follow(self, lives: Collection[int], now: float) -> set[int]:
        """Go by these from now on, the lives of all processes; return those that are over, which are forgotten."""
        gone = self._known.difference(lives)
        for life in lives:
            if life not in self._known:
                self.again(life, now)
        self._known = set(lives)
        return gone

    def due(self, now: float) -> list[int]:
        """Return whose turn it is; each is to be given its next one with `again`."""
        due = []
        while self._due and self._due[0][0] <= now + _EARLY_S:
            life = heapq.heappop(self._due)[1]
            if life in self._known:
                due.append(life)
        return due

    def again(self, life: int, at: float) -> None:
        """Look at it then."""
        heapq.heappush(self._due, (at, life))
