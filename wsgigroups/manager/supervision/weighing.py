"""Proportional memory of processes, read a little at a time: for one process that takes the kernel a millisecond.

Runs in the manager's only thread, after the look at daemons, and only while somebody asks for it.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ASKED_S = 300.0  # after the last question nobody is weighed any more
BUDGET_S = 0.010  # at a time; at least one process is weighed


class Weighing:
    """The last known weight of each life, in bytes. weigh: reads it, by pid."""

    def __init__(self, weigh: Callable[[int], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._weigh = weigh
        self._known: dict[int, int] = {}
        self._round: list[int] = []  # lives that this round has still to come to
        self._asked_until = self._spends_until = -math.inf

    def ask(self) -> None:
        """Somebody wants to know of all processes, now and later."""
        now = self._clock()
        self._asked_until, self._spends_until = now + ASKED_S, now + BUDGET_S

    def of(self, life: int, pid: int) -> int:
        """Return what is known; who was never weighed is now, if there is time for it in this question."""
        if life not in self._known and self._clock() < self._spends_until:
            self._known[life] = self._weigh(pid)
        return self._known.get(life, 0)

    def look(self, pids_of_all: Callable[[], Mapping[int, int]]) -> None:
        """Go on with the round, for as long as the budget lasts. pids_of_all: of all processes, by life."""
        now = self._clock()
        if now >= self._asked_until:
            self._known.clear()
            return
        pids = pids_of_all()
        for life in self._known.keys() - pids:
            del self._known[life]
        self._round = self._round or list(pids)
        while self._round:
            life = self._round.pop()
            if pids.get(life, 0) > 0:
                self._known[life] = self._weigh(pids[life])
            if self._clock() - now >= BUDGET_S:
                return
