"""The lines of an access log: the common and combined formats of Apache httpd, and JSON; no client can forge one.

Pure. Lines are made for many answers at once, as if every value were clean, and looked at as a whole: only if there is
more in them than the format has itself, they are made again, with every value escaped.
"""

from __future__ import annotations

import json
import time
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

from ..protocol.heads import Head

Asked = Tuple[Tuple[str, ...], Tuple[str, ...]]  # what a line says of a request, before and after the answer's numbers
Answer = Tuple[Tuple[Any, ...], int, int]  # the values of a line; how long it took and when it ended, in nanoseconds

_SECOND_NS = 1_000_000_000
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ESCAPES: Dict[int, str] = {code: "\\x%02x" % code for code in [*range(32), *range(127, 256)]}
_ESCAPES.update({34: '\\"', 92: "\\\\"})  # as Apache escapes them (mod_log_config, "Format Notes")
_SPECIAL = bytes([*range(32), 34, 92, 127])  # of ASCII, what may not be in a value as it is
_COMMON = '%%s - %%s [%s] "%%s %%s %%s" %%d %%d\n'
_COMBINED = _COMMON[:-1] + ' "%%s" "%%s"\n'
_JSON = (
    '{"time":"%s","remote_addr":"%%s","remote_user":%%s,"method":"%%s","target":"%%s","protocol":"%%s","host":%%s,'
    '"status":%%d,"sent_bytes":%%d,"referer":%%s,"user_agent":%%s,"duration_s":%%d.%%06d}\n'
)


class Format(NamedTuple):
    """How lines are made. The values of `ask` are taken before the call: the environ is the application's then."""

    ask: Callable[[Head], Asked]
    lines: Callable[[List[Answer], int], bytes]  # the second: what to add to the clock of the answers for UTC


def _ask_common(head: Head) -> Asked:
    environ = head.environ
    user = environ.get("REMOTE_USER") or "-"
    return (environ["REMOTE_ADDR"], user, head.method, environ["REQUEST_URI"], environ["SERVER_PROTOCOL"]), ()


def _ask_combined(head: Head) -> Asked:
    get = head.environ.get
    return _ask_common(head)[0], (get("HTTP_REFERER") or "-", get("HTTP_USER_AGENT") or "-")


def _ask_json(head: Head) -> Asked:
    environ = head.environ
    get = environ.get
    user, host, referer, agent = get("REMOTE_USER"), get("HTTP_HOST"), get("HTTP_REFERER"), get("HTTP_USER_AGENT")
    return (
        environ["REMOTE_ADDR"],
        "null" if user is None else '"' + user + '"',
        head.method,
        environ["REQUEST_URI"],
        environ["SERVER_PROTOCOL"],
        "null" if host is None else '"' + host + '"',
    ), (
        "null" if referer is None else '"' + referer + '"',
        "null" if agent is None else '"' + agent + '"',
    )


def _apache(answers: List[Answer], epoch_ns: int, template: str) -> bytes:
    lines, second, line = [], -1, ""
    for values, _took_ns, end_ns in answers:
        if (epoch_ns + end_ns) // _SECOND_NS != second:
            second = (epoch_ns + end_ns) // _SECOND_NS
            line = template % _apache_time(second)
        lines.append(line % values)
    return "".join(lines).encode("ascii", "backslashreplace")


def _apache_lines(template: str) -> Callable[[List[Answer], int], bytes]:
    special = template.count('"') + template.count("\n")

    def lines(answers: List[Answer], epoch_ns: int) -> bytes:
        data = _apache(answers, epoch_ns, template)
        if len(data) - len(data.translate(None, _SPECIAL)) == special * len(answers):
            return data
        return _apache([(tuple(map(_escaped, values)), took, end) for values, took, end in answers], epoch_ns, template)

    return lines


def _escaped(value: Any) -> Any:
    return value.translate(_ESCAPES) if type(value) is str else value


def _apache_time(second: int) -> str:
    day = time.gmtime(second)
    parts = day.tm_mday, _MONTHS[day.tm_mon - 1], day.tm_year, day.tm_hour, day.tm_min, day.tm_sec
    return "%02d/%s/%04d:%02d:%02d:%02d +0000" % parts


def _json(answers: List[Answer], epoch_ns: int) -> bytes:
    lines, milli, line = [], -1, ""
    for values, took_ns, end_ns in answers:
        if (epoch_ns + end_ns) // 1_000_000 != milli:
            milli = (epoch_ns + end_ns) // 1_000_000
            moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milli // 1000))
            line = _JSON % ("%s.%03dZ" % (moment, milli % 1000))
        lines.append(line % (values + divmod(took_ns // 1000, 1_000_000)))
    return "".join(lines).encode("ascii", "backslashreplace")


def _json_lines(answers: List[Answer], epoch_ns: int) -> bytes:
    data = _json(answers, epoch_ns)
    # What is null has no quotes. That a value says so, too, makes the sum larger, as all does that is to be escaped.
    if len(data) - len(data.translate(None, _SPECIAL)) + 2 * data.count(b":null") == _JSON_SPECIAL * len(answers):
        return data
    return _json([(_quoted(values), took, end) for values, took, end in answers], epoch_ns)


def _quoted(values: Tuple[Any, ...]) -> Tuple[Any, ...]:
    quoted = list(values)
    for index, value in enumerate(values):
        if type(value) is str and (index in _IN_QUOTES or value != "null"):
            text = json.dumps(value if index in _IN_QUOTES else value[1:-1]).replace("\x7f", "\\u007f")
            quoted[index] = text[1:-1] if index in _IN_QUOTES else text
    return tuple(quoted)


_IN_QUOTES = (0, 2, 3, 4)  # values that have theirs in the format; others bring them
_JSON_SPECIAL = _JSON.count('"') + 2 * _JSON.count(":%%s") + 1

FORMATS: Dict[str, Format] = {
    "common": Format(_ask_common, _apache_lines(_COMMON)),
    "combined": Format(_ask_combined, _apache_lines(_COMBINED)),
    "json": Format(_ask_json, _json_lines),
}
