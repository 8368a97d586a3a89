"""The journal: what happened, kept in the state directory with a cap, and read by the managers that follow.

Runs in the manager's only thread. One line of JSON for each event, written at once: a manager that is killed has told.
Lost lines cost their text alone, so that a full disk stops nothing.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from wsgigroups.manager.core.happenings import AUDIT, Happening, Kind
from wsgigroups.manager.line_file import LineFile

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

FILE = "events.jsonl"
MAXIMUM_BYTES = 1024 * 1024  # of a file; the one before it is kept as well
KEPT = 4000  # events that are shown, and held in memory
_KINDS = frozenset(get_args(Kind))
_NUMBERS = ("slot", "life", "pid", "change")


@dataclass(frozen=True, slots=True)
class Entry:
    """An event with its number, which grows from one manager to the next, and its time in seconds since the epoch."""

    number: int
    at: float
    happening: Happening


@dataclass(slots=True)
class Journal:
    """The events of one state directory."""

    directory: Path
    log: Callable[[str, str], None]
    clock: Callable[[], float] = time.time
    entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=KEPT))
    _file: LineFile = field(init=False)

    def __post_init__(self) -> None:
        self._file = LineFile(self.directory / FILE, "events", self.log, MAXIMUM_BYTES)

    def open(self) -> None:
        """Read what former managers have told. Raises nothing: a journal that cannot be read begins anew."""
        self.entries.extend(read(self.directory))
        self._file.open()

    @property
    def last(self) -> int:
        """The number of the newest event; 0 when there is none."""
        return self.entries[-1].number if self.entries else 0

    def record(self, happenings: Iterable[Happening]) -> None:
        """Keep what happened now."""
        now, number = self.clock(), self.last
        added = [Entry(number + place, now, found) for place, found in enumerate(happenings, 1)]
        if added:
            self.entries.extend(added)
            self._file.write(b"".join(_line(entry) for entry in added), len(added))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read(directory: Path) -> list[Entry]:
    """Return the events that are kept, oldest first; lines that no manager wrote whole are left out."""
    found: list[Entry] = []
    for name in (f"{FILE}.1", FILE):
        with contextlib.suppress(OSError), open(directory / name, "rb") as file:
            entries = (_entry(line) for line in file.read(2 * MAXIMUM_BYTES).splitlines())
            found += [entry for entry in entries if entry]
    return found[-KEPT:]


def chosen(
    entries: Iterable[Entry],
    *,
    after: int = 0,
    since: float = 0.0,
    group: str | None = "",
    limit: int = KEPT,
    groups: Collection[str] | None = None,
    audit: bool = True,
) -> list[Entry]:
    """Return the events after a number and from a time on, of one group or all; without a number the newest of them.

    groups: those that somebody may see, None: all; audit: whether somebody may see who commanded what.
    """
    found = [
        entry
        for entry in entries
        if entry.number > after
        and entry.at >= since
        and (not group or entry.happening.group == group)
        and (groups is None or entry.happening.group in groups)
        and (audit or entry.happening.kind != AUDIT)
    ]
    return found[:limit] if after else found[-limit:]


def _line(entry: Entry) -> bytes:
    what = {key: value for key, value in asdict(entry.happening).items() if value not in (None, "")}
    return json.dumps({"number": entry.number, "at": round(entry.at, 3), **what}).encode() + b"\n"


def _entry(line: bytes) -> Entry | None:
    try:
        data: Any = json.loads(line)
        if data["kind"] not in _KINDS:
            return None
        numbers = {name: int(data[name]) for name in _NUMBERS if name in data}
        group = str(data["group"]) if "group" in data else None
        return Entry(
            int(data["number"]), float(data["at"]), Happening(data["kind"], str(data.get("text", "")), group, **numbers)
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
