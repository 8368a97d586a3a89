"""How many requests a second each group answers, and how long they take: the status shows it without looking twice.

Runs in the manager's only thread: when processes of a group have done something, and when somebody asks. A part of each
board is read, which takes some microseconds.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.lifecycle.watch import QUIET_S
from wsgigroups.runtime.wire import board
from wsgigroups.runtime.wire.histograms import APPLICATION

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from wsgigroups.manager.core.model import GroupState
    from wsgigroups.manager.supervision.processes import Process

RATE_S = 10.0  # a rate is that of so long
APART_S = 0.8  # two looks that are kept, at least: whoever asks often fills nothing
PERCENTILE_S = 60.0  # a percentile is that of so long, at most
MARK_S = 10.0  # between two looks whose ranges are kept
_TOTAL = "requests_total"
_FIRST = board.WORD[_TOTAL]
_RANGES = APPLICATION.word_names
_RANGES_AT = APPLICATION.first - _FIRST
_COUNT = _RANGES_AT + len(_RANGES)
_MOST = 2**53 - 1  # what a tenant writes is bounded, as in the status
Counts = tuple[int, ...]


@dataclass(slots=True)
class _Seen:
    """One group: what it had answered at the last looks, and how many requests took how long.

    Of what is older than the time that counts, the latest is kept: it is what the rest is compared with.
    """

    totals: deque[tuple[float, int]] = field(default_factory=deque)
    marks: deque[tuple[float, Counts]] = field(default_factory=deque)
    latest: Counts = ()
    looked: float = 0.0

    def note(self, now: float, counts: Counts) -> None:
        total = min(counts[0], _MOST)
        if len(self.totals) > 1 and now - self.totals[-2][0] < APART_S:
            self.totals[-1] = now, total
        else:
            self.totals.append((now, total))
        if self.marks and now - self.looked > MARK_S and self.marks[-1][0] < self.looked:
            self.marks.append((self.looked, self.latest))
        self.looked, self.latest = now, counts[1:]
        if not self.marks or now - self.marks[-1][0] >= MARK_S:
            self.marks.append((now, self.latest))
        while len(self.totals) > 1 and self.totals[1][0] <= now - RATE_S:
            self.totals.popleft()
        while len(self.marks) > 1 and self.marks[1][0] <= now - PERCENTILE_S + MARK_S:
            self.marks.popleft()


class Throughput:
    """What was seen of the groups."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def look(self, group: GroupState, processes: Mapping[int, Process]) -> None:
        """Note the counts of this moment."""
        found = [processes.get(record.life) for record in group.records]
        counted = [_counts(process.board_fd) for process in found if process is not None and not process.closed]
        if group.ended or not counted:
            counted.append((group.ended.get(_TOTAL, 0), *(group.ended.get(word, 0) for word in _RANGES)))
        counts = counted[0] if len(counted) == 1 else tuple(map(sum, zip(*counted, strict=True)))
        name = group.target.name
        seen = self._seen.get(name) or self._seen.setdefault(name, _Seen())
        seen.note(time.monotonic(), counts)

    def keep(self, groups: Container[str]) -> None:
        """Forget all others."""
        for name in [name for name in self._seen if name not in groups]:
            del self._seen[name]

    def per_s(self, group: str) -> float | None:
        """Requests a second that have ended until the last look; None before there were two looks."""
        seen = self._seen.get(group)
        if seen is None or len(seen.totals) < 2:
            return None
        (since, before), (until, now) = seen.totals[0], seen.totals[-1]
        then, counted = seen.totals[1]
        # what is not looked at for longer has done nothing meanwhile
        begins = then if counted == before else then - QUIET_S
        since = max(since, min(until - RATE_S, begins))
        return round(max(0, now - before) / (until - since), 1) if until > since else None

    def p99_s(self, group: str) -> float | None:
        """99 of 100 requests took at most so long in the application; None where none has ended in the last minute."""
        seen = self._seen.get(group)
        if seen is None or not seen.marks:
            return None
        counts = [max(0, after - before) for after, before in zip(seen.latest, seen.marks[0][1], strict=True)]
        return quantile(counts, 0.99)


def quantile(counts: Sequence[int], part: float) -> float | None:
    """Return seconds, from how many requests are in each range of APPLICATION; None where there are none.

    Within a range they are taken to be spread evenly, as Prometheus does (histogram_quantile); in the last one, which
    has no end, it is where that begins.
    """
    wanted = sum(counts) * part
    if not wanted:
        return None
    passed, begin_ns = 0, 0
    for count, end_ns in zip(counts, APPLICATION.bounds_ns, strict=False):
        if count and passed + count >= wanted:
            return round((begin_ns + (end_ns - begin_ns) * (wanted - passed) / count) / 1e9, 6)
        passed, begin_ns = passed + count, end_ns
    return begin_ns / 1e9


def _counts(board_fd: int) -> Counts:
    """The total and the ranges, whatever a tenant has made of its board."""
    words = board.part(board_fd, _FIRST, _COUNT)
    return (words[0], *words[_RANGES_AT:]) if words else (0,) * (1 + len(_RANGES))
