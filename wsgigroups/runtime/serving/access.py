"""The access log: one line for each answer, in the common, combined or a JSON format.

Lines are made in request threads and written in batches by whoever finds a batch full or has time (`flush`), so that
a request does not pay for a system call. Every value of a client is escaped: no line can be forged.
"""

from __future__ import annotations

import collections
import json
import time
from typing import Any, Callable, Deque, Dict, List, Optional, Tuple

from ..protocol.heads import Head
from .connection import Connection

FORMATS = ("common", "combined", "json")
_BATCH = 64
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ESCAPES: Dict[int, str] = {code: "\\x%02x" % code for code in [*range(32), *range(127, 256)]}
_ESCAPES.update({34: '\\"', 92: "\\\\"})  # as Apache escapes them (mod_log_config, "Format Notes")


class AccessLog:
    """`write` takes bytes of one or more whole lines."""

    def __init__(self, form: str, write: Callable[[bytes], None]) -> None:
        if form not in FORMATS:
            raise ValueError("cannot write an access log in format %r: use one of %s" % (form, ", ".join(FORMATS)))
        self._form = form
        self._write = write
        self._lines: Deque[str] = collections.deque()
        self._times: Tuple[int, str, str] = (-1, "", "")

    def record(
        self, connection: Connection, head: Optional[Head], status: int, sent_bytes: int, duration_ns: int
    ) -> None:
        """Note one answer. sent_bytes: head and body, as far as they were given to the socket."""
        environ = head.environ if head is not None else dict(connection.base, REQUEST_URI="-", SERVER_PROTOCOL="-")
        method = head.method if head is not None else "-"
        now = time.time()
        times = self._times
        if times[0] != int(now):
            times = self._second(int(now))
        if self._form == "json":
            line = self._json(environ, method, status, sent_bytes, duration_ns, now, times[2])
        else:
            target = environ["REQUEST_URI"]
            if not target.isprintable() or '"' in target or "\\" in target:
                target = target.translate(_ESCAPES)
            line = '%s - %s [%s] "%s %s %s" %d %d' % (
                environ["REMOTE_ADDR"] or "-",
                _text(environ.get("REMOTE_USER")),
                times[1],
                method,
                target,
                environ["SERVER_PROTOCOL"],
                status,
                sent_bytes,
            )
            if self._form == "combined":
                line += ' "%s" "%s"' % (_text(environ.get("HTTP_REFERER")), _text(environ.get("HTTP_USER_AGENT")))
        self._lines.append(line)
        if len(self._lines) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what has been noted; deque.popleft gives each line to one caller."""
        lines: List[str] = []
        try:
            while len(lines) < 4 * _BATCH:
                lines.append(self._lines.popleft())
        except IndexError:
            pass
        if lines:
            lines.append("")
            self._write("\n".join(lines).encode("utf-8", "backslashreplace"))

    @property
    def pending(self) -> bool:
        """Whether there is something to flush."""
        return bool(self._lines)

    def _second(self, now: int) -> Tuple[int, str, str]:
        day = time.gmtime(now)
        clock = "%02d:%02d:%02d" % (day.tm_hour, day.tm_min, day.tm_sec)
        apache = "%02d/%s/%04d:%s +0000" % (day.tm_mday, _MONTHS[day.tm_mon - 1], day.tm_year, clock)
        iso = "%04d-%02d-%02dT%s" % (day.tm_year, day.tm_mon, day.tm_mday, clock)
        self._times = times = (now, apache, iso)
        return times

    @staticmethod
    def _json(
        environ: Dict[str, Any], method: str, status: int, sent_bytes: int, duration_ns: int, now: float, iso: str
    ) -> str:
        text = json.encoder.encode_basestring_ascii  # a whole json.dumps costs four times as much
        user, host = environ.get("REMOTE_USER"), environ.get("HTTP_HOST")
        referer, agent = environ.get("HTTP_REFERER"), environ.get("HTTP_USER_AGENT")
        return (
            '{"time": "%s.%03dZ", "remote_addr": %s, "remote_user": %s, "method": "%s", "target": %s, "protocol": "%s",'
            ' "host": %s, "status": %d, "sent_bytes": %d, "duration_s": %.6f, "referer": %s, "user_agent": %s}'
        ) % (
            iso,
            now % 1 * 1000,
            text(environ["REMOTE_ADDR"]),
            "null" if user is None else text(user),
            method,  # from our own table
            text(environ["REQUEST_URI"]),
            environ["SERVER_PROTOCOL"] if method != "-" else "-",
            "null" if host is None else text(host),
            status,
            sent_bytes,
            duration_ns / 1e9,
            "null" if referer is None else text(referer),
            "null" if agent is None else text(agent),
        )


def _text(value: Any) -> str:
    if not value:
        return "-"
    text = str(value)
    if text.isprintable() and text.isascii() and '"' not in text and "\\" not in text:
        return text
    return text.translate(_ESCAPES)
