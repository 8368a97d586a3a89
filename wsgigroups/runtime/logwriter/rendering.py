"""Records as lines of a log: text for people, JSON with the names of OpenTelemetry's log data model. Pure.

LogAuthor record it is comes from the pipe that it came through, never from its text: no line can be another's. Control
characters of the text are escaped, further lines of a record are indented by four spaces.
"""

from __future__ import annotations

import json
import re
from typing import Any, Dict, NamedTuple

from ..originals import time
from ..text import clean

# https://opentelemetry.io/docs/specs/otel/logs/data-model/, "Field: SeverityNumber"
_SEVERITY = {"debug": 5, "info": 9, "notice": 10, "warning": 13, "error": 17}
_TEXT = {"notice": "INFO2", "warning": "WARN"}
_PRIORITY = {"debug": 7, "notice": 5, "warning": 4, "error": 3}  # of syslog(3); others are informational
_DAEMON = 3 << 3  # the facility of syslog(3)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_STREAMS = ("stdout", "stderr")
_LEVEL = re.compile(r"[a-z]{1,16}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_TRUSTED_NS = 60 * 1_000_000_000  # a record waits in its pipe for less: what says another time is wrong, or lies
RAW = "output"  # the level of what says none


class LogAuthor(NamedTuple):
    """The facts of a source."""

    group: str
    slot: int
    life: int
    pid: int

    def __str__(self) -> str:
        if not self.life:
            return "%s pid=%d" % (self.group, self.pid) if self.pid else self.group
        return "%s/%d life=%d pid=%d" % (self.group, self.slot, self.life, self.pid)


class LogEntry(NamedTuple):
    """One record, whose facts have been looked at."""

    level: str
    time_ns: int
    text: str
    request_id: str = ""
    child: int = 0  # the pid that a forked process says it has; 0: it is the source's own


def entry(level: str, time_ns: int, now_ns: int, text: str, request_id: str = "", child: int = 0) -> LogEntry:
    """Return a record of what a process said; what cannot be is left out or put right."""
    return LogEntry(
        level if _LEVEL.fullmatch(level) else RAW,
        time_ns if abs(now_ns - time_ns) < _TRUSTED_NS else now_ns,
        text,
        request_id if _REQUEST_ID.fullmatch(request_id) else "",
        child,
    )


def stamp(time_ns: int) -> str:
    """Return the time for people, UTC with milliseconds: 2026-11-23T12:00:00.000Z."""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".%03dZ" % (rest // 1_000_000)


def as_text(whose: LogAuthor, said: LogEntry) -> bytes:
    """Return the lines of a record."""
    first, *rest = said.text.rstrip("\n").split("\n")
    child = " child=%d" % said.child if said.child else ""
    request = " request=%s" % said.request_id if said.request_id else ""
    lines = ["%s %s%s%s %s: %s" % (stamp(said.time_ns), whose, child, request, said.level, clean(first, "\t"))]
    lines += ["    " + clean(line, "\t") for line in rest]
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def as_json(whose: LogAuthor, said: LogEntry) -> bytes:
    """Return the line of a record: an object with the names of OpenTelemetry's log data model."""
    attributes: Dict[str, Any] = {}
    if whose.pid or said.child:
        attributes["process.pid"] = said.child or whose.pid
    if whose.life:
        attributes["wsgigroups.life"] = whose.life
    if said.request_id:
        attributes["wsgigroups.request.id"] = said.request_id
    if said.level in _STREAMS:
        attributes["log.iostream"] = said.level
    record: Dict[str, Any] = {"Timestamp": stamp(said.time_ns)}
    if said.level in _SEVERITY:
        record["SeverityText"] = _TEXT.get(said.level, said.level.upper())
        record["SeverityNumber"] = _SEVERITY[said.level]
    record["Body"] = "\n".join(clean(line, "\t") for line in said.text.rstrip("\n").split("\n"))
    instance = "%s/%d" % (whose.group, whose.slot) if whose.life else whose.group
    record["Resource"] = {"service.name": whose.group, "service.instance.id": instance}
    record["Attributes"] = attributes
    return (json.dumps(record, separators=(",", ":")) + "\n").encode("ascii")


FORMATS = {"text": as_text, "json": as_json}


def for_syslog(lines: bytes, level: str, pid: int, now_s: int) -> bytes:
    """Return lines as syslog(3) sends them: priority, local time, name and pid before each (RFC 3164 section 4.1)."""
    moment = time.localtime(now_s)
    clock = "%s %2d %s" % (_MONTHS[moment.tm_mon - 1], moment.tm_mday, time.strftime("%H:%M:%S", moment))
    before = "<%d>%s wsgigroups[%d]: " % (_DAEMON | _PRIORITY.get(level, 6), clock, pid)
    return b"".join([before.encode("ascii") + line + b"\n" for line in lines[:-1].split(b"\n")])


def with_priorities(lines: bytes, level: str) -> bytes:
    """Return lines as journald reads them: each with its priority before it (sd-daemon(3))."""
    mark = b"<%d>" % _PRIORITY.get(level, 6)
    return b"".join([mark + line + b"\n" for line in lines[:-1].split(b"\n")])
