"""Which processes are looked at in a round: those that do something each time, the others now and then. Pure.

A thousand idle processes would else cost their manager a tenth of a processor for nothing.
"""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_EARLY_S = 0.05  # rounds are a little more than a period apart, and not to be missed by as little


class Rounds:
    """When each life is looked at next. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int]] = []  # a heap; what is not the next turn of its life is passed over
        self._next: dict[int, float] = {}

    def follow(self, lives: Collection[int], now: float) -> set[int]:
        """Go by these from now on, the lives of all processes; return those that are over, which are forgotten."""
        gone = self._next.keys() - lives
        for life in gone:
            del self._next[life]
        for life in lives:
            if life not in self._next:
                self.again(life, now)
        return gone

    def due(self, now: float) -> list[int]:
        """Return whose turn it is; each is to be given its next one with `again`."""
        due = []
        while self._due and self._due[0][0] <= now + _EARLY_S:
            at, life = heapq.heappop(self._due)
            if self._next.get(life) == at:
                self._next[life] = math.inf
                due.append(life)
        return due

    def again(self, life: int, at: float) -> None:
        """Look at it then, and not when it was to be looked at before."""
        self._next[life] = at
        heapq.heappush(self._due, (at, life))
