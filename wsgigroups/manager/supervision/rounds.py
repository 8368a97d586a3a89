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

    def gone(self, lives: Collection[int]) -> set[int]:
        """Return the lives that are over since the last round, which are forgotten. lives: of all processes."""
        gone = self._known.difference(lives)
        self._known -= gone
        return gone

    def due(self, lives: Collection[int], now: float) -> list[int]:
        """Return whose turn it is, new ones among them; each is to be given its next one with `again`."""
        fresh = [life for life in lives if life not in self._known]
        self._known.update(fresh)
        due = []
        while self._due and self._due[0][0] <= now + _EARLY_S:
            life = heapq.heappop(self._due)[1]
            if life in self._known:
                due.append(life)
        return due + fresh

    def again(self, life: int, at: float) -> None:
        """Look at it then."""
        heapq.heappush(self._due, (at, life))
