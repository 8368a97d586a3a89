"""The uwsgi protocol: one packet of variables in front of the body (uWSGI documentation, "The uwsgi Protocol").

Sans-I/O; used by the thread that owns the connection. Only modifiers 0/0 (a WSGI request) exist here; the others make
uWSGI evaluate code or reach into its internals. No variable has an effect beyond the environ: UWSGI_* ones, which load
code or change the process there, are dropped. The result is the same Head as from HTTP, by the same rules.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, Tuple

from . import heads
from .errors import ProtocolError
from .framing import frame, join
from .limits import Limits
from .names import is_forwarding
from .targets import decode_path, split_target

FIRST_BYTE = 0  # of a packet with modifier 0; no HTTP request begins with it
HEADER_BYTES = 4
_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_METHOD = re.compile(heads.METHOD)
_TARGET = re.compile(r"[!-~]+")
_PROTOCOL = re.compile(r"HTTP/[0-9](?:\.[0-9])?")
_VALUE = re.compile("[\t -~\x80-\xff]*")
_BODY = frozenset(("CONTENT_LENGTH", "CONTENT_TYPE"))
_DECODED = frozenset(("PATH_INFO", "SCRIPT_NAME"))  # may hold any character, as what HTTP encodes with % may
_LATER = re.compile(r"HTTP/1\.[1-9]")  # served as HTTP/1.1 (RFC 9110 section 2.5)
# Taken from a trusted gateway only: who asked, how they were authenticated, what name was asked.
_GATEWAY = frozenset(
    (
        "AUTH_TYPE",
        "DOCUMENT_ROOT",
        "HTTPS",
        "REMOTE_ADDR",
        "REMOTE_HOST",
        "REMOTE_PORT",
        "REMOTE_USER",
        "REQUEST_ID",
        "REQUEST_SCHEME",
        "SCRIPT_NAME",
        "SERVER_ADDR",
        "SERVER_NAME",
        "SERVER_PORT",
        "WSGIGROUPS_QUEUE_START",
    )
)
_GATEWAY_PREFIXES = ("SSL_", "WSGIGROUPS_")


def size_of(data: bytes) -> int:
    """Return the whole length of the packet that begins with these bytes, 0 while it cannot be told.

    Raises ProtocolError(400) for any modifier but 0/0.
    """
    if data[:1] != b"\0":
        raise ProtocolError(400, "the uwsgi packet has modifier1 %d" % data[0])
    if len(data) < HEADER_BYTES:
        return 0
    if data[3]:
        raise ProtocolError(400, "the uwsgi packet has modifier2 %d" % data[3])
    size = HEADER_BYTES + data[1] + (data[2] << 8)
    if size == HEADER_BYTES:
        raise ProtocolError(400, "the uwsgi packet is empty")
    return size


def variables(packet: bytes) -> List[Tuple[str, str]]:
    """Return the pairs of a whole packet, values decoded as Latin-1. Raises ProtocolError(400)."""
    found = []
    position, end = HEADER_BYTES, len(packet)
    while position < end:
        texts = []
        for what in ("name", "value"):
            if position + 2 > end:
                raise ProtocolError(400, "a %s of the uwsgi packet has no size" % what)
            size = packet[position] + (packet[position + 1] << 8)
            position += 2
            if position + size > end:
                raise ProtocolError(400, "a %s of the uwsgi packet goes beyond its end" % what)
            texts.append(packet[position : position + size].decode("latin-1"))
            position += size
        found.append((texts[0], texts[1]))
    return found


def parse(packet: bytes, base: Dict[str, Any], trusted: bool, limits: Limits) -> heads.Head:
    """Turn a whole packet into a Head. Raises ProtocolError. base: as for `heads.parse`."""
    given = _given(packet, limits)
    environ = base.copy()
    head, authority = _request(given, environ, trusted, limits)
    for name, value in given.items():
        if _NAME.fullmatch(name) is not None and _wanted(name, trusted):
            environ[name] = value
    if trusted:
        _scheme(given, environ)
    if not environ.get("CONTENT_LENGTH"):
        environ.pop("CONTENT_LENGTH", None)  # gateways send it empty when there is none
    if not environ.get("CONTENT_TYPE"):
        environ.pop("CONTENT_TYPE", None)
    environ.pop("HTTP_CONTENT_LENGTH", None)
    environ.pop("HTTP_CONTENT_TYPE", None)
    environ.pop("HTTP_TRANSFER_ENCODING", None)  # undone by the gateway: what follows is CONTENT_LENGTH bytes
    # A stranger is held to what HTTP/1.1 asks for; a gateway may have had a request without Host.
    head.is_http_1_1 = environ["SERVER_PROTOCOL"] != "HTTP/1.0" and not (trusted and "HTTP_HOST" not in environ)
    frame(head, authority)
    if head.target == "*":
        raise ProtocolError(200, "OPTIONS * asks the server, not an application")
    head.keep_alive = False
    head.expects = False  # the gateway has the body or waits for nothing
    # Our own gateway understands chunks, so that it can tell an answer that was cut short (nginx does not).
    head.is_http_1_1 = trusted and given.get("WSGIGROUPS_FRAMING") == "chunked"
    head.ordinary = False
    return head


def _given(packet: bytes, limits: Limits) -> Dict[str, str]:
    """Return the variables, within the limits that lines of HTTP have. Raises ProtocolError.

    A field that comes twice is joined as over HTTP; nginx passes each line on as a variable of its own.
    """
    given: Dict[str, str] = {}
    fields = 0
    for name, value in variables(packet):
        if name not in _DECODED and _VALUE.fullmatch(value) is None:
            raise ProtocolError(400, "a variable of the uwsgi packet has a control character")
        is_field = name.startswith("HTTP_")
        if name in given:
            if not is_field:
                raise ProtocolError(400, "a variable of the uwsgi packet came twice")
            given[name] = join(name, given[name], value)
        else:
            given[name] = value
        if is_field or (value and name in _BODY):
            fields += 1
            line_bytes = len(name) + len(": ") + len(value) - (0 if name in _BODY else len("HTTP_"))
            if line_bytes > limits.field_bytes:
                raise ProtocolError(431, "a header field is longer than %d bytes" % limits.field_bytes)
    if fields > limits.fields:
        raise ProtocolError(431, "there are more than %d header fields" % limits.fields)
    return given


def _wanted(name: str, trusted: bool) -> bool:
    if name.startswith("HTTP_"):
        return name != "HTTP_PROXY" and (trusted or not is_forwarding(name))
    if name in _BODY:
        return True
    return trusted and (name in _GATEWAY or name.startswith(_GATEWAY_PREFIXES))


def _request(given: Dict[str, str], environ: Dict[str, Any], trusted: bool, limits: Limits) -> Tuple[heads.Head, str]:
    """The part of the environ that HTTP has in its request line, and the target's authority. Raises ProtocolError."""
    method, target = given.get("REQUEST_METHOD", ""), given.get("REQUEST_URI", "")
    protocol = given.get("SERVER_PROTOCOL", "HTTP/1.1")
    if len(method) + len(target) + len(protocol) + 2 > limits.request_line_bytes:
        raise ProtocolError(414, "the request line is longer than %d bytes" % limits.request_line_bytes)
    if _METHOD.fullmatch(method) is None:
        raise ProtocolError(400, "REQUEST_METHOD is no token")
    if _TARGET.fullmatch(target) is None:
        raise ProtocolError(400, "REQUEST_URI is missing or malformed")
    if _PROTOCOL.fullmatch(protocol) is None:
        raise ProtocolError(400, "SERVER_PROTOCOL is malformed")
    if _LATER.fullmatch(protocol) is not None:
        protocol = "HTTP/1.1"
    elif protocol != "HTTP/1.0" and not trusted:  # a gateway may have spoken HTTP/2 with the client
        raise ProtocolError(505, "only HTTP/1 is spoken here")
    if method == "PRI":
        raise ProtocolError(501, "PRI begins a connection of HTTP/2, and is no method")
    path, query, authority = split_target(method, target)
    environ["REQUEST_METHOD"] = method
    environ["REQUEST_URI"] = target
    environ["QUERY_STRING"] = query
    environ["PATH_INFO"] = decode_path(path)
    environ["SERVER_PROTOCOL"] = protocol
    if trusted and path != "*":  # it may have taken a mount's prefix away, or rewritten what was asked
        environ["QUERY_STRING"] = given.get("QUERY_STRING", query)
        environ["PATH_INFO"] = given.get("PATH_INFO", environ["PATH_INFO"])
        if not environ["PATH_INFO"] and not given.get("SCRIPT_NAME"):
            environ["PATH_INFO"] = "/"
        for name in sorted(_DECODED):
            if given.get(name, "/")[:1] not in ("", "/"):
                raise ProtocolError(400, "%s does not begin with a slash" % name)
    return heads.Head(method, target, environ, is_http_1_1=False), authority


def _scheme(given: Dict[str, str], environ: Dict[str, Any]) -> None:
    secure = given.get("HTTPS", "").lower() in ("on", "1") or given.get("REQUEST_SCHEME", "") == "https"
    environ["wsgi.url_scheme"] = environ["REQUEST_SCHEME"] = "https" if secure else "http"
    environ.pop("HTTPS", None)
