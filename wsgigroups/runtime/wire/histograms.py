"""The histograms of the board: how long each phase of a request took, counted in fixed ranges.

A range is one word. What is quick is the rule: a request thread counts only what took longer than the first bound, and
the rest is the first range. So a request that is quick in every phase costs three comparisons.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Tuple

_MS = 1_000_000
QUICK_NS = _MS  # the first bound of each


@dataclass(frozen=True)
class Histogram:
    """One phase. first: the index of its first word; behind the bounds there is a range for all that took longer."""

    phase: str
    first: int
    bounds_ns: Tuple[int, ...]
    sum_word: str
    meaning: str  # a clause for people

    @property
    def word_names(self) -> Tuple[str, ...]:
        """Those of its ranges."""
        within = tuple("%s_within_%d_ms" % (self.phase, bound // _MS) for bound in self.bounds_ns)
        return (*within, "%s_longer" % self.phase)

    def index(self, duration_ns: int) -> int:
        """Return the index on the board of the range that this belongs to; its upper bound belongs to it."""
        return self.first + bisect_left(self.bounds_ns, duration_ns)


def _bounds(*bounds_ms: int) -> Tuple[int, ...]:
    return tuple(bound * _MS for bound in bounds_ms)


QUEUE = Histogram(
    *("queue", 28, _bounds(1, 10, 100, 500, 1000, 5000, 30000), "queue_time_ns"),
    meaning="for how long requests have waited for a thread",
)
APPLICATION = Histogram(
    *("application", 36, _bounds(1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000), "application_time_ns"),
    meaning="from calls of the application to the ends of answers",
)
SEND = Histogram(
    *("send", 49, _bounds(1, 10, 100, 1000, 5000, 30000), "send_time_ns"),
    meaning="for how long answers that did not leave at once have waited for their clients",
)
HISTOGRAMS: Tuple[Histogram, ...] = (QUEUE, APPLICATION, SEND)
