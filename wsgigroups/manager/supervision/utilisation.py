"""How busy the request threads of each process were lately, from what its board says at each look. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgigroups.runtime.wire.board import Snapshot

LATELY_S = 15.0  # what was so long ago counts 37 %


@dataclass(slots=True)
class _Seen:
    at_ns: int
    busy_ns: int
    share: float | None = None


class Utilisation:
    """By life. Times are monotonic."""

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}

    def see(self, life: int, snapshot: Snapshot, threads: int, now_ns: int) -> None:
        """Take note of a board. What runs counts up to now, what has ended with the time that it took."""
        busy_ns = snapshot["application_time_ns"] + sum(max(0, now_ns - since) for since in snapshot.busy.values())
        seen = self._seen.get(life)
        if seen is None:
            self._seen[life] = _Seen(now_ns, busy_ns)
            return
        passed_ns = now_ns - seen.at_ns
        if passed_ns <= 0:
            return
        share = min(1.0, max(0.0, (busy_ns - seen.busy_ns) / (passed_ns * threads)))
        weight = 1.0 if seen.share is None else 1.0 - math.exp(-passed_ns / 1e9 / LATELY_S)
        seen.share = share * weight + (seen.share or 0.0) * (1.0 - weight)
        seen.at_ns, seen.busy_ns = now_ns, busy_ns

    def of(self, life: int) -> float | None:
        """Return the share of its threads that were busy, 0 … 1; None: not known yet."""
        seen = self._seen.get(life)
        return seen.share if seen else None

    def forget(self, life: int) -> None:
        """It is over."""
        self._seen.pop(life, None)
