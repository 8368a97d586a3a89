"""The store of death records: in the state directory, with a cap, read by the managers that follow and without one.

Runs in the manager's only thread. One line of JSON for each death, written at once. The cap is one on everything and
one on each group, so that a group whose processes keep dying pushes out no record but its own; of a group those that
nobody had asked for are kept apart from the others.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.manager.core import deaths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from wsgigroups.manager.core.deaths import Death

FILE = "deaths.jsonl"
KEPT_OF_A_GROUP = 50  # that nobody had asked for, and as many others
MAXIMUM_BYTES = 2 * 1024 * 1024  # of all records that are kept; the file has at most twice as much
_LINE_BYTES = 16384  # what a record takes at most, and so what is read of a line


@dataclass(frozen=True, slots=True)
class KeptDeath:
    """A record as its line; what has to be known of it without reading that."""

    group: str
    slot: int
    life: int
    asked: bool
    line: bytes

    def read(self) -> Death:
        """Return the record. Raises ValueError."""
        death = deaths.from_json(json.loads(self.line))
        if death is None:
            raise ValueError("no record of a death")
        return death


@dataclass(slots=True)
class DeathStore:
    """The deaths of one state directory, oldest first."""

    directory: Path
    log: Callable[[str, str], None]
    kept: list[KeptDeath] = field(default_factory=list)
    _lives: set[tuple[str, int]] = field(default_factory=set)
    _counts: Counter[tuple[str, bool]] = field(default_factory=Counter)
    _bytes: int = 0
    _file_bytes: int = 0
    _torn: bool = False  # whether the file has not all of it, or ends within a line
    _warned: bool = False

    def open(self) -> None:
        """Read what former managers have stored. Raises nothing: what cannot be read is left out."""
        self._keep(read(self.directory))
        with contextlib.suppress(OSError), open(self.directory / FILE, "rb") as file:
            self._file_bytes = file.seek(0, os.SEEK_END)
            if self._file_bytes:
                file.seek(-1, os.SEEK_END)
                self._torn = file.read(1) != b"\n"

    def record(self, death: Death) -> None:
        """Keep a record, and store it. A life that has one already was told of twice, by two managers."""
        if (death.group, death.life) in self._lives:
            return
        found = _kept(death)
        self.kept.append(found)
        self._lives.add((found.group, found.life))
        self._counts[found.group, found.asked] += 1
        self._bytes += len(found.line)
        if self._counts[found.group, found.asked] > KEPT_OF_A_GROUP or self._bytes > MAXIMUM_BYTES:
            self._keep(_within_caps(self.kept))
        try:
            if self._torn or self._file_bytes + len(found.line) > 2 * MAXIMUM_BYTES:
                self._write_all()
            else:
                self._append(found.line)
        except OSError as error:
            if not self._warned:
                text = f"cannot store deaths in {self.directory / FILE}: {error.strerror}; what runs is not concerned"
                self.log("warning", text)
            self._torn = self._warned = True
        else:
            self._torn = self._warned = False

    def chosen(self, group: str = "", slot: int = 0, limit: int = 10) -> list[Death]:
        """Return the newest records of a group, of a slot of it, or of all, the oldest first."""
        return chosen(self.kept, group, slot, limit)

    def _keep(self, kept: list[KeptDeath]) -> None:
        self.kept = kept
        self._lives = {(item.group, item.life) for item in kept}
        self._counts = Counter((item.group, item.asked) for item in kept)
        self._bytes = sum(len(item.line) for item in kept)

    def _append(self, line: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(self.directory / FILE, flags, 0o600)
        try:
            if os.write(fd, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._file_bytes = os.fstat(fd).st_size
        finally:
            os.close(fd)

    def _write_all(self) -> None:
        """Replace the file by one that has what is kept, and no line that was not written whole."""
        temporary = self.directory / f".{FILE}.new"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "wb") as file:
                self._file_bytes = file.write(b"".join(found.line for found in self.kept))
            os.replace(temporary, self.directory / FILE)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise


def read(directory: Path) -> list[KeptDeath]:
    """Return the records that are kept, oldest first; lines that no manager wrote whole are left out."""
    found = []
    with contextlib.suppress(OSError), open(directory / FILE, "rb") as file:
        for line in file.read(3 * MAXIMUM_BYTES).splitlines(keepends=True):
            try:
                death = deaths.from_json(json.loads(line)) if len(line) <= _LINE_BYTES else None
            except (ValueError, RecursionError):
                continue
            if death is not None and line.endswith(b"\n"):
                found.append(KeptDeath(death.group, death.slot, death.life, death.asked, line))
    return _within_caps(found)


def chosen(kept: Iterable[KeptDeath], group: str = "", slot: int = 0, limit: int = 10) -> list[Death]:
    """Return the newest records of a group, of a slot of it, or of all, the oldest first. "" and 0: whichever."""
    wanted = [item for item in kept if (not group or item.group == group) and (not slot or item.slot == slot)]
    return [item.read() for item in wanted[-limit:]] if limit else []


def _kept(death: Death) -> KeptDeath:
    line = b""
    for less in deaths.lessened(death):
        line = json.dumps(deaths.to_json(less)).encode() + b"\n"
        if len(line) <= deaths.MAXIMUM_BYTES:
            break
    return KeptDeath(death.group, death.slot, death.life, death.asked, line)


def _within_caps(kept: list[KeptDeath]) -> list[KeptDeath]:
    """Return what is kept of these: so many of a group, and of the group with the longest records those that fit."""
    counts: Counter[tuple[str, bool]] = Counter()
    sizes: Counter[str] = Counter()
    newest: list[KeptDeath] = []
    for item in reversed(kept):
        counts[item.group, item.asked] += 1
        if counts[item.group, item.asked] <= KEPT_OF_A_GROUP:
            sizes[item.group] += len(item.line)
            newest.append(item)
    newest.reverse()
    over = sizes.total() - MAXIMUM_BYTES
    while over > 0:
        ((largest, _size),) = sizes.most_common(1)
        place = next(place for place, item in enumerate(newest) if item.group == largest)
        size = len(newest.pop(place).line)
        sizes[largest] -= size
        over -= size
    return newest
