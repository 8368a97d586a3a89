"""Facts as text that Prometheus reads: OpenMetrics 1.0, or the older text format 0.0.4. Pure.

One text for each family, in the order of the table, so that whoever sends them can do something else in between.
Written here and not by prometheus_client, which takes twenty times as long: docs/decisions/metrics.md.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from wsgigroups.metrics.table import (
    CERTIFICATE,
    COUNTED,
    OF_GROUP,
    OF_MANAGER,
    OF_PROCESS,
    PREFIX,
    Metric,
    MetricKind,
    of_histogram,
    totals,
)
from wsgigroups.runtime.wire.histograms import HISTOGRAMS, Histogram

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from wsgigroups.metrics.facts import Facts
    from wsgigroups.metrics.table import Totals, Values

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
_SAMPLE_SUFFIX = {MetricKind.COUNTER: "_total", MetricKind.INFO: "_info"}


def wants_openmetrics(accept: str) -> bool:
    """Whether a request's Accept field asks for it, as Prometheus' does."""
    return "application/openmetrics-text" in accept


def exposition(facts: Facts, *, openmetrics: bool = True) -> Iterator[str]:
    """Return the text of each family, and of the end."""
    groups = [(_pair("group", group.name), totals(group, COUNTED)) for group in facts.groups]
    processes = [
        (f'{labels},slot="{process.slot}",life="{process.life}"', process)
        for labels, found in groups
        for process in found.group.processes
    ]
    for metric, read in OF_MANAGER:
        yield _family(metric, [("", read(facts.manager))], openmetrics=openmetrics)
    for of_group, read_group in OF_GROUP:
        yield _family(of_group, [(labels, read_group(found)) for labels, found in groups], openmetrics=openmetrics)
    for histogram in HISTOGRAMS:
        yield _histogram(histogram, groups, openmetrics=openmetrics)
    for of_process, read_process in OF_PROCESS:
        rows = [(labels, read_process(process)) for labels, process in processes]
        yield _family(of_process, rows, openmetrics=openmetrics)
    left: Values = {(file,): left_s for file, left_s in sorted(facts.certificates.items())}
    yield _family(CERTIFICATE, [("", left)], openmetrics=openmetrics)
    if openmetrics:
        yield "# EOF\n"


def escaped(text: str) -> str:
    """Return the value of a label as it stands between quotation marks."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _pair(name: str, value: str) -> str:
    return f'{name}="{escaped(value)}"'


def head(metric: Metric, *, openmetrics: bool) -> str:
    """Return the lines before the samples of a family. Each meaning is a clause."""
    name = PREFIX + metric.name
    if not openmetrics:
        name += _SAMPLE_SUFFIX.get(metric.kind, "")
    kind = metric.kind.value if openmetrics or metric.kind is not MetricKind.INFO else "gauge"
    meaning = f"{metric.meaning[0].upper()}{metric.meaning[1:]}."
    unit = f"# UNIT {name} {metric.unit}\n" if openmetrics and metric.unit else ""
    return f"# HELP {name} {meaning}\n# TYPE {name} {kind}\n{unit}"


def _family(metric: Metric, rows: Iterable[tuple[str, Values]], *, openmetrics: bool) -> str:
    name = PREFIX + metric.name + _SAMPLE_SUFFIX.get(metric.kind, "")
    lines = [head(metric, openmetrics=openmetrics)]
    for labels, values in rows:
        for given, value in values.items():
            if given:
                own = ",".join(_pair(*pair) for pair in zip(metric.labels, given, strict=True))
                lines.append(f"{name}{{{labels},{own}}} {value}\n" if labels else f"{name}{{{own}}} {value}\n")
            else:
                lines.append(f"{name}{{{labels}}} {value}\n" if labels else f"{name} {value}\n")
    return "".join(lines) if len(lines) > 1 else ""


def _histogram(histogram: Histogram, groups: Sequence[tuple[str, Totals]], *, openmetrics: bool) -> str:
    metric = of_histogram(histogram)
    name = PREFIX + metric.name
    bounds = [*(str(bound / 1e9) for bound in histogram.bounds_ns), "+Inf"]
    ends = [f',le="{bound}"}} ' for bound in bounds]
    names = histogram.word_names
    lines = [head(metric, openmetrics=openmetrics)]
    for labels, found in groups:
        words = found.words
        begin = f"{name}_bucket{{{labels}"
        counts = list(accumulate(words[word] for word in names))
        lines += [f"{begin}{end}{count}\n" for end, count in zip(ends, counts, strict=True)]
        total_s = words[histogram.sum_word] / 1e9
        lines.append(f"{name}_count{{{labels}}} {counts[-1]}\n{name}_sum{{{labels}}} {total_s}\n")
    return "".join(lines) if len(lines) > 1 else ""
