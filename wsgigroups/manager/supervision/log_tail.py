"""The end of a group's log: what a process said last that has just died, and what a dashboard shows.

Runs in the manager's only thread, once for each death, and in another one for dashboards: it reads one piece of a file
of bounded size, and of nothing but a file. What is in it is the tenant's.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

from wsgigroups.runtime.text import clean
from wsgigroups.trust.walking import follow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsgigroups.trust.judging import Trusted

READ_BYTES = 65536
LINES = 20
_CHARACTERS = 240  # of a line
_RECORD = re.compile(r"\d{4}-\d\d-\d\dT\S+Z \S+/\d+ life=(\d+) pid=")
_PLACE = re.compile(r"(\d{1,20})-(\d{1,20})-(\d{1,20})", re.ASCII)
_FURTHER = "    "  # what a record's lines after its first begin with


def read_end(path: str, trusted: Trusted | None, begin: int = 0) -> str:
    """Return the end of a log, from `begin` on where it is that long; "" for what is no file, or cannot be read."""
    fd = _opened(path, trusted)
    if fd < 0:
        return ""
    try:
        size = os.fstat(fd).st_size
        start = max(size - READ_BYTES, begin if begin <= size else 0)  # else it is another file by now
        data = os.pread(fd, READ_BYTES, start)
    except OSError:
        return ""
    finally:
        os.close(fd)
    text = data.decode("utf-8", "replace")
    return text if start in (0, begin) else text.partition("\n")[2]


class LogEnd:
    """The end of a log that is looked at again and again; the file may be renamed, shortened or gone meanwhile."""

    def __init__(self, path: str, trusted: Trusted | None) -> None:
        self._path = path
        self._trusted = trusted
        self._file = (0, 0)  # device and inode
        self._next = 0  # what comes next has this offset
        self._rest = b""  # of a line without an end

    @classmethod
    def at(cls, path: str, trusted: Trusted | None, place: str) -> LogEnd:
        """Return the end of a log as it was looked at by somebody who was told this place."""
        end = cls(path, trusted)
        found = _PLACE.fullmatch(place)
        if found:
            end._file, end._next = (int(found[1]), int(found[2])), int(found[3])
        return end

    @property
    def place(self) -> str:
        """Where the next look begins, as text."""
        return f"{self._file[0]}-{self._file[1]}-{self._next - len(self._rest)}"

    def more(self) -> list[str]:
        """Return the lines since the last look, of at most READ_BYTES; the first time the last ones."""
        fd = _opened(self._path, self._trusted)
        if fd < 0:
            return []
        try:
            fact = os.fstat(fd)
            if (fact.st_dev, fact.st_ino) != self._file or fact.st_size < self._next:
                self._file, self._next, self._rest = (fact.st_dev, fact.st_ino), 0, b""
            start = max(self._next, fact.st_size - READ_BYTES)
            data = os.pread(fd, READ_BYTES, start)
        except OSError:
            return []
        finally:
            os.close(fd)
        if start > self._next:  # more than is shown at once: the first line is a part of one
            self._rest, data_begin = b"", data.find(b"\n") + 1
        else:
            data_begin = 0
        self._next = start + len(data)
        *lines, rest = (self._rest + data[data_begin:]).split(b"\n")
        self._rest = rest[-READ_BYTES:]
        return [line.decode("utf-8", "replace") for line in lines]


def _opened(path: str, trusted: Trusted | None) -> int:
    """Return a descriptor of a plain file; -1 for what is none, or cannot be read."""
    try:
        with follow(path, trusted, last_link=False) as place:
            if place.entry < 0 or not stat.S_ISREG(os.fstat(place.entry).st_mode):
                return -1
            return os.open(f"/proc/self/fd/{place.entry}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return -1


def of_life(text: str, life: int) -> list[str]:
    """Return the lines that are not of another life: its own records, and what says not whose it is."""
    found: list[str] = []
    other = False
    for line in text.split("\n"):
        record = _RECORD.match(line)
        if record is not None:
            other = record[1] != str(life)
        elif other and not line.startswith(_FURTHER):
            other = False
        if not other:
            found.append(line)
    return found


def shown(lines: Iterable[str]) -> tuple[str, ...]:
    """Return the last lines as they are kept: clean, and none too long."""
    kept = [line for line in lines if line.strip()][-LINES:]
    return tuple(clean(line[: 4 * _CHARACTERS], "\t")[:_CHARACTERS] for line in kept)
