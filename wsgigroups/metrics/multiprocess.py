"""What applications count with prometheus_client in several processes: their files read, added up, told. Pure.

Each process has a file for each type (`counter_PID.db`, `gauge_MODE_PID.db`), which it has mapped and may write while
it is read: how much is used, then entries of a length, a JSON key, and two doubles (prometheus_client/mmap_dict.py).
The files are a tenant's: whatever stands in them is bounded here, and what is odd is left out.
"""

from __future__ import annotations

import json
import math
import re
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wsgigroups.metrics.exposition import escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAXIMUM_SERIES = 10_000  # of a group
MAXIMUM_KEY = 4096
_FILE = re.compile(r"(?:(counter|histogram|summary)|gauge_([a-z]{1,20}))_([0-9]{1,10})\.db", re.ASCII)
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,199}", re.ASCII)
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,99}", re.ASCII)
_MODES = frozenset({"all", "min", "max", "sum", "mostrecent"})  # each with a form with "live" before it
_INT, _DOUBLES = struct.Struct("=i"), struct.Struct("=dd")
_BEGIN = 8

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class MetricFile:
    """What the name of a file says. mode: of a gauge, without "live"; live: forgotten with its process."""

    type: str
    pid: int
    mode: str = ""
    live: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    """One series of samples of a family."""

    family: str
    type: str
    mode: str
    name: str
    labels: Labels
    help: str


def file_of(name: str) -> MetricFile | None:
    """Return what a name says; None for one that is none of these."""
    found = _FILE.fullmatch(name)
    if not found:
        return None
    type_, mode, pid = found.groups()
    if mode is None:
        return MetricFile(type_, int(pid))
    plain = mode.removeprefix("live")
    return MetricFile("gauge", int(pid), plain, mode != plain) if plain in _MODES else None


def entries(data: bytes) -> Iterator[tuple[str, float, float]]:
    """Return key, value and time of each entry; the first one that does not fit ends it."""
    if len(data) < _BEGIN:
        return
    end, at = min(_INT.unpack_from(data)[0], len(data)), _BEGIN
    while at + 4 <= end:
        length = _INT.unpack_from(data, at)[0]
        padded = length + (8 - (length + 4) % 8)
        values = at + 4 + padded
        if not 0 < length <= MAXIMUM_KEY or values + _DOUBLES.size > end:
            return
        value, stamp = _DOUBLES.unpack_from(data, values)
        yield data[at + 4 : at + 4 + length].decode("utf-8", "replace"), value, stamp
        at = values + _DOUBLES.size


def series_of(key: str, file: MetricFile) -> Series | None:
    """Return what a key stands for; None for what cannot be told."""
    try:
        family, name, labels, text = json.loads(key)
        pairs = tuple(sorted((str(label), str(value)) for label, value in labels.items()))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    if not (isinstance(family, str) and isinstance(name, str) and _NAME.fullmatch(family) and _NAME.fullmatch(name)):
        return None
    if not all(_LABEL.fullmatch(label) for label, _value in pairs):
        return None
    if file.type == "gauge" and file.mode == "all":
        pairs = (*(pair for pair in pairs if pair[0] != "pid"), ("pid", str(file.pid)))
    return Series(family, file.type, file.mode, name, pairs, str(text)[:1000])


@dataclass(slots=True)
class Merged:
    """Sums over processes: values with the time of the last one, by series."""

    values: dict[Series, tuple[float, float]] = field(default_factory=dict)

    def add(self, file: MetricFile, data: bytes) -> None:
        """Add one file."""
        for key, value, stamp in entries(data):
            series = series_of(key, file)
            if series is not None and (series in self.values or len(self.values) < MAXIMUM_SERIES):
                self._put(series, value, stamp)

    def fold(self, file: MetricFile, data: bytes) -> None:
        """Add what is left of a process that has ended: gauges of each process alone, and of live ones, end with it."""
        if not file.live and file.mode != "all":
            self.add(file, data)

    def added(self, other: Merged) -> Merged:
        """Return both together."""
        both = Merged(dict(self.values))
        for series, (value, stamp) in other.values.items():
            both._put(series, value, stamp)
        return both

    def _put(self, series: Series, value: float, stamp: float) -> None:
        before = self.values.get(series)
        if before is None:
            self.values[series] = value, stamp
            return
        if series.mode in ("min", "max"):
            value = (min if series.mode == "min" else max)(value, before[0])
        elif series.mode == "mostrecent":
            value, stamp = max((stamp, value), before[::-1])[::-1]
        elif series.mode != "all":
            value += before[0]
        self.values[series] = value, stamp

    def to_json(self) -> list[Any]:
        """Return plain data."""
        return [
            [s.family, s.type, s.mode, s.name, [list(pair) for pair in s.labels], s.help, value, stamp]
            for s, (value, stamp) in self.values.items()
            if math.isfinite(value) and math.isfinite(stamp)
        ]

    @classmethod
    def from_json(cls, items: Any) -> Merged:
        """Read them back. Raises ValueError, TypeError for what was not written here."""
        found = cls()
        for family, type_, mode, name, labels, text, value, stamp in items:
            pairs = tuple((str(label), str(of)) for label, of in labels)
            found.values[Series(family, type_, mode, name, pairs, text)] = float(value), float(stamp)
        return found

    def text(self) -> str:
        """Return the text format 0.0.4 of Prometheus. Of two types of one name the first is told."""
        families: dict[str, list[Series]] = {}
        for series in sorted(self.values, key=lambda s: (s.family, s.type, s.name, _ordered(s.labels))):
            known = families.setdefault(series.family, [])
            if not known or known[0].type == series.type:
                known.append(series)
        return "".join(line for found in families.values() for line in self._family(found))

    def _family(self, found: list[Series]) -> Iterator[str]:
        first = found[0]
        name = f"{first.family}_total" if first.type == "counter" else first.family
        text = first.help.replace("\\", "\\\\").replace("\n", "\\n")
        yield f"# HELP {name} {text}\n# TYPE {name} {first.type}\n"
        values = ((series.name, series.labels, self.values[series][0]) for series in found)
        for sample, labels, value in _cumulative(values, first) if first.type == "histogram" else values:
            pairs = ",".join(f'{label}="{escaped(of)}"' for label, of in labels)
            yield f"{sample}{{{pairs}}} {_number(value)}\n" if pairs else f"{sample} {_number(value)}\n"


def _ordered(labels: Labels) -> tuple[Labels, float]:
    """Ranges of a histogram stand in their order."""
    rest = tuple(pair for pair in labels if pair[0] != "le")
    return rest, _bound(dict(labels).get("le", "nan"))


def _bound(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _cumulative(values: Iterable[tuple[str, Labels, float]], first: Series) -> Iterator[tuple[str, Labels, float]]:
    """Files have the count of each range by itself, and no count of all."""
    sums: dict[Labels, float] = {}
    rest = []
    for name, labels, value in values:
        if name != f"{first.family}_bucket":
            rest.append((name, labels, value))
            continue
        without = tuple(pair for pair in labels if pair[0] != "le")
        sums[without] = sums.get(without, 0.0) + value
        yield name, labels, sums[without]
    yield from ((f"{first.family}_count", labels, value) for labels, value in sums.items())
    yield from (item for item in rest if item[0] != f"{first.family}_count")


def _number(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
