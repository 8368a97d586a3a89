"""Facts as single numbers, for services that are told of them: StatsD and OpenTelemetry. Pure.

Of groups and of the manager: single processes come and go, and a service would keep a series for each for ever.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsgigroups.metrics.table import COUNTED, OF_GROUP, OF_MANAGER, PREFIX, Metric, MetricKind, totals
from wsgigroups.runtime.wire.histograms import HISTOGRAMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wsgigroups.metrics.facts import Facts

_UNITS = {"seconds": "s", "bytes": "By", "ratio": "1"}
_ODD = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class Point:
    """One number of now. labels: name → value; unit: as UCUM has it, "" for a number; counts: whether it only grows."""

    name: str
    meaning: str
    unit: str
    counts: bool
    labels: tuple[tuple[str, str], ...]
    value: float


def points(facts: Facts) -> Iterator[Point]:
    """Return all of them."""
    for metric, read in OF_MANAGER:
        yield from _points(metric, (), read(facts.manager))
    for group in facts.groups:
        found, labels = totals(group, COUNTED), (("group", group.name),)
        for of_group, read_group in OF_GROUP:
            yield from _points(of_group, labels, read_group(found))
        for histogram in HISTOGRAMS:
            count = sum(found.words[name] for name in histogram.word_names)
            name = PREFIX + histogram.phase
            yield Point(f"{name}_count", histogram.meaning, "", True, labels, count)
            yield Point(f"{name}_seconds", histogram.meaning, "s", True, labels, found.words[histogram.sum_word] / 1e9)


def _points(
    metric: Metric, labels: tuple[tuple[str, str], ...], values: Mapping[tuple[str, ...], float]
) -> Iterator[Point]:
    unit, counts = _UNITS.get(metric.unit, ""), metric.kind is MetricKind.COUNTER
    for given, value in values.items():
        own = (*labels, *zip(metric.labels, given, strict=True))
        yield Point(PREFIX + metric.name, metric.meaning, unit, counts, own, value)


def statsd_name(point: Point) -> str:
    """Return its name where there are no labels: wsgigroups.GROUP.requests.2xx; of the manager without a group."""
    labels = dict(point.labels)
    group = labels.pop("group", None)
    parts = [PREFIX.rstrip("_"), *([group] if group is not None else []), point.name.removeprefix(PREFIX)]
    return ".".join(_ODD.sub("_", part) for part in (*parts, *labels.values()))


class Growth:
    """By how much what counts has grown since the last time. What is seen first has not: it may have run for days."""

    def __init__(self) -> None:
        self._before: dict[str, float] = {}

    def of(self, name: str, value: float) -> float:
        """Return it; what has become less began anew."""
        before, self._before[name] = self._before.get(name), value
        return 0.0 if before is None else value - before if value >= before else value
