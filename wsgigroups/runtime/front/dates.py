"""The Server and Date lines of responses (RFC 9110 section 6.6.1), made once a second.

`refresh` is called by whoever polls, before it looks at events, so an answer's date is at most one wait old; the lines
are read by every request thread. One store of a tuple: readers see the old or the new one.
"""

from __future__ import annotations

from ..originals import time
from ..protocol.responses import SERVER_LINE

_DAYS = (b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun")
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")


class Dates:
    """The wall clock is for people only: nothing is decided by it. `lines`: Server and Date, Date alone."""

    __slots__ = ("_second", "lines")

    def __init__(self) -> None:
        self._second = -1
        self.refresh()

    def refresh(self) -> None:
        """Make new lines if another second has begun."""
        now = int(time.time())
        if now == self._second:
            return
        day = time.gmtime(now)
        date = b"Date: %b, %02d %b %04d %02d:%02d:%02d GMT\r\n" % (
            _DAYS[day.tm_wday],
            day.tm_mday,
            _MONTHS[day.tm_mon - 1],
            day.tm_year,
            day.tm_hour,
            day.tm_min,
            day.tm_sec,
        )
        self.lines = (SERVER_LINE + date, date)
        self._second = now
