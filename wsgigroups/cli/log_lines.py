"""Lines of logs: whose each is, when it was said, and whether somebody asked for it. Pure.

A record begins with its time and with who said it, as text or as JSON (docs/logs.md); lines that begin with four spaces
belong to the record before them. What says neither, as lines of an access log, has the time of what is before it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_RECORD = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)Z (?:(\S+)/(\d+) life=)?")
_STAMP = re.compile(r'\{"Timestamp":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)Z"')
_FURTHER = "    "


@dataclass(frozen=True, slots=True)
class LogLine:
    """What one line says of itself. time_s: since the epoch; slot: 0 where it says none."""

    time_s: float | None = None
    group: str = ""
    slot: int = 0
    further: bool = False  # it belongs to the record before it


def parsed(line: str) -> LogLine:
    """Return what a line says of itself."""
    if line.startswith(_FURTHER):
        return LogLine(further=True)
    record = _RECORD.match(line)
    if record is not None:
        return LogLine(_time_s(record[1]), record[2] or "", int(record[3] or 0))
    stamp = _STAMP.match(line)
    if stamp is None:
        return LogLine()
    group, _slash, slot = _instance(line).rpartition("/")
    return LogLine(_time_s(stamp[1]), group, int(slot) if slot.isdigit() else 0)


def _instance(line: str) -> str:
    try:
        return str(json.loads(line)["Resource"]["service.instance.id"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def _time_s(stamp: str) -> float | None:
    try:
        return datetime.fromisoformat(stamp).replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        return None


@dataclass(slots=True)
class LogChoice:
    """Which lines of one log are asked for. Remembers what the lines before said."""

    group: str = ""  # of a log that several groups share; "": whatever group
    slots: frozenset[int] = frozenset()  # none: all
    since_s: float = 0.0
    pattern: re.Pattern[str] | None = None
    _whose: bool = field(default=True, init=False)
    _recent: bool = field(default=False, init=False)
    _found: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._recent = self.since_s <= 0
        self._whose = not self.slots and not self.group

    def takes(self, line: str) -> bool:
        """Whether this line, the next one of its log, is asked for."""
        said = parsed(line)
        if said.time_s is not None:
            self._recent = said.time_s >= self.since_s
        if not said.further:
            known = bool(said.group)
            of_group = not self.group or (known and said.group == self.group)
            of_slot = not self.slots or (known and said.slot in self.slots)
            self._whose = of_group and of_slot
        matches = self.pattern is None or self.pattern.search(line) is not None
        found = matches or (said.further and self._found)
        if not said.further:
            self._found = matches
        return self._whose and self._recent and found

    def of(self, lines: Iterable[str]) -> Iterator[str]:
        """Return those of these lines that are asked for."""
        return filter(self.takes, lines)
