"""How long a measurement takes: an estimate at the start, corrected by what has been done since.

Runs in the benchmark's process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import groupby

from benchmarks.cases import Case
from benchmarks.measuring import WARM_UP_S, Schedule

START_AND_STOP_S = 2.5  # of one server, in the mean
BESIDE_S = 0.4  # accounting, and the start of wrk twice
IDLE_S = 1.0  # to open a thousand connections twice


def estimate_s(schedule: Schedule) -> float:
    """Return the seconds that the loads take, starts and warm-ups included."""
    round_s = 0.0
    for layout in schedule.layouts:
        for peer in schedule.peers:
            if peer.fits(layout):
                round_s += sum(load_s(case, schedule.seconds) for case in schedule.cases)
                applications = sorted(case.application for case in schedule.cases)
                round_s += START_AND_STOP_S * len([name for name, _cases in groupby(applications)])
    return round_s * schedule.rounds


def load_s(case: Case, seconds: float) -> float:
    """Return the seconds of one load with its warm-up; wrk counts whole seconds."""
    measured_s = max(1.0, round(seconds)) + max(1.0, round(min(WARM_UP_S, seconds)))
    return measured_s + BESIDE_S + (IDLE_S if case.idle_connections or case.slow_heads else 0.0)


def count(schedule: Schedule) -> int:
    """Return the number of loads."""
    servers = sum(peer.fits(layout) for layout in schedule.layouts for peer in schedule.peers)
    return schedule.rounds * servers * len(schedule.cases)


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
