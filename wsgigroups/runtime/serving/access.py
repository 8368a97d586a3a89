"""The access log: one line for each answer, in the common, combined or a JSON format.

What a line says of the request is noted before the application is called, since the environ is the application's from
then on. An answer is only queued; lines are made in batches, by the leader between two rounds (`prepare`: what it is
made of is in its processor's cache), and written by the monitor (`flush`), so that no request waits for a disk. Every
value of a client is escaped: no line can be forged.
"""

from __future__ import annotations

import json
import threading
import time
from typing import Callable, Dict, List, Optional, Tuple

from ..protocol.heads import Head
from .connection import Connection

FORMATS = ("common", "combined", "json")
_BATCH = 256
_PREPARED = 64  # answers of which the leader makes lines
_MOST_PREPARED = 1000  # batches of lines that nobody has written yet: then the leader has to
_REMEMBERED = 512  # texts made of values that come again and again
_REMEMBERED_BYTES = 1024  # of one of them
_SHORT = ["0.%06d" % number for number in range(1000)]  # durations in microseconds, as seconds
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ESCAPES: Dict[int, str] = {code: "\\x%02x" % code for code in [*range(32), *range(127, 256)]}
_ESCAPES.update({34: '\\"', 92: "\\\\"})  # as Apache escapes them (mod_log_config, "Format Notes")

# What hardly changes from request to request: method, protocol, address, user, host, referer, agent.
Asked = Tuple[str, str, str, Optional[str], Optional[str], Optional[str], Optional[str]]
Noted = Tuple["AccessLog", str, str, str]  # whose it is, and its line in front of the time, behind it, and at the end
Answered = Tuple[Noted, int, int, int, int]  # status, bytes sent, monotonic nanoseconds of its begin and end


class _Frames(Dict[Asked, Tuple[str, ...]]):
    """The parts of a line that follow from what was asked, remembered. Two threads may make the same one."""

    def __init__(self, make: Callable[[Asked], Tuple[str, ...]]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, asked: Asked) -> Tuple[str, ...]:
        frame = self._make(asked)
        if sum(map(len, frame)) <= _REMEMBERED_BYTES:
            if len(self) >= _REMEMBERED:
                self.clear()  # what comes often is soon here again
            self[asked] = frame
        return frame


class AccessLog:
    """`write` takes bytes of one or more whole lines.

    `take` is what a request calls at its end: the queue's own append, since a call of Python's costs as much as a line.
    Somebody has to call `flush` every now and then; `record` does so by itself.
    """

    def __init__(self, form: str, write: Callable[[bytes], None], clock: Callable[[], int] = time.monotonic_ns) -> None:
        if form not in FORMATS:
            raise ValueError("cannot write an access log in format %r: use one of %s" % (form, ", ".join(FORMATS)))
        self._write = write
        self._waiting: List[Answered] = []
        self.take: Callable[[Answered], None] = self._waiting.append
        self._flushing = threading.Lock()
        self._prepared: List[bytes] = []  # lines, to be written
        self._clock = clock
        self._second = (0, "")  # a second and its text
        self._json = form == "json"
        self._frames = _Frames({"common": _common, "combined": _combined, "json": _json}[form])

    def note(self, head: Head) -> Noted:
        """Return what a line will say of this request, for `record`. The application has not been called yet."""
        noted: Optional[Noted] = head.noted
        if noted is not None and noted[0] is self:
            return noted
        environ = head.environ
        get = environ.get
        asked = (
            head.method,
            environ["SERVER_PROTOCOL"],
            environ["REMOTE_ADDR"],
            get("REMOTE_USER"),
            get("HTTP_HOST"),
            get("HTTP_REFERER"),
            get("HTTP_USER_AGENT"),
        )
        noted = self._noted(environ["REQUEST_URI"], asked)
        if "HTTP_X_FORWARDED_FOR" not in environ:  # whose address counts may change while the client stays
            head.noted = noted
        return noted

    def _noted(self, target: str, asked: Asked) -> Noted:
        before, between, behind, end = self._frames[asked]
        # No request has anything but visible ASCII in its target (`heads`, `uwsgi`).
        if '"' in target or "\\" in target:
            target = json.dumps(target)[1:-1] if self._json else target.translate(_ESCAPES)
        return self, before, between + target + behind, end

    def record(self, noted: Noted, status: int, sent_bytes: int, duration_ns: int) -> None:
        """Take in an answer that ends now. sent_bytes: head and body, as far as they were given to the socket."""
        now_ns = self._clock()
        self.take((noted, status, sent_bytes, now_ns - duration_ns, now_ns))
        if len(self._waiting) >= _BATCH:
            self.flush()

    def refused(self, connection: Connection, status: int, sent_bytes: int) -> None:
        """Take in an answer of the server's own; there may have been no whole head."""
        head = connection.head
        unknown: Asked = ("-", "-", connection.base["REMOTE_ADDR"], None, None, None, None)
        self.record(self.note(head) if head is not None else self._noted("-", unknown), status, sent_bytes, 0)

    def prepare(self) -> None:
        """Make lines of what has been taken in, if that is much and nobody is about it."""
        if len(self._waiting) < _PREPARED or not self._flushing.acquire(False):
            return
        try:
            self._make_lines()
            late = len(self._prepared) > _MOST_PREPARED
        finally:
            self._flushing.release()
        if late:
            self.flush()

    def flush(self) -> None:
        """Write what has been taken in."""
        with self._flushing:
            self._make_lines()
            if self._prepared:
                data, self._prepared = b"".join(self._prepared), []
                self._write(data)

    def _make_lines(self) -> None:
        """Make lines of what waits. The caller holds the lock, so nobody else takes any: what is counted is there."""
        batch = self._waiting[:]
        del self._waiting[: len(batch)]
        if batch:
            lines = self._json_lines(batch) if self._json else self._apache_lines(batch)
            lines.append("")
            self._prepared.append("\n".join(lines).encode("ascii", "backslashreplace"))

    def _apache_lines(self, batch: List[Answered]) -> List[str]:
        now = int(time.time())  # a batch waits for milliseconds, and these formats count in seconds
        second, stamp = self._second
        if second != now:
            second, stamp = self._second = now, _apache_time(now)
        return [
            f"{before}{stamp}{request}{status} {sent_bytes}{end}"
            for (_log, before, request, end), status, sent_bytes, _begin_ns, _end_ns in batch
        ]

    def _json_lines(self, batch: List[Answered]) -> List[str]:
        lines: List[str] = []
        add = lines.append
        short = _SHORT
        epoch_ns = time.time_ns() - self._clock()
        from_ns = to_ns = 0  # of a millisecond whose text is `stamp`
        stamp = ""
        for (_log, before, request, end), status, sent_bytes, begin_ns, end_ns in batch:
            if not from_ns <= end_ns < to_ns:
                milli = (epoch_ns + end_ns) // 1_000_000
                from_ns = milli * 1_000_000 - epoch_ns
                to_ns = from_ns + 1_000_000
                stamp = self._iso_time(milli)
            micros = (end_ns - begin_ns) // 1000  # to format a float costs twice as much
            duration = short[micros] if 0 <= micros < 1000 else _seconds(micros)
            add(f'{before}{stamp}{request}{status}, "sent_bytes": {sent_bytes}, "duration_s": {duration}{end}')
        return lines

    def _iso_time(self, milli: int) -> str:
        now, fraction = divmod(milli, 1000)
        second, stamp = self._second
        if second != now:
            second, stamp = self._second = now, time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(now))
        return stamp + "%03d" % fraction


def _apache_time(second: int) -> str:
    day = time.gmtime(second)
    parts = day.tm_mday, _MONTHS[day.tm_mon - 1], day.tm_year, day.tm_hour, day.tm_min, day.tm_sec
    return "%02d/%s/%04d:%02d:%02d:%02d +0000" % parts


def _seconds(micros: int) -> str:
    return "%d.%06d" % divmod(micros, 1_000_000)


def _common(asked: Asked) -> Tuple[str, ...]:
    method, protocol, address, user, _host, _referer, _agent = asked
    return "%s - %s [" % (_escaped(address), _escaped(user)), '] "%s ' % method, ' %s" ' % protocol, ""


def _combined(asked: Asked) -> Tuple[str, ...]:
    return (*_common(asked)[:3], ' "%s" "%s"' % (_escaped(asked[5]), _escaped(asked[6])))


def _escaped(value: Optional[str]) -> str:
    return value.translate(_ESCAPES) if value else "-"


def _json(asked: Asked) -> Tuple[str, ...]:
    method, protocol, address, user, host, referer, agent = map(json.dumps, asked)
    return (
        '{"time": "',
        f'Z", "remote_addr": {address}, "remote_user": {user}, "method": {method}, "target": "',
        f'", "protocol": {protocol}, "host": {host}, "status": ',
        f', "referer": {referer}, "user_agent": {agent}}}',
    )
