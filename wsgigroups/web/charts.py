"""What charts show: a number for each look of the last minutes, of each group and of all of them. Pure."""

from __future__ import annotations

import math
from array import array
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SERIES = ("per_s", "p99_s", "queued", "memory_bytes")
POINTS = 180  # that are kept: of six minutes, with a look each two seconds
ALL = ""  # the name under which all groups together are
_UNKNOWN = math.nan


class ChartHistory:
    """The last looks, in rings: a thousand groups take six megabytes."""

    def __init__(self) -> None:
        self._at: deque[float] = deque(maxlen=POINTS)
        self._next = 0
        self._groups: dict[str, array[float]] = {}

    def add(self, at: float, rows: Sequence[Mapping[str, Any]]) -> None:
        """Note a look; groups that are gone are forgotten. at: monotonic seconds; rows: as `frames.row` has them."""
        here, self._next = self._next, (self._next + 1) % POINTS
        self._at.append(at)
        known = {row["name"]: row for row in rows}
        known[ALL] = together(rows)
        for name in self._groups.keys() - known.keys():
            del self._groups[name]
        for name, row in known.items():
            ring = self._groups.get(name)
            if ring is None:
                ring = self._groups[name] = array("d", [_UNKNOWN] * (POINTS * len(SERIES)))
            for number, series in enumerate(SERIES):
                value = row[series]
                ring[number * POINTS + here] = _UNKNOWN if value is None else value

    def of(self, group: str, now: float) -> dict[str, Any]:
        """Return how many seconds ago each look was, and the numbers of each series, null for what is not known."""
        ring = self._groups.get(group)
        count = len(self._at)
        ages = [round(now - at, 1) for at in self._at]
        if ring is None:
            return {"ages_s": ages, **{series: [None] * count for series in SERIES}}
        first = (self._next - count) % POINTS
        found: dict[str, Any] = {"ages_s": ages}
        for number, series in enumerate(SERIES):
            values = [ring[number * POINTS + (first + place) % POINTS] for place in range(count)]
            found[series] = [None if math.isnan(value) else value for value in values]
        return found


def together(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the numbers of all groups: sums, and the slowest percentile. The gateway has requests of others."""
    groups = [row for row in rows if not row["name"].startswith("@")]
    rates = [row["per_s"] for row in groups if row["per_s"] is not None]
    slowest = [row["p99_s"] for row in groups if row["p99_s"] is not None]
    return {
        "per_s": round(sum(rates), 1) if rates else None,
        "p99_s": max(slowest, default=None),
        "queued": sum(row["queued"] for row in groups),
        "memory_bytes": sum(row["memory_bytes"] for row in rows),
    }
