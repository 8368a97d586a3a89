"""The end of a group's log, as it is when a process has just died: what that process said last.

Runs in the manager's only thread, once for each death: it reads one piece of a file of bounded size, and of nothing but
a file. What is in it is the tenant's.
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
_FURTHER = "    "  # what a record's lines after its first begin with


def read_end(path: str, trusted: Trusted | None, begin: int = 0) -> str:
    """Return the end of a log, from `begin` on where it is that long; "" for what is no file, or cannot be read."""
    try:
        with follow(path, trusted, last_link=False) as place:
            if place.entry < 0 or not stat.S_ISREG(os.fstat(place.entry).st_mode):
                return ""
            fd = os.open(f"/proc/self/fd/{place.entry}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
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
