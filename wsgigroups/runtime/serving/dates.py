"""The Date line of responses (RFC 9110 section 6.6.1), made once a second.

Any thread; two threads may both make the same second's line, which is the same bytes.
"""

from __future__ import annotations

import time
from typing import Tuple

from ..protocol.responses import SERVER_LINE

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Dates:
    """The wall clock is for people only: nothing is decided by it."""

    __slots__ = ("_lines",)

    def __init__(self) -> None:
        self._lines: Tuple[int, bytes, bytes] = (-1, b"", b"")

    def _current(self) -> Tuple[int, bytes, bytes]:
        now = int(time.time())
        lines = self._lines
        if lines[0] != now:
            day = time.gmtime(now)
            date = b"Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n" % (
                _DAYS[day.tm_wday].encode(),
                day.tm_mday,
                _MONTHS[day.tm_mon - 1].encode(),
                day.tm_year,
                day.tm_hour,
                day.tm_min,
                day.tm_sec,
            )
            self._lines = lines = (now, SERVER_LINE + date, date)  # one store: readers see the old or the new triple
        return lines

    def own(self) -> bytes:
        """Return our Server and Date lines."""
        return self._current()[1]

    def date(self) -> bytes:
        """Return the Date line alone."""
        return self._current()[2]
