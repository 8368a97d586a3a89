"""The one table of metrics: names, kinds, meanings, and where each value comes from. Pure.

What daemons count comes from the table of words (runtime/wire/words.py): a word with a key is a metric by itself. The
rest is what the manager knows. Names follow Prometheus' conventions: base units, `_total` for counters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from wsgigroups.metrics.facts import ENDED_BY, ENDED_CPU, GroupFacts, ManagerFacts, ProcessFacts
from wsgigroups.runtime.wire.histograms import HISTOGRAMS, Histogram
from wsgigroups.runtime.wire.words import BYTES, COUNTER, DURATION, MOMENT, SHOWN, Word

PREFIX = "wsgigroups_"
STATUSES = tuple(f"status_{hundreds}xx" for hundreds in range(1, 6))  # words
_IN_HISTOGRAMS = {histogram.sum_word for histogram in HISTOGRAMS}
# the count of the application's histogram; and what has a name of its own below
_ELSEWHERE = {"requests_total", *STATUSES, *_IN_HISTOGRAMS}
OF_PROCESSES = ("requests_active", "requests_queued", "connections", "wakes", "late_ns")  # words that are shown of each


class MetricKind(Enum):
    """The value is OpenMetrics' name of the type."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Metric:
    """One family of samples. name: without prefix, `_total` or `_info`; labels: behind those of its scope."""

    name: str
    kind: MetricKind
    meaning: str
    labels: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """Its base unit, "" for numbers."""
        return next((unit for unit in ("seconds", "bytes", "ratio") if self.name.endswith(f"_{unit}")), "")


S = TypeVar("S")
Values = Mapping[tuple[str, ...], float]  # by the values of the metric's labels
Source = tuple[Metric, Callable[[S], Values]]


@dataclass(frozen=True, slots=True)
class Totals:
    """A group with its sums: of words over all processes that it has and had, of the rest over those that it has."""

    group: GroupFacts
    words: Mapping[str, int]


def totals(group: GroupFacts, words: tuple[str, ...]) -> Totals:
    """Add up the words of a group. Levels of those that have ended are nothing."""
    boards = [process.words for process in group.processes if process.words]
    ended = group.ended
    return Totals(group, {name: ended.get(name, 0) + sum(board.get(name, 0) for board in boards) for name in words})


def _named(word: Word) -> Metric:
    name = word.key.removesuffix("_total")
    if word.unit == DURATION:
        name = f"{name.removesuffix('_s')}_seconds"
    kind = MetricKind.COUNTER if word.kind == COUNTER else MetricKind.GAUGE
    return Metric(name, kind, word.meaning)


def _only(value: float | None) -> Values:
    return {} if value is None else {(): value}


def _of_word(word: Word) -> Source[Totals]:
    scale = 1e9 if word.unit == DURATION else 0
    name = word.name
    return _named(word), lambda t: {(): t.words[name] / scale if scale else t.words[name]}


def _of_process(word: Word) -> Source[ProcessFacts]:
    metric, name, scale = _named(word), word.name, 1e9 if word.unit == DURATION else 0
    metric = Metric(f"process_{metric.name}", metric.kind, f"{word.meaning}, of one process")
    return metric, lambda p: {(): p.words[name] / scale if scale else p.words[name]} if name in p.words else {}


def _utilisation(processes: tuple[ProcessFacts, ...]) -> float | None:
    known = [process.utilisation for process in processes if process.utilisation is not None]
    return sum(known) / len(known) if known else None


WORD_METRICS = tuple(word for word in SHOWN if word.unit != MOMENT and word.name not in _ELSEWHERE)
COUNTED = tuple(
    dict.fromkeys(
        (
            *(word.name for word in WORD_METRICS),
            *STATUSES,
            *(name for h in HISTOGRAMS for name in (*h.word_names, h.sum_word)),
        )
    )
)
assert all(word.unit in (BYTES, DURATION, "number") for word in WORD_METRICS)

_STATUS = "by the class of their status"
OF_GROUP: tuple[Source[Totals], ...] = (
    (
        Metric("group_state", MetricKind.GAUGE, "1 for the state that the group is in", ("state",)),
        lambda t: {(t.group.state,): 1},
    ),
    (
        Metric("processes_wanted", MetricKind.GAUGE, "processes that the group should have"),
        lambda t: {(): t.group.processes_wanted},
    ),
    (Metric("processes_ready", MetricKind.GAUGE, "processes that are ready"), lambda t: {(): t.group.processes_ready}),
    (
        Metric("threads", MetricKind.GAUGE, "request threads of all processes that are ready"),
        lambda t: {(): t.group.threads * t.group.processes_ready},
    ),
    (
        Metric("requests", MetricKind.COUNTER, f"answers {_STATUS}", ("status",)),
        lambda t: {(name.removeprefix("status_"),): t.words[name] for name in STATUSES},
    ),
    *(_of_word(word) for word in WORD_METRICS),
    (
        Metric("utilisation_ratio", MetricKind.GAUGE, "share of the request threads that were busy, over about 15 s"),
        lambda t: _only(_utilisation(t.group.processes)),
    ),
    (
        Metric("cpu_seconds", MetricKind.COUNTER, "processor time of all processes that the group has and had"),
        lambda t: {(): t.group.ended.get(ENDED_CPU, 0) / 1e6 + sum(p.cpu_s for p in t.group.processes)},
    ),
    (
        Metric(
            "resident_memory_bytes",
            MetricKind.GAUGE,
            "resident memory of the processes, what they share counted in each",
        ),
        lambda t: {(): sum(p.rss_bytes for p in t.group.processes) + t.group.molds_rss_bytes},
    ),
    (
        Metric("proportional_memory_bytes", MetricKind.GAUGE, "memory of the processes, of what is shared their part"),
        lambda t: {(): sum(p.pss_bytes for p in t.group.processes) + t.group.molds_pss_bytes},
    ),
    (
        Metric("restarts", MetricKind.COUNTER, "processes that followed one that nobody had asked to end"),
        lambda t: {(): t.group.restarts},
    ),
    (
        Metric("ends", MetricKind.COUNTER, "processes that have ended, by the cause that `why` names", ("cause",)),
        lambda t: {
            (key.removeprefix(ENDED_BY),): value for key, value in t.group.ended.items() if key.startswith(ENDED_BY)
        },
    ),
    (
        Metric(
            "rollout_active", MetricKind.GAUGE, "1 while processes are replaced by what has still to show that it lasts"
        ),
        lambda t: {(): int(t.group.rolling)},
    ),
    (
        Metric("rollout_proved", MetricKind.GAUGE, "1 if the group's configuration came up and lasted"),
        lambda t: {(): int(t.group.proved)},
    ),
)
OF_PROCESS: tuple[Source[ProcessFacts], ...] = (
    (
        Metric("process_requests", MetricKind.COUNTER, f"answers of one process {_STATUS}", ("status",)),
        lambda p: {(name.removeprefix("status_"),): p.words[name] for name in STATUSES if name in p.words},
    ),
    *(_of_process(word) for word in SHOWN if word.name in OF_PROCESSES),
    (
        Metric(
            "process_utilisation_ratio",
            MetricKind.GAUGE,
            "share of its request threads that were busy, over about 15 s",
        ),
        lambda p: _only(p.utilisation),
    ),
    (Metric("process_cpu_seconds", MetricKind.COUNTER, "processor time of one process"), lambda p: {(): p.cpu_s}),
    (
        Metric("process_resident_memory_bytes", MetricKind.GAUGE, "resident memory of one process"),
        lambda p: {(): p.rss_bytes},
    ),
    (
        Metric(
            "process_proportional_memory_bytes", MetricKind.GAUGE, "memory of one process, of what is shared its part"
        ),
        lambda p: {(): p.pss_bytes},
    ),
    (Metric("process_uptime_seconds", MetricKind.GAUGE, "how long ago it was started"), lambda p: {(): p.uptime_s}),
)
OF_MANAGER: tuple[Source[ManagerFacts], ...] = (
    (
        Metric("build", MetricKind.INFO, "the manager's version, and its Python's", ("version", "python")),
        lambda m: {(m.version, m.python): 1},
    ),
    (Metric("manager_uptime_seconds", MetricKind.GAUGE, "how long ago the manager began"), lambda m: {(): m.uptime_s}),
    (Metric("manager_cpu_seconds", MetricKind.COUNTER, "processor time of the manager"), lambda m: {(): m.cpu_s}),
    (
        Metric("manager_resident_memory_bytes", MetricKind.GAUGE, "resident memory of the manager"),
        lambda m: {(): m.rss_bytes},
    ),
    (
        Metric("manager_revision", MetricKind.GAUGE, "the revision whose configuration runs, or is being rolled out"),
        lambda m: {(): m.revision},
    ),
    (
        Metric("manager_handovers", MetricKind.COUNTER, "how often the manager has become another version"),
        lambda m: {(): m.handovers},
    ),
    (
        Metric("manager_stopping", MetricKind.GAUGE, "1 once everything has been asked to end"),
        lambda m: {(): int(m.stopping)},
    ),
)
CERTIFICATE = Metric("certificate_left_seconds", MetricKind.GAUGE, "how long until a certificate ends", ("file",))


def of_histogram(histogram: Histogram) -> Metric:
    """The metric of a histogram of the board."""
    return Metric(f"{histogram.phase}_seconds", MetricKind.HISTOGRAM, histogram.meaning)
