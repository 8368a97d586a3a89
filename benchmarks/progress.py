"""How long a measurement takes: an estimate at the start, corrected by what has been done since.

Runs in the benchmark's process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import product

from benchmarks.cases import Case
from benchmarks.measuring import WARM_UP_S, Schedule

START_AND_STOP_S = 0.7  # of one server, in the mean
BESIDE_S = 0.1  # accounting, and the start of wrk twice
IDLE_S = 0.5  # to open a thousand connections


def estimate_s(schedule: Schedule) -> float:
    """Return the seconds that the loads take, starts and warm-ups included."""
    return sum(
        START_AND_STOP_S + sum(load_s(case, schedule.seconds_of(case)) for case in cases) for cases in starts(schedule)
    )


def load_s(case: Case, seconds: float) -> float:
    """Return the seconds of one load with its warm-up; wrk counts whole seconds."""
    idle_s = IDLE_S if case.idle_connections or case.slow_heads else 0.0
    return max(1.0, round(seconds)) + WARM_UP_S + BESIDE_S + idle_s


def starts(schedule: Schedule) -> Iterable[list[Case]]:
    """Yield the cases of each start of a server."""
    for number in range(1, schedule.longest + 1):
        for layout, peer in product(schedule.layouts, schedule.peers):
            yield from schedule.starts(number, peer, layout)


def count(schedule: Schedule) -> int:
    """Return the number of loads."""
    return sum(len(cases) for cases in starts(schedule))


class Progress:
    """Counts loads, and tells how long the others will take."""

    def __init__(self, schedule: Schedule, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began_s = clock()
        self.loads = max(1, count(schedule))
        self.estimate_s = estimate_s(schedule)
        self._done = 0

    def advance(self) -> str:
        """Note that a load is done; return how far that is, in words."""
        self._done += 1
        share = self._done / self.loads
        passed_s = self._clock() - self._began_s
        left_s = passed_s / share - passed_s if share > 0.1 else self.estimate_s * (1 - share)
        return f"{self._done}/{self.loads}, about {words(left_s)} left"


def words(seconds: float) -> str:
    """Return a duration as people say it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
