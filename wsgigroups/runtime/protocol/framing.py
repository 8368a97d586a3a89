"""Where a request ends and what its connection does then: Host, length, coding, expectation, persistence.

Pure; any thread. The same rules for HTTP and uwsgi. Refused is whatever two readers of one stream could understand
differently (RFC 9112 sections 6.1 to 6.3, 11.2), even where a recipient may be lenient.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Dict, Optional, Tuple

from . import limits
from .errors import ProtocolError
from .targets import AUTHORITY

if TYPE_CHECKING:
    from .heads import Head

_DIGITS = re.compile(r"[0-9]+")
_SINGLE = frozenset(  # a second one is an attack or an error, never to be merged (RFC 9110 section 5.3)
    (
        "CONTENT_LENGTH",
        "CONTENT_TYPE",
        "HTTP_AUTHORIZATION",
        "HTTP_CONTENT_LENGTH",  # these two only in uwsgi packets
        "HTTP_CONTENT_TYPE",
        "HTTP_EXPECT",
        "HTTP_HOST",
    )
)
# Values that many requests share. A full table is emptied.
_REMEMBERED = 256
_hosts: Dict[Optional[str], bool] = {}  # Host values found well-formed
_connections: Dict[str, Tuple[bool, bool]] = {}  # Connection value → has "close", has "keep-alive"


def join(key: str, first: str, second: str) -> str:
    """Return what a field that came twice says (RFC 9110 section 5.3, RFC 9113 section 8.2.3).

    Raises ProtocolError(400) for one that may come once.
    """
    if key in _SINGLE:
        raise ProtocolError(400, "%s came twice" % key)
    return first + ("; " if key == "HTTP_COOKIE" else ", ") + second


def frame(head: "Head", authority: str = "") -> None:
    """Set what the fields in `head.environ` say about the body and the connection. Raises ProtocolError.

    authority: the target's, "" if it has none.
    """
    environ = head.environ
    host = environ.get("HTTP_HOST")
    if host not in _hosts:
        _check_host(host, head.is_http_1_1)
    if authority:
        environ["HTTP_HOST"] = authority  # RFC 9112 section 3.2.2: the field is to be ignored
    if "CONTENT_LENGTH" in environ or "HTTP_TRANSFER_ENCODING" in environ:
        _measure(head)
    connection = environ.get("HTTP_CONNECTION")
    if connection is not None:
        closes, keeps = _connections.get(connection) or _options(connection)
        head.keep_alive = not closes and (head.is_http_1_1 or keeps)
    head.ordinary = head.keep_alive and head.is_http_1_1 and head.method != "HEAD"
    if "HTTP_EXPECT" in environ and head.is_http_1_1:
        if environ["HTTP_EXPECT"].lower() != "100-continue":
            raise ProtocolError(417, "the expectation is not 100-continue")
        head.expects = head.chunked or head.length > 0


def _measure(head: "Head") -> None:
    length = head.environ.get("CONTENT_LENGTH")
    coding = head.environ.get("HTTP_TRANSFER_ENCODING")
    if length is not None:
        if _DIGITS.fullmatch(length) is None:
            raise ProtocolError(400, "Content-Length is no number")
        if len(length) > limits.CONTENT_LENGTH_DIGITS:
            raise ProtocolError(413, "Content-Length has %d digits" % len(length))
        if coding is not None:
            raise ProtocolError(400, "there are both Content-Length and Transfer-Encoding")
        head.length = int(length)
    elif coding is not None:
        if not head.is_http_1_1:
            raise ProtocolError(400, "Transfer-Encoding came with HTTP/1.0")
        if coding.lower() != "chunked":
            raise _refused_coding(coding)
        head.chunked = True


def _refused_coding(value: str) -> ProtocolError:
    """What is wrong with codings other than chunked alone (RFC 9112 sections 6.1 and 6.3)."""
    codings = [coding.strip(" \t").lower() for coding in value.split(",")]
    if codings[-1] != "chunked":
        return ProtocolError(400, "the last transfer coding is not chunked, so the body has no end")
    if "chunked" in codings[:-1]:
        return ProtocolError(400, "the transfer coding chunked came twice")
    return ProtocolError(501, "the transfer coding is not chunked alone")


def _check_host(host: Optional[str], is_http_1_1: bool) -> None:
    if host is None:
        if is_http_1_1:
            raise ProtocolError(400, "there is no Host field")
        return
    if AUTHORITY.fullmatch(host) is None:
        raise ProtocolError(400, "the Host field is malformed")
    if len(host) <= 255:
        if len(_hosts) >= _REMEMBERED:
            _hosts.clear()
        _hosts[host] = True


def _options(value: str) -> Tuple[bool, bool]:
    options = [option.strip(" \t").lower() for option in value.split(",")]
    found = "close" in options, "keep-alive" in options
    if len(value) <= 64:
        if len(_connections) >= _REMEMBERED:
            _connections.clear()
        _connections[value] = found
    return found
