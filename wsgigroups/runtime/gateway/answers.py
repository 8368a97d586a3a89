"""The head of what a daemon answers, read strictly: a daemon is somebody's program, and may send anything.

Sans-I/O; used by whoever owns the link. Refused is whatever two readers could understand differently, as in a request
(RFC 9112 sections 2.2, 4, 5 and 6). What belongs to the connection between daemon and gateway is told apart from what
is meant for the client (RFC 9110 section 7.6.1).
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, Optional, Tuple

from .. import accelerator
from ..protocol import limits, responses
from ..protocol.names import is_token
from ..protocol.scanner import CONTROLS

Fields = List[Tuple[str, str]]

HEAD_BYTES = 262144  # a whole head, or four times header-buffer-size; else it never ends
UNLIMITED_HEAD_BYTES = 1048576  # … where header-buffer-size is 0
_BEGINNING = b"HTTP/1."
_STATUS_LINE = re.compile(r"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: ([\t -~\x80-\xff]*))?")
_DIGITS = re.compile(r"[0-9]+")
_ORDINARY, _LENGTH, _CODING, _CONNECTION, _HOP = range(5)
# Of one connection (RFC 9110 section 7.6.1; the last two of RFC 2616 section 13.5.1), and Content-Length, because how
# an answer is framed for a client is the gateway's to decide.
_KINDS: Dict[str, int] = {
    "connection": _CONNECTION,
    "content-length": _LENGTH,
    "keep-alive": _HOP,
    "proxy-connection": _HOP,
    "te": _HOP,
    "trailer": _HOP,
    "transfer-encoding": _CODING,
    "upgrade": _HOP,
    "proxy-authenticate": _HOP,
    "proxy-authorization": _HOP,
}
_kinds: Dict[str, int] = {}  # of names that are tokens, as daemons write them; a full table is emptied
_REMEMBERED = 512
_LONGEST = 64  # characters of a name that is kept
_SHOWN = 100  # characters of a name in a reason
_STRANGE = "the answer does not begin with HTTP/1"


class AnswerError(Exception):
    """What a daemon has sent is of no use to a client, which gets `status` instead; `reason` is for the log."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Answer:
    """The head of one answer."""

    __slots__ = ("chunked", "closes", "end", "fields", "hop_by_hop", "length", "reason", "refused", "status")

    def __init__(self, status: int, reason: str, end: int) -> None:
        self.status = status
        self.reason = reason  # "" if there is none
        self.fields: Fields = []  # for the client, in their order; Content-Length is not among them
        self.hop_by_hop: Fields = []  # of the connection with the daemon, and what its Connection field names
        self.length: Optional[int] = None  # Content-Length
        self.chunked = False
        self.closes = False  # the daemon will close the connection
        self.refused = False  # no application has answered: responses.REFUSED
        self.end = end  # offset of what follows the head

    def has_body(self, method: str) -> bool:
        """Tell whether a body follows (RFC 9112 section 6.3): chunked, so long as `length` says, else up to the end."""
        return not (method == "HEAD" or self.status < 200 or self.status in (204, 304))


def read(data: bytes, line_limit: int, searched: int = 0) -> Optional[Answer]:
    """Return the head that the bytes begin with, None while it is not whole.

    line_limit: of one line without its end, in bytes (header-buffer-size); 0: none. searched: how many of these bytes
    an earlier call has seen. Raises AnswerError: 500 for a line that is too long, 502 for what is no answer.
    """
    if READER is not None and not searched:
        found: Optional[Answer] = READER(data, line_limit, HEAD_BYTES)
        if found is not None:
            return found
    return exactly(data, line_limit, searched)


def exactly(data: bytes, line_limit: int, searched: int = 0) -> Optional[Answer]:
    """As `read`, without an accelerator."""
    end = data.find(b"\r\n\r\n", max(0, searched - 3)) + 4
    if end < 4:
        _check_unfinished(data, line_limit)
        return None
    if not data.startswith(_BEGINNING):
        raise AnswerError(502, _STRANGE)
    most = _most(line_limit)
    if end > most:
        raise AnswerError(502, "the head of the answer is longer than %d bytes" % most)
    lines = data[: end - 4].decode("latin-1").split("\r\n")
    if line_limit and end > line_limit:
        for line in lines:
            if len(line) > line_limit:
                raise _too_long(line, len(line), line_limit)
    match = _STATUS_LINE.fullmatch(lines[0])
    if match is None:
        raise AnswerError(502, "the status line of the answer is malformed")
    answer = Answer(int(match.group(2)), match.group(3) or "", end)
    if end - len(data[:end].translate(None, CONTROLS)) != 2 * len(lines) + 2:
        raise AnswerError(502, "the head of the answer has a control character, or a CR or LF on its own")
    del lines[0]
    _fill(answer, lines, match.group(1) != "0")
    return answer


def _most(line_limit: int) -> int:
    return max(HEAD_BYTES, 4 * line_limit) if line_limit else UNLIMITED_HEAD_BYTES


def _check_unfinished(data: bytes, line_limit: int) -> None:
    """Raise AnswerError if nothing that follows can make an answer of it."""
    if not data.startswith(_BEGINNING) and not _BEGINNING.startswith(data):
        raise AnswerError(502, _STRANGE)
    start = data.rfind(b"\n") + 1
    if line_limit and len(data) - start > line_limit + 1:  # its CR may be there
        raise _too_long(data[start : start + _SHOWN + 1].decode("latin-1"), len(data) - start, line_limit, "at least ")
    if len(data) > _most(line_limit):
        raise AnswerError(502, "the head of the answer is longer than %d bytes" % _most(line_limit))


def _too_long(line: str, size: int, line_limit: int, least: str = "") -> AnswerError:
    if line.startswith(_BEGINNING.decode("ascii")):
        what = "status line"
    else:
        name = line.partition(":")[0]
        what = "header %s" % (name if len(name) <= _SHOWN and name.isprintable() else ascii(name[:_SHOWN]))
    text = "the response %s is %s%d bytes long: header-buffer-size allows %d"
    return AnswerError(500, text % (what, least, size, line_limit))


def _fill(answer: Answer, lines: List[str], is_http_1_1: bool) -> None:
    """Sort the fields. Raises AnswerError."""
    answer.closes = not is_http_1_1
    connection: Optional[str] = None
    fields = answer.fields
    for line in lines:
        name, colon, value = line.partition(":")
        kind = _kinds.get(name)
        if kind is None:
            kind = _kind(name)
        if not colon:
            raise AnswerError(502, "a header line of the answer has no colon")
        value = value.strip(" \t")
        if kind == _ORDINARY:
            fields.append((name, value))
            continue
        if kind == _LENGTH:
            if answer.length is not None:
                raise AnswerError(502, "the answer has Content-Length twice")
            answer.length = _number(value)
            continue
        answer.hop_by_hop.append((name, value))
        if kind == _CODING:
            if answer.chunked or not is_http_1_1 or value.lower() != "chunked":
                raise AnswerError(502, "the transfer coding of the answer is not chunked, once, in HTTP/1.1")
            answer.chunked = True
        elif kind == _CONNECTION:
            connection = value if connection is None else connection + "," + value
    if answer.chunked and answer.length is not None:
        raise AnswerError(502, "the answer has both Content-Length and Transfer-Encoding")
    if connection is not None:
        _apply_options(answer, connection)


def _kind(name: str) -> int:
    """Return what kind of a field it is. Raises AnswerError for what is no name (RFC 9110 section 5.1)."""
    if not is_token(name):
        raise AnswerError(502, "the name of a header of the answer is no token")
    kind = _KINDS.get(name.lower(), _ORDINARY)
    if len(name) <= _LONGEST:
        if len(_kinds) >= _REMEMBERED:
            _kinds.clear()
        _kinds[name] = kind
    return kind


_FRAMING = {_LENGTH: "CONTENT_LENGTH", _CODING: "HTTP_TRANSFER_ENCODING", _CONNECTION: "HTTP_CONNECTION", _HOP: ""}
_KEYS = frozenset((*_FRAMING.values(), "HTTP_EXPECT", "HTTP_HOST"))


def _read_as(name: str) -> str:
    """Return a name for the accelerator: as it is, what says how an answer is framed by its key; "": for Python."""
    kind = _KINDS.get(name.lower(), _ORDINARY)
    if kind != _ORDINARY:
        return _FRAMING[kind]
    return "" if name in _KEYS else name


def reader(extension: Any) -> Any:
    """Make the accelerator's reader of answers."""
    return extension.AnswerReader(Answer, _read_as)


def relay(extension: Any) -> Any:
    """Make the accelerator's relay of answers, by the same names."""
    return extension.Relay(Answer, _read_as)


READER: Any = None if accelerator.IN_USE is None else reader(accelerator.IN_USE)


def _apply_options(answer: Answer, connection: str) -> None:
    options = {option.strip(" \t").lower() for option in connection.split(",")}
    if "close" in options:
        answer.closes = True
    if responses.REFUSED in options:
        answer.refused = True
        options.discard(responses.REFUSED)
    if options - {"close", "keep-alive", "upgrade", ""}:
        answer.hop_by_hop += [field for field in answer.fields if field[0].lower() in options]
        answer.fields = [field for field in answer.fields if field[0].lower() not in options]


def _number(value: str) -> int:
    if _DIGITS.fullmatch(value) is None or len(value) > limits.CONTENT_LENGTH_DIGITS:
        raise AnswerError(502, "Content-Length of the answer is no number of at most 18 digits")
    return int(value)
