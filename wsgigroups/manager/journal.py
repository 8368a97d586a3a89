"""The journal: what happened, kept in the state directory with a cap, and read by the managers that follow.

Runs in the manager's only thread. One line of JSON for each event, written at once: a manager that is killed has told.
Lost lines cost their text alone, so that a full disk stops nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from wsgigroups.manager.core.happenings import Happening, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
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
    _size_bytes: int = 0
    _fd: int = -1
    _torn: bool = False  # whether the file ends within a line
    _lost: int = 0

    def open(self) -> None:
        """Read what former managers have told. Raises nothing: a journal that cannot be read begins anew."""
        self.entries.extend(read(self.directory))
        self._open()

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
            self._write(b"".join(_line(entry) for entry in added), len(added))

    def close(self) -> None:
        """Close the file."""
        if self._fd != -1:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with contextlib.suppress(OSError):
            self._fd = os.open(self.directory / FILE, flags, 0o600)
            self._size_bytes = os.fstat(self._fd).st_size
            self._torn = self._size_bytes > 0 and os.pread(self._fd, 1, self._size_bytes - 1) != b"\n"

    def _write(self, data: bytes, events: int) -> None:
        try:
            if self._fd != -1 and (self._size_bytes >= MAXIMUM_BYTES or os.fstat(self._fd).st_nlink == 0):
                self._begin_another()
            if self._fd == -1:
                self._open()
            if self._torn:
                data = b"\n" + data
            written = os.write(self._fd, data)
            self._size_bytes += written
            self._torn = written != len(data)
            complete = not self._torn
        except OSError:
            complete = False
        if complete:
            if self._lost:
                self.log("warning", f"{self._lost} events are not stored; from now on they can be again")
            self._lost = 0
        else:
            if not self._lost:
                self.log("warning", f"cannot store events in {self.directory / FILE}; what runs is not concerned")
            self._lost += events

    def _begin_another(self) -> None:
        self.close()
        with contextlib.suppress(FileNotFoundError):
            os.replace(self.directory / FILE, self.directory / f"{FILE}.1")


def read(directory: Path) -> list[Entry]:
    """Return the events that are kept, oldest first; lines that no manager wrote whole are left out."""
    found: list[Entry] = []
    for name in (f"{FILE}.1", FILE):
        with contextlib.suppress(OSError), open(directory / name, "rb") as file:
            entries = (_entry(line) for line in file.read(2 * MAXIMUM_BYTES).splitlines())
            found += [entry for entry in entries if entry]
    return found[-KEPT:]


def chosen(
    entries: Iterable[Entry], *, after: int = 0, since: float = 0.0, group: str | None = "", limit: int = KEPT
) -> list[Entry]:
    """Return the events after a number and from a time on, of one group or all; without a number the newest of them."""
    found = [
        entry
        for entry in entries
        if entry.number > after and entry.at >= since and (not group or entry.happening.group == group)
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
