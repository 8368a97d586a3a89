"""The access log: one line for each answer, in the common, combined or a JSON format.

What a line says of the request is noted before the application is called, since the environ is the application's from
then on. An answer is only queued, together with those that it equals but for its duration (`tally.Run`); lines are put
together in batches, by the leader between two rounds if there are many (`prepare`), else by the monitor, who writes
them (`flush`), so that no request waits for a disk. Every value of a client is escaped: no line can be forged.
"""

from __future__ import annotations

import json
import threading
import time
from typing import Callable, Dict, List, Optional, Tuple

from ..front.connection import Connection
from ..protocol.heads import Head
from ..protocol.responses import Prepared
from .tally import NO_RUN, Answers, Run

FORMATS = ("off", "common", "combined", "json")
_BATCH = 256
_PREPARED = 256  # runs of answers of which the leader makes lines
_MOST_PREPARED = 1000  # batches of lines that nobody has written yet: then the leader has to
_REMEMBERED = 256  # texts made of values that come again and again
_REMEMBERED_BYTES = 1024  # of one of them
_TARGETS = 8  # remembered with each, so that clients that ask for the same share it: it is in the processor's cache
_TARGET_BYTES = 128
_MILLI_NS = 1_000_000
_DURATIONS = [b"0.%06d}\n" % number for number in range(1000)]  # what ends a line of the JSON format, by microseconds
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_ESCAPES: Dict[int, str] = {code: "\\x%02x" % code for code in [*range(32), *range(127, 256)]}
_ESCAPES.update({34: '\\"', 92: "\\\\"})  # as Apache escapes them (mod_log_config, "Format Notes")

# What hardly changes from request to request: method, protocol, address, user, host, referer, agent.
Asked = Tuple[str, str, str, Optional[str], Optional[str], Optional[str], Optional[str]]


class Noted:
    """What a line says of a request, and the last run of answers to it: clients that ask again mostly get the same."""

    __slots__ = ("before", "end", "request", "run")

    def __init__(self, before: bytes, request: bytes, end: bytes) -> None:
        self.before = before  # the time
        self.request = request  # behind the time
        self.end = end
        self.run = NO_RUN


class _Frame:
    """The parts of a line that follow from what was asked, and requests noted with them, by target."""

    __slots__ = ("before", "behind", "between", "end", "noted")

    def __init__(self, before: bytes, between: bytes, behind: bytes, end: bytes) -> None:
        self.before, self.between, self.behind, self.end = before, between, behind, end
        self.noted: Dict[str, Noted] = {}


class _Frames(Dict[Asked, _Frame]):
    """Frames remembered. Two threads may make the same one."""

    def __init__(self, make: Callable[[Asked], Tuple[str, str, str, str]]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, asked: Asked) -> _Frame:
        parts = [_encoded(part) for part in self._make(asked)]
        frame = _Frame(*parts)
        if sum(map(len, parts)) <= _REMEMBERED_BYTES:
            if len(self) >= _REMEMBERED:
                self.clear()  # what comes often is soon here again
            self[asked] = frame
        return frame


class AccessLog:
    """`write` takes bytes of one or more whole lines.

    Somebody has to call `flush` every now and then; `record` does so by itself. `on` is false if there is no log: then
    nothing is noted or recorded. In a `timed` one each line has a duration, and a time to the millisecond, before all
    else: what both have in common is the line of a run.
    """

    def __init__(self, form: str, write: Callable[[bytes], None], clock: Callable[[], int] = time.monotonic_ns) -> None:
        if form not in FORMATS:
            raise ValueError("cannot write an access log in format %r: use one of %s" % (form, ", ".join(FORMATS)))
        self.on = form != "off"
        self._write = write
        self._waiting: List[Answers] = []
        self.timed = form == "json"
        self._flushing = threading.Lock()
        self._prepared: List[bytes] = []  # lines, to be written
        self._clock = clock
        self._second = (0, b"")  # a second and its text
        self._frames = _Frames({"off": _common, "common": _common, "combined": _combined, "json": _json}[form])

    def note(self, head: Head) -> Noted:
        """Return what a line will say of this request; `head.noted` from now on. The application is to be called yet.

        Clients of a kept connection give the same head again: `head.noted_by` says that this need not be called then.
        """
        if head.noted_by is self:
            known: Noted = head.noted
            return known
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
        head.noted = noted = self._noted(environ["REQUEST_URI"], asked)
        if "HTTP_X_FORWARDED_FOR" not in environ:  # whose address counts may change while the client stays
            head.noted_by = self
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
        noted = Noted(frame.before, frame.between + _encoded(shown) + frame.behind, frame.end)
        if "?" not in target and len(target) <= _TARGET_BYTES:  # what comes with a query hardly comes again
            if len(frame.noted) >= _TARGETS:
                frame.noted.clear()
            frame.noted[target] = noted
        return noted

    def run(self, noted: Optional[Noted], prepared: Prepared, sent_bytes: int) -> Run:
        """Return the run of an answer whose head is `prepared.head()`; noted: None if there is no log.

        sent_bytes: head and body.
        """
        made_of = prepared.last  # first: another second may begin now, and a line with its time is not for this head
        if noted is None:
            return Run(made_of, None, prepared.hundreds, sent_bytes, b"", None)
        run = noted.run
        if run.made_of is not made_of:
            line = self._line(noted, prepared.code, sent_bytes)
            noted.run = run = Run(made_of, noted, prepared.hundreds, sent_bytes, line, self._waiting.append)
        return run

    def answered(self, noted: Noted, status: int, sent_bytes: int, duration_ns: int, end_ns: int) -> None:
        """Take in an answer. sent_bytes: head and body, as far as they were given to the socket; end_ns: monotonic."""
        self._waiting.append((self._line(noted, status, sent_bytes), [duration_ns], end_ns))

    def record(self, noted: Noted, status: int, sent_bytes: int, duration_ns: int) -> None:
        """Take in an answer that ends now; as `answered`."""
        self.answered(noted, status, sent_bytes, duration_ns, self._clock())
        if len(self._waiting) >= _BATCH:
            self.flush()

    def _line(self, noted: Noted, status: int, sent_bytes: int) -> bytes:
        """Return the line of an answer that ends now; if timed, without its time and duration."""
        if self.timed:
            return b'%b%d,"sent_bytes":%d%b' % (noted.request, status, sent_bytes, noted.end)
        stamp = self._text(int(time.time()), _apache_time)
        return b"%b%b%b%d %d%b\n" % (noted.before, stamp, noted.request, status, sent_bytes, noted.end)

    def _text(self, second: int, make: Callable[[int], bytes]) -> bytes:
        known, text = self._second
        if known != second:
            text = make(second)
            self._second = second, text
        return text

    def refused(self, connection: Connection, status: int, sent_bytes: int) -> None:
        """Take in an answer of the server's own; there may have been no whole head."""
        head = connection.head
        unknown: Asked = ("-", "-", connection.base["REMOTE_ADDR"], None, None, None, None)
        self.record(self.note(head) if head is not None else self._noted("-", unknown), status, sent_bytes, 0)

    def prepare(self) -> None:
        """Put lines together of what has been taken in, if that is much and nobody is about it."""
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
        """Put lines together of what waits. The caller holds the lock, so nobody else takes any from the front."""
        batch = self._waiting[:]
        del self._waiting[: len(batch)]
        if batch:
            lines = self._timed_lines(batch) if self.timed else [line * len(took) for line, took, _end_ns in batch]
            self._prepared.append(b"".join(lines))

    def _timed_lines(self, batch: List[Answers]) -> List[bytes]:
        """Return the lines of the answers with their times and durations; those that have more in common are one."""
        epoch_ns = time.time_ns() - self._clock()
        merged: List[Answers] = []
        last_milli, last_line = -1, b""
        durations: List[int] = []
        for line, took, end_ns in batch:
            milli = (epoch_ns + end_ns) // _MILLI_NS
            if milli == last_milli and line is last_line:
                durations.extend(took)
            else:
                last_milli, last_line, durations = milli, line, took
                merged.append((line, durations, milli))
        lines = []
        for line, took, milli in merged:
            start = b'{"time":"%b.%03dZ%b' % (self._text(milli // 1000, _iso_time), milli % 1000, line)
            try:
                lines.append(start.join([b"", *[_DURATIONS[ns // 1000] for ns in took]]))
            except IndexError:  # of a millisecond and more
                lines.append(start.join([b"", *[b"%d.%06d}\n" % divmod(ns // 1000, 1_000_000) for ns in took]]))
        return lines


def _apache_time(second: int) -> bytes:
    day = time.gmtime(second)
    parts = day.tm_mday, _MONTHS[day.tm_mon - 1], day.tm_year, day.tm_hour, day.tm_min, day.tm_sec
    return b"%02d/%b/%04d:%02d:%02d:%02d +0000" % parts


def _iso_time(second: int) -> bytes:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode("ascii")


def _common(asked: Asked) -> Tuple[str, str, str, str]:
    method, protocol, address, user, _host, _referer, _agent = asked
    return "%s - %s [" % (_escaped(address), _escaped(user)), '] "%s ' % method, ' %s" ' % protocol, ""


def _combined(asked: Asked) -> Tuple[str, str, str, str]:
    before, between, behind, _end = _common(asked)
    return before, between, behind, ' "%s" "%s"' % (_escaped(asked[5]), _escaped(asked[6]))


def _escaped(value: Optional[str]) -> str:
    return value.translate(_ESCAPES) if value else "-"


def _encoded(text: str) -> bytes:
    return text.encode("ascii", "backslashreplace")


def _json(asked: Asked) -> Tuple[str, str, str, str]:
    method, protocol, address, user, host, referer, agent = map(json.dumps, asked)
    return (
        "",  # all that comes before the time is the same in each line
        f'","remote_addr":{address},"remote_user":{user},"method":{method},"target":"',
        f'","protocol":{protocol},"host":{host},"status":',
        f',"referer":{referer},"user_agent":{agent},"duration_s":',
    )
