"""The head of a response: what an application may say, and how its body is framed.

Sans-I/O; called in request threads. A Preparer refuses at once what PEP 3333 ("The start_response() Callable") and
RFC 9110 forbid, so that the error is raised inside the application's call. `compose` decides the framing.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, Optional, Tuple

_CONTROLS = bytes([*range(32), 127])
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_STATUS = re.compile(r"([2-9][0-9][0-9]) [\t -~\x80-\xff]*")
_BODILESS = (204, 304)
_REMEMBERED = 512
_ORDINARY, _LENGTH, _HOP_BY_HOP, _DATE, _SERVER = range(5)
_KINDS = {
    "connection": _HOP_BY_HOP,
    "content-length": _LENGTH,
    "date": _DATE,
    "keep-alive": _HOP_BY_HOP,
    "proxy-authenticate": _HOP_BY_HOP,  # the list of wsgiref.util.is_hop_by_hop (RFC 2616 section 13.5.1)
    "proxy-authorization": _HOP_BY_HOP,
    "proxy-connection": _HOP_BY_HOP,
    "server": _SERVER,
    "te": _HOP_BY_HOP,
    "trailer": _HOP_BY_HOP,
    "trailers": _HOP_BY_HOP,
    "transfer-encoding": _HOP_BY_HOP,
    "upgrade": _HOP_BY_HOP,
}
_LINE_BYTES = 256  # longer ones are not remembered
_lines: Dict[Tuple[str, str], Tuple[bytes, int, int]] = {}  # (name, value) → line, kind, length: checked before
_statuses: Dict[str, Tuple[int, bytes]] = {}

SHORT_BYTES = 65536  # a body up to this size is copied behind the head, so that one send takes both

NO_BODY, WITH_LENGTH, CHUNKED, UNTIL_CLOSE = range(4)
REASONS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    408: "Request Timeout",
    413: "Content Too Large",
    414: "URI Too Long",
    417: "Expectation Failed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Caller Timeout",
    505: "HTTP Version Not Supported",
}


class FieldTooLargeError(Exception):
    """A header line of the response is longer than header-buffer-size."""


class Prepared:
    """A response's status and fields, checked and encoded."""

    __slots__ = ("code", "dated", "fields", "hundreds", "last", "length", "named", "plain", "short", "status_line")

    def __init__(self, code: int, status_line: bytes) -> None:
        self.code = code
        self.hundreds = code // 100
        self.status_line = status_line
        self.fields = b""  # lines, each with its CRLF
        self.length: Optional[int] = None  # Content-Length
        self.short: Optional[int] = None  # the same, if the answer is plain and not long
        self.dated = self.named = False  # the application sent its own Date, its own Server
        self.plain = code not in _BODILESS  # it has a body, and both of these fields are ours
        self.last = _NO_HEAD  # what `head` was made of last, and the head: one object as long as it is the same

    def head(self, own: bytes) -> bytes:
        """Return the head of a short answer on a kept connection; own: as for `compose`."""
        made_of, head = self.last
        if made_of is not own:
            head = self.status_line + own + self.fields + b"\r\n"
            self.last = own, head
        return head


_NO_HEAD = b"", b""
UNPREPARED = Prepared(500, b"")  # of an application that has not called start_response


class Preparer:
    """Makes a Prepared of what applications say; used by all request threads.

    What was prepared last, of fields that had all come before, is kept in `last`: mostly the same is said again, and
    `Exchange.start_response` compares it as a whole. Nothing changes a Prepared once it is here. A tuple is read and
    stored in one operation.
    """

    __slots__ = ("_line_limit", "last")

    def __init__(self, line_limit: int) -> None:
        """line_limit: of one field's line, in bytes; 0: none."""
        self._line_limit = line_limit
        self.last: Tuple[Any, Any, Prepared] = (None, None, UNPREPARED)  # which no list of fields equals

    def prepare(self, status: Any, headers: Any) -> Prepared:
        """Check and encode. Raises TypeError, ValueError, FieldTooLargeError."""
        checked = False  # whether anything was new
        try:
            code, status_line = _statuses[status]
        except (KeyError, TypeError):
            code, status_line = _check_status(status)
            checked = True
        if not isinstance(headers, list):
            raise TypeError("headers must be a list, not %s" % type(headers).__name__)
        result = Prepared(code, status_line)
        lines: List[bytes] = []
        for field in headers:
            try:
                line, kind, length = _lines[field]
            except (KeyError, TypeError):  # not yet known, or a list
                line, kind, length = _encode(field)
                checked = True
            if not kind:
                lines.append(line)
            elif kind == _LENGTH:
                if result.length is not None:
                    raise ValueError("there is more than one Content-Length")
                result.length = length
                if code != 204:  # RFC 9110 section 8.6
                    lines.append(line)
            else:
                result.plain = False
                result.dated = result.dated or kind == _DATE
                result.named = result.named or kind == _SERVER
                lines.append(line)
        result.fields = fields = b"".join(lines)
        if self._line_limit and len(fields) > self._line_limit:
            self._check_lines(lines)
        if result.plain and result.length is not None and result.length <= SHORT_BYTES:
            result.short = result.length
        if not checked:
            self.last = status, headers[:], result
        return result

    def _check_lines(self, lines: List[bytes]) -> None:
        for line in lines:
            if len(line) - 2 > self._line_limit:
                raise FieldTooLargeError(
                    "the response header %s is %d bytes long: header-buffer-size allows %d"
                    % (line.partition(b":")[0].decode("ascii"), len(line) - 2, self._line_limit)
                )


def _check_status(status: Any) -> Tuple[int, bytes]:
    if type(status) is not str:
        raise TypeError("status must be a str, not %s" % type(status).__name__)
    match = _STATUS.fullmatch(status)
    if match is None:
        raise ValueError("status must be a final code, a space and a reason without control characters: %r" % status)
    found = int(match.group(1)), b"HTTP/1.1 " + status.encode("latin-1") + b"\r\n"
    if len(_statuses) < _REMEMBERED and len(status) <= 64:
        _statuses[status] = found
    return found


def _encode(field: Any) -> Tuple[bytes, int, int]:
    """Check one field; its line, what kind it is, and the number if it is Content-Length."""
    name, value = field
    if type(name) is not str:
        raise TypeError("header names must be str, not %s" % type(name).__name__)
    if not isinstance(value, str):
        raise TypeError("header values must be str, not %s" % type(value).__name__)
    if _TOKEN.fullmatch(name) is None:
        raise ValueError("header name %r is no token" % name)
    kind = _KINDS.get(name.lower(), _ORDINARY)
    if kind == _HOP_BY_HOP:
        raise ValueError("%s is a hop-by-hop header: it belongs to the server (PEP 3333)" % name)
    length = 0
    if kind == _LENGTH:
        if not value.isdecimal() or not value.isascii():
            raise ValueError("Content-Length is no number: %r" % (value,))
        length = int(value)
    try:
        line = (name + ": " + value + "\r\n").encode("latin-1")
    except UnicodeEncodeError as error:
        raise ValueError("a header is not Latin-1: %s" % error) from None
    if len(line) - len(line.translate(None, _CONTROLS)) != len(b"\r\n"):
        raise ValueError("a header value has a control character")
    found = line, kind, length
    if len(line) <= _LINE_BYTES and type(value) is str:
        if len(_lines) >= _REMEMBERED:
            _lines.clear()  # most values come once: what comes often is soon here again
        _lines[name, value] = found
    return found


def compose(
    prepared: Prepared,
    is_http_1_1: bool,
    keep_alive: bool,
    is_head: bool,
    known: Optional[int],
    own: bytes,
    date: bytes,
) -> Tuple[bytes, int, bool]:
    """Return the head with its empty line, the framing and whether the connection may be kept.

    known: length of the body if nothing more will follow what is known already; own: our Server and Date lines; date:
    our Date line alone. Content-Length is added when `known` says it, else HTTP/1.1 clients get chunks (RFC 9112
    section 6).
    """
    framing = WITH_LENGTH
    extra = b""
    if prepared.code in _BODILESS:
        framing = NO_BODY
    elif is_head:
        framing = NO_BODY
        if prepared.length is None and known:
            extra = b"Content-Length: %d\r\n" % known
    elif prepared.length is None:
        if known is not None:
            extra = b"Content-Length: %d\r\n" % known
        elif is_http_1_1:
            framing = CHUNKED
            extra = b"Transfer-Encoding: chunked\r\n"
        else:
            framing = UNTIL_CLOSE
            keep_alive = False
    if not keep_alive:
        extra += b"Connection: close\r\n"
    elif not is_http_1_1:
        extra += b"Connection: keep-alive\r\n"
    if prepared.dated or prepared.named:
        own = b"" if prepared.dated else date
        if not prepared.named:
            own += SERVER_LINE
    return prepared.status_line + own + prepared.fields + extra + b"\r\n", framing, keep_alive


SERVER_LINE = b"Server: wsgigroups\r\n"


def refusal(status: int, own: bytes, keep_alive: bool = False, is_head: bool = False) -> bytes:
    """Return a whole response of the server's own, with a word of text as its body."""
    reason = REASONS.get(status, "Error")
    body = b"" if is_head else reason.encode("ascii") + b"\n"
    return (
        b"HTTP/1.1 %d %s\r\n" % (status, reason.encode("ascii"))
        + own
        + b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n" % (len(reason) + 1)
        + (b"\r\n" if keep_alive else b"Connection: close\r\n\r\n")
        + body
    )
