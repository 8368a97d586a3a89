"""The lines of an access log: the common and combined formats of Apache httpd, and JSON; no client can forge one.

Pure. Lines are made for many answers at once, as if every value were clean, and looked at as a whole: only if there is
more in them than the format has itself, they are made again, with every value escaped.
"""

from __future__ import annotations

import json
import re
from typing import Any, Callable, Dict, List, NamedTuple

from ..originals import time
from ..protocol.heads import Head

# The values of a line in their order, of which the request's are there. Those of the answer have places: they are known
# later, and the environ is the application's by then. Values of many lines follow each other in one list.
Asked = List[Any]

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ESCAPES: Dict[int, str] = {code: "\\x%02x" % code for code in [*range(32), *range(127, 256)]}
_ESCAPES.update({34: '\\"', 92: "\\\\"})  # as Apache escapes them (mod_log_config, "Format Notes")
_SPECIAL = bytes([*range(32), 34, 92, 127])  # of ASCII, what may not be in a value as it is
_COMMON = '%s - %s [%s] "%s %s %s" %d %s\n'
_COMBINED = _COMMON[:-1] + ' "%s" "%s"\n'
_JSON = (
    '{"time":"%s.%sZ","remote_addr":"%s","remote_user":%s,"method":"%s","target":"%s","protocol":"%s","host":%s,'
    '"status":%d,"sent_bytes":%d,"referer":%s,"user_agent":%s,"request_id":%s,"duration_s":%d.%s%s}\n'
)
_JSON_WIDTH = 16
_QUOTED = frozenset((3, 7, 10, 11, 12))  # places of JSON whose values bring their quotes, or are null
_JSON_SPECIAL = _JSON.count('"') + 2 * len(_QUOTED) + 1
_TEXT = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_SHAPE = re.compile(
    # a time is no address, so no line is taken for a record of a log
    r"(?!\d{4}-)[^\s{]* - .*|"
    + re.escape(_JSON[:-1])
    .replace('"%s\\.%sZ"', _TEXT)
    .replace('"%s"', _TEXT)
    .replace(r"%d\.%s%s", r"\d+\.\d{6}")
    .replace("%d", r"\d+")
    .replace("%s", "(?:null|%s)" % _TEXT)
)
THOUSANDTHS = tuple("%03d" % number for number in range(1000))  # quicker than the format with leading zeros


class Format(NamedTuple):
    """How the lines of a log are made."""

    template: str
    width: int  # values of a line
    ask: Callable[[Head], Asked]
    time_text: Callable[[int], str]  # of a second of UTC
    user_at: int  # the place of the user
    user: Callable[[str], str]  # … and its value
    none: Any  # the size of an empty body
    special: int  # characters of the template that may not be in a value, quotes of null included
    escaped: Callable[[List[Any]], List[Any]]  # the values
    time_at: int  # the place of the time's text, and in JSON of the millisecond behind it
    status_at: int  # … of the status, and behind it of the size
    took_at: int  # … of the seconds, milliseconds and microseconds that it took; 0: there is none

    def lines(self, values: List[Any]) -> bytes:
        """Return the lines that the values make."""
        count = len(values) // self.width
        data = self._lines(count, values)
        found = len(data) - len(data.translate(None, _SPECIAL))
        if self.took_at:
            # What is null has no quotes. That a value says so, too, makes the sum larger, as all that is to be escaped.
            found += 2 * data.count(b":null")
        return data if found == self.special * count else self._lines(count, self.escaped(values))

    def _lines(self, count: int, values: List[Any]) -> bytes:
        return (self.template * count % tuple(values)).encode("ascii", "backslashreplace")


def is_line(text: str) -> bool:
    """Whether a text could be a line of one of the formats, without its end: nothing else may be written as one."""
    return _SHAPE.fullmatch(text) is not None


def _ask_common(head: Head) -> Asked:
    environ = head.environ
    user = environ.get("REMOTE_USER") or "-"
    address, target, protocol = environ["REMOTE_ADDR"], environ["REQUEST_URI"], environ["SERVER_PROTOCOL"]
    return [address, user, None, head.method, target, protocol, None, None]


def _ask_combined(head: Head) -> Asked:
    environ = head.environ
    get = environ.get
    user, referer, agent = get("REMOTE_USER") or "-", get("HTTP_REFERER") or "-", get("HTTP_USER_AGENT") or "-"
    address, target, protocol = environ["REMOTE_ADDR"], environ["REQUEST_URI"], environ["SERVER_PROTOCOL"]
    return [address, user, None, head.method, target, protocol, None, None, referer, agent]


def _ask_json(head: Head) -> Asked:
    environ = head.environ
    get = environ.get
    user, host, referer, agent = get("REMOTE_USER"), get("HTTP_HOST"), get("HTTP_REFERER"), get("HTTP_USER_AGENT")
    user = "null" if user is None else '"' + user + '"'
    host = "null" if host is None else '"' + host + '"'
    referer = "null" if referer is None else '"' + referer + '"'
    agent = "null" if agent is None else '"' + agent + '"'
    address, target, protocol = environ["REMOTE_ADDR"], environ["REQUEST_URI"], environ["SERVER_PROTOCOL"]
    return [
        None,
        None,
        address,
        user,
        head.method,
        target,
        protocol,
        host,
        None,
        None,
        referer,
        agent,
        '"' + head.name + '"' if head.name else "null",
        None,
        None,
        None,
    ]


def _escaped(values: List[Any]) -> List[Any]:
    return [value.translate(_ESCAPES) if type(value) is str else value for value in values]


def _escaped_json(values: List[Any]) -> List[Any]:
    escaped = values[:]
    for index, value in enumerate(values):
        quoted = index % _JSON_WIDTH in _QUOTED
        if type(value) is str and not (quoted and value == "null"):
            text = json.dumps(value[1:-1] if quoted else value).replace("\x7f", "\\u007f")
            escaped[index] = text if quoted else text[1:-1]
    return escaped


def _apache_time(second: int) -> str:
    day = time.gmtime(second)
    parts = day.tm_mday, _MONTHS[day.tm_mon - 1], day.tm_year, day.tm_hour, day.tm_min, day.tm_sec
    return "%02d/%s/%04d:%02d:%02d:%02d +0000" % parts


def _json_time(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


FORMATS: Dict[str, Format] = {
    "common": Format(_COMMON, 8, _ask_common, _apache_time, 1, str, "-", _COMMON.count('"') + 1, _escaped, 2, 6, 0),
    "combined": Format(
        _COMBINED, 10, _ask_combined, _apache_time, 1, str, "-", _COMBINED.count('"') + 1, _escaped, 2, 6, 0
    ),
    "json": Format(
        _JSON, _JSON_WIDTH, _ask_json, _json_time, 3, '"{}"'.format, 0, _JSON_SPECIAL, _escaped_json, 0, 8, 13
    ),
}
