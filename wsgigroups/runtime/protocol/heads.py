"""A complete head to an environ and its framing: every rule that decides what a request is, in one place.

Sans-I/O; called by whichever thread owns the connection. The verdict is made here, the same for every engine; an
engine only takes the field lines apart. Refused is whatever two readers of one stream could understand differently
(RFC 9112 sections 2.2, 5.1, 5.2, 6.1 to 6.3, 11.2), even where a recipient may be lenient.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, Match, Optional, Tuple

from . import limits
from .engines import Engine, split
from .errors import ProtocolError
from .names import Keys
from .scanner import CONTROLS, Scanner
from .targets import AUTHORITY, decode_path, split_target

Environ = Dict[str, Any]

# What llhttp knows of the IANA registry; any other method is 501, so that both engines agree.
_METHODS = """
    ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY
    OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT REBIND REPORT SEARCH SUBSCRIBE TRACE UNBIND UNLINK UNLOCK
    UNSUBSCRIBE
"""
METHODS = {name.encode("ascii"): name for name in _METHODS.split()}
_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!-~]+) HTTP/([0-9])\.([0-9])\r\n")
_FAST_BYTES = min(limits.REQUEST_LINE_BYTES, limits.FIELD_BYTES, limits.HEAD_BYTES)  # no line can be too long below it
_SINGLE = frozenset(  # a second one is an attack or an error, never to be merged (RFC 9110 section 5.3)
    (
        "CONTENT_LENGTH",
        "CONTENT_TYPE",
        "HTTP_AUTHORIZATION",
        "HTTP_EXPECT",
        "HTTP_HOST",
        "HTTP_TRANSFER_ENCODING",
    )
)
_REMEMBERED = 256
_REMEMBERED_BYTES = 4096  # of one block of fields, kept with a connection
_hosts: Dict[str, bool] = {}  # Host values found well-formed
_connections: Dict[str, Tuple[bool, bool]] = {}  # Connection value → has "close", has "keep-alive"


class Head:
    """One request as far as its head tells. `length` is the body's, 0 for none and for a chunked one."""

    __slots__ = (
        "chunked",
        "environ",
        "expects",
        "is_http_1_1",
        "keep_alive",
        "lane_key",
        "length",
        "method",
        "ordinary",
        "target",
    )

    def __init__(self, method: str, target: str, environ: Environ, is_http_1_1: bool) -> None:
        self.method = method
        self.target = target
        self.environ = environ  # the application's from the call on: it may change what it likes
        self.is_http_1_1 = is_http_1_1
        self.ordinary = False  # HTTP/1.1, kept open, not HEAD: an answer needs nothing but a length
        self.length = 0
        self.lane_key = ""  # made by the lanes when they need it
        self.chunked = False
        self.expects = False  # the client waits for 100 (Continue) before it sends the body
        self.keep_alive = is_http_1_1


NO_ENVIRON: Environ = {}  # of a head whose request has been answered: what the application put there is let go
_NO_HEAD = Head("GET", "/", NO_ENVIRON, True)


def check(head: bytes) -> None:
    """Raise ProtocolError unless every line of a complete head is within the limits and free of stray controls."""
    lines = head.count(b"\r\n")
    if len(head) > _FAST_BYTES or lines > limits.FIELDS + 2:
        Scanner().feed(head)
    elif len(head) - len(head.translate(None, CONTROLS)) != 2 * lines:
        raise ProtocolError(400, "a line has a control character or a CR or LF on its own")
    if b"\r\n " in head or b"\r\n\t" in head:
        raise ProtocolError(400, "a header field is folded over two lines")


class Memory:
    """The head that a connection sent last, and what came of it.

    Clients of a kept connection mostly repeat their fields and change the request line alone, or not even that. What
    bytes mean is a function of the bytes, so equal ones need not be parsed again. Only for requests without a body.
    """

    __slots__ = ("block", "bytes", "environ", "head", "minor")

    def __init__(self) -> None:
        self.block = b""  # the fields of the last request
        self.bytes = b""  # the whole head that `head` and `environ` were made of; b"": none, and these mean nothing
        self.environ: Environ = NO_ENVIRON
        self.head = _NO_HEAD  # given out again for equal bytes, with a new environ: a connection has one at a time
        self.minor = b"1"  # of the version


def parse(head: bytes, base: Environ, keys: Keys, engine: Engine, memory: Optional[Memory] = None) -> Head:
    """Turn a head, up to and with its empty line, into a Head whose environ is `base` and what the head adds.

    Raises ProtocolError with the status to answer. base: everything that does not change within a connection; memory:
    that connection's.
    """
    if memory is None:
        return _parse(head, _REQUEST_LINE.match(head), base, keys, engine)
    if head == memory.bytes:
        memory.head.environ = memory.environ.copy()
        return memory.head
    match = _REQUEST_LINE.match(head)
    if match is None:
        return _parse(head, None, base, keys, engine)
    method_bytes, target_bytes, _major, minor = match.groups()
    block = head[match.end() :]
    method = METHODS.get(method_bytes)
    if block != memory.block or len(head) > _FAST_BYTES:
        memory.block = block if len(block) <= _REMEMBERED_BYTES else b""
        memory.bytes = b""
        return _parse(head, match, base, keys, engine)
    if (
        not memory.bytes
        or method is None
        or target_bytes[0] != 47  # "/"
        or b"#" in target_bytes
        or method == "CONNECT"
        or match.group(3) != b"1"
        or minor != memory.minor
    ):
        result = _parse(head, match, base, keys, engine)
        if not (memory.bytes or result.length or result.chunked or target_bytes[0] != 47):
            memory.bytes, memory.minor, memory.head = head, minor, result
            memory.environ = result.environ.copy()
        return result
    environ = memory.environ
    target = target_bytes.decode("ascii")
    path, _, query = target.partition("?")
    environ["REQUEST_METHOD"] = method
    environ["REQUEST_URI"] = target
    environ["PATH_INFO"] = decode_path(path) if "%" in path else path
    environ["QUERY_STRING"] = query
    result = Head(method, target, environ.copy(), minor == b"1")
    result.keep_alive = memory.head.keep_alive
    result.ordinary = result.is_http_1_1 and result.keep_alive and method != "HEAD"
    memory.bytes, memory.head = head, result
    return result


def _parse(head: bytes, match: Optional[Match[bytes]], base: Environ, keys: Keys, engine: Engine) -> Head:
    check(head)
    if match is None:
        raise ProtocolError(400, "the request line is malformed")
    method_bytes, target_bytes, major, minor = match.groups()
    if major != b"1" or minor not in b"01":
        raise ProtocolError(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
    method = METHODS.get(method_bytes)
    if method is None:
        raise ProtocolError(501, "the method is unknown")
    environ = base.copy()
    target = target_bytes.decode("ascii")
    result = Head(method, target, environ, minor == b"1")
    authority = ""
    if target[0] == "/" and "#" not in target and method != "CONNECT":
        path, _, query = target.partition("?")
    else:
        path, query, authority = split_target(method, target)
    environ["REQUEST_METHOD"] = method
    environ["REQUEST_URI"] = target
    environ["PATH_INFO"] = decode_path(path) if "%" in path else path
    environ["QUERY_STRING"] = query
    environ["SERVER_PROTOCOL"] = "HTTP/1.1" if result.is_http_1_1 else "HTTP/1.0"
    try:
        fields = engine(head)
    except ProtocolError:
        _fill(environ, split(head), keys)  # the reason both engines would give, if our own rules have one
        frame(result, authority)
        raise
    _fill(environ, fields, keys)
    frame(result, authority)
    return result


def _fill(environ: Environ, fields: List[Tuple[bytes, bytes]], keys: Keys) -> None:
    for name, value in fields:
        key = keys[name]
        if not key:
            continue
        text = value.decode("latin-1").strip(" \t")
        if key in environ:
            text = _merge(key, environ[key], text)
        environ[key] = text


def _merge(key: str, first: str, second: str) -> str:
    if key in _SINGLE:
        raise ProtocolError(400, "%s came twice" % key)
    return first + ("; " if key == "HTTP_COOKIE" else ", ") + second  # RFC 9110 section 5.3, RFC 9113 section 8.2.3


def frame(head: Head, authority: str) -> None:
    """Host, length, coding, expectation, persistence. Raises ProtocolError."""
    environ = head.environ
    host = environ.get("HTTP_HOST")
    if host is None:
        if head.is_http_1_1:
            raise ProtocolError(400, "there is no Host field")
    elif host not in _hosts:
        _check_host(host)
    if authority:
        environ["HTTP_HOST"] = authority  # RFC 9112 section 3.2.2: the field is to be ignored
    length = environ.get("CONTENT_LENGTH")
    coding = environ.get("HTTP_TRANSFER_ENCODING")
    if length is not None:
        if not length.isdecimal() or not length.isascii():
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
            raise ProtocolError(501, "the transfer coding is not chunked alone")
        head.chunked = True
    connection = environ.get("HTTP_CONNECTION")
    if connection is not None:
        closes, keeps = _connections.get(connection) or _connection_options(connection)
        head.keep_alive = not closes and (head.is_http_1_1 or keeps)
    head.ordinary = head.is_http_1_1 and head.keep_alive and head.method != "HEAD"
    expect = environ.get("HTTP_EXPECT")
    if expect is not None and head.is_http_1_1:
        _expect(head, expect)


def _expect(head: Head, expect: str) -> None:
    if expect.lower() != "100-continue":
        raise ProtocolError(417, "the expectation is not 100-continue")
    head.expects = head.chunked or head.length > 0


def _check_host(host: str) -> None:
    if AUTHORITY.fullmatch(host) is None:
        raise ProtocolError(400, "the Host field is malformed")
    if len(_hosts) < _REMEMBERED and len(host) <= 255:
        _hosts[host] = True


def _connection_options(value: str) -> Tuple[bool, bool]:
    options = [option.strip(" \t").lower() for option in value.split(",")]
    found = "close" in options, "keep-alive" in options
    if len(_connections) < _REMEMBERED and len(value) <= 64:
        _connections[value] = found
    return found
