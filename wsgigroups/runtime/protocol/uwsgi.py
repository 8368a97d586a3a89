"""The uwsgi protocol: one packet of variables in front of the body (uWSGI documentation, "The uwsgi Protocol").

Sans-I/O; used by the thread that owns the connection. Only modifiers 0/0 (a WSGI request) exist here; the others make
uWSGI evaluate code or reach into its internals. No variable has an effect beyond the environ: UWSGI_* ones, which load
code or change the process there, are dropped. The result is the same Head as from HTTP, by the same rules.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, Optional, Tuple

from .. import accelerator
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
_REMEMBERED = 512  # names of variables
_LONGEST = 64  # characters of a name that is remembered
# Behind it are a client's fields as they came: from a gateway that builds variables and cannot leave fields out by how
# their names begin, as nginx.
_CLIENTS = "WSGIGROUPS_CLIENT_FIELDS"
_ADDED_FIELDS = 8  # that a gateway by our rules may have beside as many as a client may send


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
    text = packet.decode("latin-1")
    found: List[Tuple[str, str]] = []
    add = found.append
    position, end = HEADER_BYTES, len(packet)
    try:
        while position < end:
            start = position + 2
            middle = start + packet[position] + (packet[position + 1] << 8)
            position = middle + 2
            stop = position + packet[middle] + (packet[middle + 1] << 8)
            add((text[start:middle], text[position:stop]))
            position = stop
    except IndexError:  # a size, or a part of one, is beyond the end
        position = end + 1
    if position != end:
        raise _broken(packet)
    return found


def _broken(packet: bytes) -> ProtocolError:
    """Return what is wrong with the pairs of a packet."""
    position, end = HEADER_BYTES, len(packet)
    while True:
        for what in ("name", "value"):
            if position + 2 > end:
                return ProtocolError(400, "a %s of the uwsgi packet has no size" % what)
            position += 2 + packet[position] + (packet[position + 1] << 8)
            if position > end:
                return ProtocolError(400, "a %s of the uwsgi packet goes beyond its end" % what)


class _Wanted(Dict[str, bool]):
    """Whether a variable goes into the environ, by its name. The answers are remembered; a full table is emptied."""

    def __init__(self, trusted: bool) -> None:
        super().__init__()
        self._trusted = trusted

    def __missing__(self, name: str) -> bool:
        found = _NAME.fullmatch(name) is not None and _wanted(name, self._trusted)
        if len(name) <= _LONGEST:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[name] = found
        return found


def parse(packet: bytes, base: Dict[str, Any], trusted: bool, limits: Limits) -> heads.Head:
    """Turn a whole packet into a Head. Raises ProtocolError. base: as for `heads.parse`."""
    if trusted and READER is not None:
        found: Optional[heads.Head] = READER(packet, base, limits.short_bytes, limits.fields)
        if found is not None:
            return found
    return exactly(packet, base, trusted, limits)


def exactly(packet: bytes, base: Dict[str, Any], trusted: bool, limits: Limits) -> heads.Head:
    """As `parse`, without an accelerator."""
    given = _given(packet, limits, trusted)
    environ = base.copy()
    head, authority = _request(given, environ, trusted, limits)
    wanted = _WANTED[trusted]
    for name, value in given.items():
        if wanted[name]:
            environ[name] = value
    if trusted:
        _scheme(given, environ)
        if environ.pop(_CLIENTS, ""):
            _disbelieve(given, environ)
    if not environ.get("CONTENT_LENGTH"):
        environ.pop("CONTENT_LENGTH", None)  # gateways send it empty when there is none
    if not environ.get("CONTENT_TYPE"):
        environ.pop("CONTENT_TYPE", None)
    environ.pop("HTTP_CONTENT_LENGTH", None)
    environ.pop("HTTP_CONTENT_TYPE", None)
    environ.pop("HTTP_TRANSFER_ENCODING", None)  # undone by the gateway: what follows is CONTENT_LENGTH bytes
    # … or chunks, where our own gateway has a body that is too long to be held, and whose length nobody knows.
    chunked = environ.pop("WSGIGROUPS_BODY", "") == "chunked"
    # A stranger is held to what HTTP/1.1 asks for; a gateway may have had a request without Host.
    head.is_http_1_1 = environ["SERVER_PROTOCOL"] != "HTTP/1.0" and not (trusted and "HTTP_HOST" not in environ)
    frame(head, authority)
    if head.target == "*":
        raise ProtocolError(200, "OPTIONS * asks the server, not an application")
    if chunked:
        if head.length:
            raise ProtocolError(400, "there are both CONTENT_LENGTH and WSGIGROUPS_BODY")
        head.chunked = True
    head.keep_alive = False
    head.expects = False  # the gateway has the body or waits for nothing
    # Our own gateway understands chunks, so that it can tell an answer that was cut short (nginx does not).
    head.is_http_1_1 = trusted and given.get("WSGIGROUPS_FRAMING") == "chunked"
    head.ordinary = False
    return head


def _is_ours(given: Dict[str, str], trusted: bool) -> bool:
    """Whether it is our own gateway that speaks, which says so before any field."""
    return trusted and "WSGIGROUPS_FRAMING" in given


def _may_be_several(name: str, value: str, limits: Limits) -> bool:
    """Whether lines within the limit may have been joined to this by a gateway, which has looked at each."""
    parts = value.split("; " if name == "HTTP_COOKIE" else ", ")
    return len(name) - len("HTTP_") + len(": ") + max(map(len, parts)) <= limits.field_bytes


def _given(packet: bytes, limits: Limits, trusted: bool) -> Dict[str, str]:
    """Return the variables, within the limits that lines of HTTP have. Raises ProtocolError.

    A field that comes twice is joined as over HTTP; nginx passes each line on as a variable of its own.
    """
    pairs = variables(packet)
    given = dict(pairs)
    if len(given) == len(pairs) <= limits.fields and len(packet) <= limits.field_bytes:
        text = "".join(given.values())
        if text.isprintable() or _VALUE.fullmatch(text) is not None:
            return given  # as packets usually are: nothing can be beyond a limit
    return _exactly(pairs, limits, trusted)


def _exactly(pairs: List[Tuple[str, str]], limits: Limits, trusted: bool) -> Dict[str, str]:
    """As `_given`, pair by pair."""
    given: Dict[str, str] = {}
    fields = 0
    for name, value in pairs:
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
            if line_bytes > limits.field_bytes and not (
                _is_ours(given, trusted) and _may_be_several(name, value, limits)
            ):
                raise ProtocolError(431, "a header field is longer than %d bytes" % limits.field_bytes)
    adds = trusted and ("WSGIGROUPS_FRAMING" in given or _CLIENTS in given)
    if fields > limits.fields + (_ADDED_FIELDS if adds else 0):
        raise ProtocolError(431, "there are more than %d header fields" % limits.fields)
    return given


def _disbelieve(given: Dict[str, str], environ: Dict[str, Any]) -> None:
    """Take away what only a gateway may say, where a client says it. The gateway says none of it twice."""
    names = list(given)
    for name in names[names.index(_CLIENTS) :]:
        if is_forwarding(name):
            environ.pop(name, None)


def _wanted(name: str, trusted: bool) -> bool:
    if name.startswith("HTTP_"):
        return name != "HTTP_PROXY" and (trusted or not is_forwarding(name))
    if name in _BODY:
        return True
    return trusted and (name in _GATEWAY or name.startswith(_GATEWAY_PREFIXES))


_WANTED = (_Wanted(trusted=False), _Wanted(trusted=True))
_REQUEST = frozenset(("PATH_INFO", "QUERY_STRING", "REQUEST_METHOD", "REQUEST_URI", "SERVER_PROTOCOL"))


def reader(extension: Any) -> Any:
    """Make the accelerator's reader of packets of our own gateway, by its names of the variables that it may bring."""
    return extension.PacketReader(heads.Head, lambda name: name if name in _REQUEST or _WANTED[True][name] else "")


READER: Any = None if accelerator.IN_USE is None else reader(accelerator.IN_USE)


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
    if protocol != "HTTP/1.1":
        protocol = _protocol(protocol, trusted)
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
        for name in ("PATH_INFO", "SCRIPT_NAME"):
            if given.get(name, "/")[:1] not in ("", "/"):
                raise ProtocolError(400, "%s does not begin with a slash" % name)
    return heads.Head(method, target, environ, is_http_1_1=False), authority


def _protocol(protocol: str, trusted: bool) -> str:
    """Return the version as which a request is served. Raises ProtocolError."""
    if _PROTOCOL.fullmatch(protocol) is None:
        raise ProtocolError(400, "SERVER_PROTOCOL is malformed")
    if _LATER.fullmatch(protocol) is not None:
        return "HTTP/1.1"
    if protocol != "HTTP/1.0" and not trusted:  # a gateway may have spoken HTTP/2 with the client
        raise ProtocolError(505, "only HTTP/1 is spoken here")
    return protocol


def _scheme(given: Dict[str, str], environ: Dict[str, Any]) -> None:
    secure = given.get("HTTPS", "").lower() in ("on", "1") or given.get("REQUEST_SCHEME", "") == "https"
    environ["wsgi.url_scheme"] = environ["REQUEST_SCHEME"] = "https" if secure else "http"
    environ.pop("HTTPS", None)
