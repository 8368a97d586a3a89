"""What an application says of its answer, checked and encoded (PEP 3333, "The start_response() Callable"; RFC 9110).

Sans-I/O; called in request threads. What is malformed is refused at once, so that the error is raised inside the
application's call. Fields of the connection, which is the server's, are left out; only `Connection: close` is heeded.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, Optional, Tuple

from .. import accelerator
from .request_ids import FIELD
from .responses import CLOSED, DATED, DROPPED, IDENTIFIED, NAMED, Prepared

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # but HTAB (RFC 9110 section 5.5)
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_STATUS = re.compile(r"([2-9][0-9][0-9]) [\t -~\x80-\xff]*")
_REMEMBERED = 256  # of each kind of things; then all are let go: what comes often is soon here again
_DIGITS = 16  # Content-Length with fewer is within every header-buffer-size
_REMEMBERED_BYTES = 256  # of one line
_SHOWN = 100  # characters of an item that cannot be read
_ONCE, _COMMON, _LENGTH, _HOP_BY_HOP, _DATE, _SERVER, _ID = range(7)
_OWN = {_DATE: DATED, _SERVER: NAMED, _ID: IDENTIFIED}  # what is ours where the application does not say it
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
    FIELD.lower(): _ID,
}
# Fields whose values are those of a site and not of a user: only their lines may be remembered. No value of any other
# field (Set-Cookie, Location, ETag, tokens of one's own) outlives its answer.
_COMMON_NAMES = """
    accept-ranges access-control-allow-headers access-control-allow-methods access-control-max-age allow cache-control
    content-encoding content-language content-type cross-origin-embedder-policy cross-origin-opener-policy
    cross-origin-resource-policy permissions-policy pragma referrer-policy strict-transport-security vary
    x-content-type-options x-frame-options x-xss-protection
"""
_KINDS.update(dict.fromkeys(_COMMON_NAMES.split(), _COMMON))


class FieldTooLargeError(Exception):
    """A header line of the response is longer than header-buffer-size."""


class Preparer:
    """Makes a Prepared of what applications say; used by all request threads.

    Status lines, names and lines of common fields that were checked are remembered. A look-up finds one or makes it:
    two threads make and store the same.
    """

    __slots__ = ("_kinds", "_line_limit", "_lines", "_statuses", "_writer")

    def __init__(self, line_limit: int) -> None:
        """line_limit: of one field's line, in bytes; 0: none."""
        self._line_limit = line_limit
        self._statuses: Dict[str, Tuple[int, bytes]] = {}
        self._kinds: Dict[str, int] = {}  # of names that are tokens, as they are written
        self._lines: Dict[Tuple[str, str], bytes] = {}
        self.use(accelerator.IN_USE)

    def use(self, extension: Any) -> None:
        """Have the accelerator take what is plain, and of which status and names are remembered here; None: not."""
        self._writer: Any = None
        if extension is not None:
            self._writer = extension.Writer(Prepared, self._kinds, self._statuses, _COMMON, self._line_limit)

    def prepare(self, status: Any, headers: Any) -> Prepared:
        """Check and encode. Raises TypeError, ValueError, FieldTooLargeError."""
        if self._writer is not None:
            found: Optional[Prepared] = self._writer(status, headers)
            if found is not None:
                return found
        try:
            return self._prepare(status, headers)
        except (TypeError, ValueError):
            _check_items(headers)
            raise

    def _prepare(self, status: Any, headers: Any) -> Prepared:
        try:
            code, line = self._statuses[status]
        except (KeyError, TypeError):
            code, line = self._status(status)
        if not isinstance(headers, list):
            raise TypeError("headers must be a list, not %s" % type(headers).__name__)
        lines: List[bytes] = [line]
        length: Optional[int] = None
        own = 0
        find = self._lines.get
        for name, value in headers:
            if name == "Content-Length" and type(value) is str and len(value) < _DIGITS and length is None:
                # As `_encode` would have it; apart, because nearly every answer has one, and hardly the same.
                if not value.isdecimal() or not value.isascii():
                    raise ValueError("Content-Length is no number: %r" % (value,))
                length = int(value)
                if code != 204:  # RFC 9110 section 8.6
                    lines.append(b"Content-Length: %b\r\n" % value.encode())
                continue
            try:
                known = find((name, value))
            except TypeError:  # no str, which `_encode` says better
                known = None
            if known is not None:
                lines.append(known)
                continue
            kind, line = self._encode(name, value)
            if kind == _LENGTH:
                if length is not None:
                    raise ValueError("there is more than one Content-Length")
                length = int(value)
                if code == 204:  # RFC 9110 section 8.6
                    continue
            elif kind == _HOP_BY_HOP:
                own |= _said_of_connection(name, value)
                continue
            elif kind >= _DATE:
                own |= _OWN[kind]
            lines.append(line)
        return Prepared(code, lines, length, own)

    def _status(self, status: Any) -> Tuple[int, bytes]:
        if type(status) is not str:
            raise TypeError("status must be a str, not %s" % type(status).__name__)
        match = _STATUS.fullmatch(status)
        if match is None:
            raise ValueError(
                "status must be a final code, a space and a reason without control characters: %r" % status
            )
        found = int(match.group(1)), b"HTTP/1.1 " + status.encode("latin-1") + b"\r\n"
        if len(status) <= _REMEMBERED_BYTES:
            _remember(self._statuses, status, found)
        return found

    def _kind(self, name: Any) -> int:
        if type(name) is not str:
            raise TypeError("header names must be str, not %s" % type(name).__name__)
        if _TOKEN.fullmatch(name) is None:
            raise ValueError("header name %r is no token" % name)
        kind = _KINDS.get(name.lower(), _ONCE)
        if len(name) <= _REMEMBERED_BYTES:
            if len(self._kinds) >= _REMEMBERED:
                self._lines.clear()  # or a name whose line is known would not come here again, and is slow from then on
            _remember(self._kinds, name, kind)
        return kind

    def _encode(self, name: Any, value: Any) -> Tuple[int, bytes]:
        """Check one field; what kind it is, and its line."""
        try:
            kind = self._kinds[name]
        except (KeyError, TypeError):
            kind = self._kind(name)
        if type(value) is not str and not isinstance(value, str):
            raise TypeError("header values must be str, not %s" % type(value).__name__)
        if kind == _LENGTH:
            if not value.isdecimal() or not value.isascii():
                raise ValueError("Content-Length is no number: %r" % (value,))
        elif not value.isprintable() and _CONTROL.search(value):
            raise ValueError("a header value has a control character")
        try:
            line = ("%s: %s\r\n" % (name, value)).encode("latin-1")
        except UnicodeEncodeError as error:
            raise ValueError("a header is not Latin-1: %s" % error) from None
        if 0 < self._line_limit < len(line) - 2:
            raise FieldTooLargeError(
                "the response header %s is %d bytes long: header-buffer-size allows %d"
                % (name, len(line) - 2, self._line_limit)
            )
        if kind == _COMMON and len(line) <= _REMEMBERED_BYTES and type(value) is str:
            _remember(self._lines, (name, value), line)
        return kind, line


def dropped(headers: List[Tuple[str, str]]) -> List[str]:
    """Return the names of fields that are the server's to set: they were left out (PEP 3333, "Other HTTP Features")."""
    return [name for name, _value in headers if _KINDS.get(name.lower()) == _HOP_BY_HOP]


def _said_of_connection(name: str, value: str) -> int:
    """Return the bits for a field that is left out."""
    closes = name.lower() == "connection" and "close" in [option.strip().lower() for option in value.split(",")]
    return DROPPED | CLOSED if closes else DROPPED


def _check_items(headers: Any) -> None:
    """Raise TypeError if one of them is no pair."""
    if not isinstance(headers, list):
        return
    for field in headers:
        try:
            _name, _value = field
        except (TypeError, ValueError):
            raise TypeError("a header must be a tuple of name and value, not %s" % _shown(field)) from None


def _shown(field: Any) -> str:
    """Return a malformed item of the headers, cut short."""
    try:
        text = repr(field)
    except Exception:  # noqa: BLE001 - an application's class may be broken itself
        text = type(field).__name__
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _remember(known: Dict[Any, Any], key: Any, value: Any) -> None:
    if len(known) >= _REMEMBERED:
        known.clear()
    known[key] = value
