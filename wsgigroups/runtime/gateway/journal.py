"""The access log of one site: a line for each answer, as daemons write them, and in JSON with what a gateway knows.

The loop's. Lines are written between two rounds, so that no answer waits for a disk.
"""

from __future__ import annotations

from json.encoder import encode_basestring_ascii as _text
from typing import TYPE_CHECKING, Callable, List, Optional

from ..originals import os, time
from ..records.access import NAMES, AccessLog

if TYPE_CHECKING:
    from .reply import Reply

FORMATS = frozenset((*NAMES, "json"))
_SECOND_NS = 1_000_000_000
_JSON = (
    '{"time":"%s","request_id":%s,"site":%s,"group":%s,"remote_addr":%s,"method":%s,"target":%s,"protocol":"%s",'
    '"scheme":"%s","host":%s,"status":%d,"sent_bytes":%d,"whole":%s,"referer":%s,"user_agent":%s,"duration_s":%.6f,'
    '"queue_s":%.6f,"application_s":%.6f,"send_s":%.6f}\n'
)


class LogFile:
    """Where lines go; the descriptor is closed with the last who knows this. A full disk ends nothing."""

    __slots__ = ("_fd", "_log", "_lost")

    def __init__(self, fd: int, log: Callable[[str, str], None]) -> None:
        self._fd = fd
        self._log = log
        self._lost = 0

    def __del__(self) -> None:
        os.close(self._fd)

    def write(self, data: bytes) -> None:
        """Write whole lines; those that cannot be written are counted. Raises nothing."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            if not self._lost:
                self._log("warning", "access log: lines cannot be written: %s" % error)
            self._lost += bytes(rest).count(b"\n")
            return
        if self._lost:
            self._log("warning", "access log: %d lines could not be written" % self._lost)
            self._lost = 0


class SiteLog:
    """One site's. `flush` what was recorded."""

    __slots__ = ("_access", "_file", "_lines", "_second", "site_name")

    def __init__(self, site_name: str, form: str, file: LogFile, clock: Callable[[], int]) -> None:
        """form: of FORMATS, else ValueError."""
        self.site_name = site_name
        self._file = file
        self._access = None if form == "json" else AccessLog(form, file.write, clock)
        self._lines: List[str] = []
        self._second = (0, "")

    def record(self, reply: "Reply") -> None:
        """Take in an answer that has ended."""
        request, loop = reply.request, reply.loop
        took_ns = loop.now_ns - request.began_ns
        if self._access is None:
            self._lines.append(self._json(reply, took_ns))
            return
        asked = self._access.ask(request.head)
        asked[0] = request.facts.remote_address or "-"
        self._access.answered(asked, reply.status, reply.body_bytes, took_ns, loop.now_ns)

    def _json(self, reply: "Reply", took_ns: int) -> str:
        request = reply.request
        head, facts, mount = request.head, request.facts, request.match.mount
        get = head.environ.get
        queue_ns, application_ns, send_ns = reply.figures()
        return _JSON % (
            _moment(reply.loop.wall_us()),
            _text(facts.request_id),
            _text(self.site_name),
            "null" if mount is None else _text(mount.group),
            _text(facts.remote_address),
            _text(head.method),
            _text(head.target),
            head.environ["SERVER_PROTOCOL"],
            facts.scheme,
            _text(facts.host) if facts.host else "null",
            reply.status,
            reply.body_bytes,
            "true" if reply.whole else "false",
            _text_or_null(get("HTTP_REFERER")),
            _text_or_null(get("HTTP_USER_AGENT")),
            took_ns / _SECOND_NS,
            queue_ns / _SECOND_NS,
            application_ns / _SECOND_NS,
            send_ns / _SECOND_NS,
        )

    def flush(self) -> None:
        """Write what was taken in."""
        if self._access is not None:
            self._access.flush()
        elif self._lines:
            data = "".join(self._lines)
            self._lines = []
            self._file.write(data.encode("ascii"))


def _moment(wall_us: int) -> str:
    second, micros = divmod(wall_us, 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)) + ".%03dZ" % (micros // 1000)


def _text_or_null(value: Optional[str]) -> str:
    return "null" if value is None else _text(value)
