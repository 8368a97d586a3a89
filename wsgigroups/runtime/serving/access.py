"""The access log: one line for each answer, in the common, combined or a JSON format.

What a line says of the request is noted before the application is called, since the environ is the application's from
then on. An answer is only queued; lines are made in batches, by the leader between two rounds (`prepare`: what it is
made of is in its processor's cache), and written by the monitor (`flush`), so that no request waits for a disk. Every
value of a client is escaped: no line can be forged.
"""

from __future__ import annotations

import json
import operator
import threading
import time
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

from ..protocol.heads import Head
from .connection import Connection

FORMATS = ("common", "combined", "json")
_BATCH = 256
_PREPARED = 64  # answers of which the leader makes lines
_MOST_PREPARED = 1000  # batches of lines that nobody has written yet: then the leader has to
_REMEMBERED = 256  # texts made of values that come again and again
_REMEMBERED_BYTES = 1024  # of one of them
_TARGETS = 8  # remembered with each, so that clients that ask for the same share it: it is in the processor's cache
_TARGET_BYTES = 128
_SHORT = ["0.%06d" % number for number in range(1000)]  # durations in microseconds, as seconds
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ESCAPES: Dict[int, str] = {code: "\\x%02x" % code for code in [*range(32), *range(127, 256)]}
_ESCAPES.update({34: '\\"', 92: "\\\\"})  # as Apache escapes them (mod_log_config, "Format Notes")

# What hardly changes from request to request: method, protocol, address, user, host, referer, agent.
Asked = Tuple[str, str, str, Optional[str], Optional[str], Optional[str], Optional[str]]


class Line:
    """What a line says of a request and its answer. Equal answers to equal requests share it."""

    __slots__ = ("before", "line", "sent_bytes", "stamp", "status", "text")

    def __init__(self, before: str, text: str, status: int, sent_bytes: int) -> None:
        self.before = before  # the time
        self.text = text  # behind the time
        self.status = status
        self.sent_bytes = sent_bytes
        # The whole line as it was last, with which time: for the formats that count in seconds. Of who holds the lock
        # of the log.
        self.line = self.stamp = ""


class Noted:
    """What a line says of a request, and the last answer to it: clients that ask again mostly get the same again."""

    __slots__ = ("before", "end", "line", "log", "request")

    def __init__(self, log: "AccessLog", before: str, request: str, end: str) -> None:
        self.log = log
        self.before = before  # the time
        self.request = request  # behind the time
        self.end = end
        self.line = _NO_LINE

    def answered(self, status: int, sent_bytes: int) -> Line:
        """Return the line of an answer. sent_bytes: head and body, as far as they were given to the socket."""
        line = self.line
        if line.sent_bytes != sent_bytes or line.status != status:
            text = f"{self.request}{status}{self.log.between_numbers}{sent_bytes}{self.end}\n"
            self.line = line = Line(self.before, text, status, sent_bytes)
        return line


_NO_LINE = Line("", "", 0, -1)
_text = operator.attrgetter("line")

Answered = Tuple[Line, int, int]  # nanoseconds that it took, and when it ended


class _Frame:
    """The parts of a line that follow from what was asked, and requests noted with them, by target."""

    __slots__ = ("before", "behind", "between", "end", "noted")

    def __init__(self, before: str, between: str, behind: str, end: str) -> None:
        self.before, self.between, self.behind, self.end = before, between, behind, end
        self.noted: Dict[str, Noted] = {}


class _Frames(Dict[Asked, _Frame]):
    """Frames remembered. Two threads may make the same one."""

    def __init__(self, make: Callable[[Asked], Tuple[str, str, str, str]]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, asked: Asked) -> _Frame:
        parts = self._make(asked)
        frame = _Frame(*parts)
        if sum(map(len, parts)) <= _REMEMBERED_BYTES:
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
        self._waiting: List[Any] = []  # Answered, or Line if lines say only in which second they were made
        self.take: Callable[[Any], None] = self._waiting.append
        self.timed = form == "json"  # whether `take` wants an Answered
        self.between_numbers = ', "sent_bytes": ' if form == "json" else " "
        self._flushing = threading.Lock()
        self._prepared: List[bytes] = []  # lines, to be written
        self._clock = clock
        self._second = (0, "")  # a second and its text
        self._frames = _Frames({"common": _common, "combined": _combined, "json": _json}[form])

    def note(self, head: Head) -> Noted:
        """Return what a line will say of this request, for `record`. The application has not been called yet."""
        noted: Optional[Noted] = head.noted
        if noted is not None and noted.log is self:
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
        frame = self._frames[asked]
        noted = frame.noted.get(target)
        if noted is not None:
            return noted
        shown = target
        # No request has anything but visible ASCII in its target (`heads`, `uwsgi`).
        if '"' in target or "\\" in target:
            shown = json.dumps(target)[1:-1] if self.timed else target.translate(_ESCAPES)
        noted = Noted(self, frame.before, frame.between + shown + frame.behind, frame.end)
        if "?" not in target and len(target) <= _TARGET_BYTES:  # what comes with a query hardly comes again
            if len(frame.noted) >= _TARGETS:
                frame.noted.clear()
            frame.noted[target] = noted
        return noted

    def record(self, noted: Noted, status: int, sent_bytes: int, duration_ns: int) -> None:
        """Take in an answer that ends now. sent_bytes: head and body, as far as they were given to the socket."""
        line = noted.answered(status, sent_bytes)
        self.take((line, duration_ns, self._clock()) if self.timed else line)
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
            parts = self._json_parts(batch) if self.timed else self._apache_lines(batch)
            self._prepared.append("".join(parts).encode("ascii", "backslashreplace"))

    def _apache_lines(self, batch: List[Line]) -> Iterable[str]:
        now = int(time.time())  # a batch waits for milliseconds, and these formats count in seconds
        second, stamp = self._second
        if second != now:
            second, stamp = self._second = now, _apache_time(now)
        for line in set(batch):
            if line.stamp is not stamp:
                line.stamp = stamp
                line.line = line.before + stamp + line.text
        return map(_text, batch)

    def _json_parts(self, batch: List[Answered]) -> List[str]:
        parts: List[str] = []
        short = _SHORT
        epoch_ns = time.time_ns() - self._clock()
        from_ns = to_ns = 0  # of a millisecond with which `begin` was made
        begin = ""
        for line, took_ns, end_ns in batch:
            if not from_ns <= end_ns < to_ns:
                milli = (epoch_ns + end_ns) // 1_000_000
                from_ns = milli * 1_000_000 - epoch_ns
                to_ns = from_ns + 1_000_000
                begin = '{"time": "%sZ", "duration_s": ' % self._iso_time(milli)
            try:
                parts += begin, short[took_ns // 1000], line.text  # to join is cheaper than to format
            except IndexError:
                parts += begin, _seconds(took_ns // 1000), line.text
        return parts

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


def _common(asked: Asked) -> Tuple[str, str, str, str]:
    method, protocol, address, user, _host, _referer, _agent = asked
    return "%s - %s [" % (_escaped(address), _escaped(user)), '] "%s ' % method, ' %s" ' % protocol, ""


def _combined(asked: Asked) -> Tuple[str, str, str, str]:
    before, between, behind, _end = _common(asked)
    return before, between, behind, ' "%s" "%s"' % (_escaped(asked[5]), _escaped(asked[6]))


def _escaped(value: Optional[str]) -> str:
    return value.translate(_ESCAPES) if value else "-"


def _json(asked: Asked) -> Tuple[str, str, str, str]:
    method, protocol, address, user, host, referer, agent = map(json.dumps, asked)
    return (
        "",  # `_json_parts` makes it, since how long the request took comes next to the time
        f', "remote_addr": {address}, "remote_user": {user}, "method": {method}, "target": "',
        f'", "protocol": {protocol}, "host": {host}, "status": ',
        f', "referer": {referer}, "user_agent": {agent}}}',
    )
