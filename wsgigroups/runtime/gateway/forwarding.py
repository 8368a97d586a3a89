"""What a daemon is told of a request, its client and its connection: built from facts, never passed on as it came.

Pure; any thread. What clients may say of themselves was dropped with the head (`protocol/names.py`); what a trusted
proxy says is taken as daemons take it from one (`protocol/forwarding.py`). Everything else of these variables is from
the connection and the routes, and the daemon has it from a packet in which no field of a client can have their names.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Tuple

from .. import accelerator
from ..protocol.forwarding import Trust, client_of, queue_start_s
from ..protocol.names import is_forwarding
from ..protocol.request_ids import is_id
from ..protocol.targets import AUTHORITY
from .packets import encoded, packet
from .proxy_header import ProxyHeader
from .router import Match

Variables = List[Tuple[str, str]]

_REMEMBERED = 512  # names of fields; a full table is emptied
_LONGEST = 64  # characters of a name that is kept
# Of the connection with the client (RFC 9110 section 7.6.1, RFC 2616 section 13.5.1); Expect is met here, and what
# follows a packet is as long as CONTENT_LENGTH says.
_HOP_BY_HOP = frozenset(
    (
        "HTTP_CONNECTION",
        "HTTP_EXPECT",
        "HTTP_KEEP_ALIVE",
        "HTTP_PROXY_AUTHENTICATE",
        "HTTP_PROXY_AUTHORIZATION",
        "HTTP_PROXY_CONNECTION",
        "HTTP_TE",
        "HTTP_TRAILER",
        "HTTP_TRANSFER_ENCODING",
        "HTTP_UPGRADE",
    )
)
# Built here, whoever says them.
_BUILT = frozenset(
    (
        "HTTP_PROXY",  # CVE-2016-5388
        "HTTP_WSGIGROUPS_QUEUE_START",
        "HTTP_X_FORWARDED_FOR",
        "HTTP_X_FORWARDED_HOST",
        "HTTP_X_FORWARDED_PROTO",
        "HTTP_X_QUEUE_START",
        "HTTP_X_REQUEST_ID",
        "HTTP_X_REQUEST_START",
    )
)
_STAMPS = ("HTTP_WSGIGROUPS_QUEUE_START", "HTTP_X_REQUEST_START", "HTTP_X_QUEUE_START")
_UNNAMED: FrozenSet[str] = frozenset()


class TlsFacts(NamedTuple):
    """Of a connection with TLS: what mod_ssl calls SSL_PROTOCOL, SSL_CIPHER and SSL_TLS_SNI; "" if not known."""

    protocol: str
    cipher: str
    server_name: str = ""


class ConnectionFacts(NamedTuple):
    """Who is connected to which address. Addresses are "" on a UNIX socket."""

    remote_address: str
    remote_port: str
    server_address: str
    server_port: str
    tls: Optional[TlsFacts] = None
    trusted: bool = False  # whether the peer is a trusted proxy; heads are to be read with the keys for one


class RequestFacts(NamedTuple):
    """What is known of a request's origin, by the connection and, where its peer is trusted, by what that says."""

    remote_address: str
    remote_port: str  # "0" where a proxy does not tell
    scheme: str  # http or https
    host: str  # as it was asked for, perhaps with a port; "" if there was none. Routes go by this one.
    forwarded_for: str  # each address of which a trusted proxy told, then the peer's
    request_id: str
    arrived_us: int  # µs since the epoch


def behind_proxy(facts: ConnectionFacts, header: ProxyHeader, trust: Trust) -> ConnectionFacts:
    """Return what is true of a connection that began with a PROXY header: its client is the peer from then on."""
    if not header.has_addresses:
        return facts
    return facts._replace(
        remote_address=header.source,
        remote_port=str(header.source_port),
        server_address=header.destination,
        server_port=str(header.destination_port),
        trusted=trust.covers(header.source),
    )


def facts_of(
    environ: Mapping[str, Any], connection: ConnectionFacts, trust: Trust, arrived_us: int, make_id: Callable[[], str]
) -> RequestFacts:
    """Return a request's facts. arrived_us: when it began to arrive here; make_id: a new id, for one that has none."""
    address, port = connection.remote_address, connection.remote_port
    scheme = "http" if connection.tls is None else "https"
    host = environ.get("HTTP_HOST", "")
    if not connection.trusted:
        return RequestFacts(address, port, scheme, host, address, make_id(), arrived_us)
    chain = environ.get("HTTP_X_FORWARDED_FOR", "")
    forwarded_for = address
    client = client_of(chain, trust) if chain else None
    if client is not None:
        forwarded_for = chain + ", " + address if address else chain
        address, port = client, "0"
    said = _last(environ, "HTTP_X_FORWARDED_PROTO").lower()
    if said in ("http", "https"):
        scheme = said
    said = _last(environ, "HTTP_X_FORWARDED_HOST")
    if said and said[0] != ":" and AUTHORITY.fullmatch(said) is not None:
        host = said
    request_id = environ.get("HTTP_X_REQUEST_ID", "")
    if not is_id(request_id):
        request_id = make_id()
    began_s = queue_start_s({name: environ[name] for name in _STAMPS if name in environ})
    if began_s is not None:
        arrived_us = min(arrived_us, int(began_s * 1e6))  # it cannot have begun to wait later than it came
    return RequestFacts(address, port, scheme, host, forwarded_for, request_id, arrived_us)


def _last(environ: Mapping[str, Any], key: str) -> str:
    """Return what the nearest of several proxies says."""
    text: str = environ.get(key, "")
    return text.rpartition(",")[2].strip(" \t") if text else ""


def variables(
    environ: Mapping[str, Any],
    connection: ConnectionFacts,
    request: RequestFacts,
    match: Match,
    length: Optional[int] = None,
) -> Variables:
    """Return the variables of the packet for a daemon.

    environ: of the head, before anybody has changed it. match: has a site and a mount. length: of the body in bytes
    where the head does not say it, because its coding was undone here.
    """
    assert match.site is not None
    assert match.mount is not None
    secure = request.scheme == "https"
    found: Variables = [
        ("REQUEST_METHOD", environ["REQUEST_METHOD"]),
        ("REQUEST_URI", environ["REQUEST_URI"]),
        ("QUERY_STRING", environ["QUERY_STRING"]),
        ("SERVER_PROTOCOL", environ["SERVER_PROTOCOL"]),
        ("SCRIPT_NAME", match.script_name),
        ("PATH_INFO", match.path_info),
        ("CONTENT_TYPE", environ.get("CONTENT_TYPE", "")),
        ("CONTENT_LENGTH", environ.get("CONTENT_LENGTH", "") if length is None else str(length)),
        ("SERVER_NAME", match.site.server_name),
        ("SERVER_PORT", connection.server_port or ("443" if secure else "80")),
        ("SERVER_ADDR", connection.server_address),
        ("REMOTE_ADDR", request.remote_address),
        ("REMOTE_PORT", request.remote_port),
        ("REQUEST_SCHEME", request.scheme),
        ("REQUEST_ID", request.request_id),
        ("WSGIGROUPS_FRAMING", "chunked"),
        ("WSGIGROUPS_QUEUE_START", str(request.arrived_us)),
        ("HTTP_X_FORWARDED_PROTO", request.scheme),
        ("HTTP_X_REQUEST_ID", request.request_id),
    ]
    if secure:
        found.append(("HTTPS", "on"))
    if request.host:
        found += (("HTTP_HOST", request.host), ("HTTP_X_FORWARDED_HOST", request.host))
    elif "HTTP_HOST" in environ:
        found.append(("HTTP_HOST", ""))
    if request.forwarded_for:
        found.append(("HTTP_X_FORWARDED_FOR", request.forwarded_for))
    if match.mount.application:
        found.append(("WSGIGROUPS_APPLICATION", match.mount.application.encode("utf-8").decode("latin-1")))
    found += tls_variables(connection.tls)
    named = _named(environ["HTTP_CONNECTION"]) if "HTTP_CONNECTION" in environ else _UNNAMED
    passes = _passes[connection.trusted]
    for key, value in environ.items():
        if key[:5] == "HTTP_" and key != "HTTP_HOST" and passes(key) and key not in named:
            found.append((key, value))
    return found


def tls_variables(tls: Optional[TlsFacts]) -> Variables:
    """Return the variables of a connection with TLS; none without."""
    if tls is None:
        return []
    name = tls.server_name if AUTHORITY.fullmatch(tls.server_name) is not None else ""  # a client's text
    return [("SSL_PROTOCOL", tls.protocol), ("SSL_CIPHER", tls.cipher), ("SSL_TLS_SNI", name)]


# Variables whose values differ from request to request, as they stand in a packet.
_CONTENT_LENGTH, _CONTENT_TYPE, _HOST, _PATH, _QUEUE_START, _REMOTE_ADDR, _REMOTE_PORT, _ID = map(
    encoded,
    (
        *("CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_HOST", "PATH_INFO", "WSGIGROUPS_QUEUE_START", "REMOTE_ADDR"),
        *("REMOTE_PORT", "REQUEST_ID"),
    ),
)
_SERVER_ADDR, _SERVER_PORT, _FOR, _FORWARDED_HOST, _FORWARDED_ID = map(
    encoded,
    ("SERVER_ADDR", "SERVER_PORT", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_REQUEST_ID"),
)
_LINE = frozenset(("REQUEST_METHOD", "REQUEST_URI", "QUERY_STRING", "SERVER_PROTOCOL"))
PACK: Any = None if accelerator.IN_USE is None else accelerator.IN_USE.pack


def packet_of(
    environ: Dict[str, Any],
    connection: ConnectionFacts,
    request: RequestFacts,
    match: Match,
    length: Optional[int] = None,
    chunked: bool = False,
) -> bytes:
    """Return the packet of `variables`; chunked: its body follows in chunks. Raises packets.PacketError."""
    if PACK is not None:
        data = plainly(PACK, environ, connection, request, match, length, chunked)
        if data is not None:
            return data
    found = variables(environ, connection, request, match, length)
    if chunked:
        found.append(("WSGIGROUPS_BODY", "chunked"))
    return packet(found)


def plainly(
    pack: Any,
    environ: Dict[str, Any],
    connection: ConnectionFacts,
    request: RequestFacts,
    match: Match,
    length: Optional[int],
    chunked: bool,
) -> Optional[bytes]:
    """As `packet_of`, by the accelerator, in one pass over the environ; None for what is not plain."""
    host, forwarded_for = request.host, request.forwarded_for
    if (
        length is not None
        or chunked
        or connection.tls is not None
        or not host
        or not forwarded_for
        or environ.get("HTTP_CONNECTION", "close") not in ("close", "keep-alive")
    ):
        return None
    mount, site, scheme = match.mount, match.site, request.scheme
    assert mount is not None
    assert site is not None
    what = (site.server_name, match.script_name, mount.application, scheme)
    constant = _constants.get(what)
    if constant is None:
        constant = constant_of(*what)
    table = _tables[connection.trusted]
    parts = (
        constant,
        *(_PATH, match.path_info),
        *(_CONTENT_TYPE, environ.get("CONTENT_TYPE", "")),
        *(_CONTENT_LENGTH, environ.get("CONTENT_LENGTH", "")),
        *(_SERVER_PORT, connection.server_port or ("443" if scheme == "https" else "80")),
        *(_SERVER_ADDR, connection.server_address),
        *(_REMOTE_ADDR, request.remote_address),
        *(_REMOTE_PORT, request.remote_port),
        *(_ID, request.request_id),
        *(_QUEUE_START, str(request.arrived_us)),
        *(_FORWARDED_ID, request.request_id),
        *(_HOST, host),
        *(_FORWARDED_HOST, host),
        *(_FOR, forwarded_for),
    )
    found: Optional[bytes] = pack(environ, table, parts)
    if found is None:
        _learn(environ, connection.trusted)
    return found


_constants: Dict[Tuple[str, str, str, str], bytes] = {}  # what mounts have in common; a full table is emptied
_tables: Tuple[Dict[str, bytes], Dict[str, bytes]] = ({}, {})  # key of an environ → its name in a packet; likewise


def constant_of(server_name: str, script_name: str, application: str, scheme: str) -> bytes:
    """Return what packets for one mount have in common, with what says whose they are in front."""
    found: Variables = [
        ("WSGIGROUPS_FRAMING", "chunked"),
        ("SCRIPT_NAME", script_name),
        ("SERVER_NAME", server_name),
        ("REQUEST_SCHEME", scheme),
        ("HTTP_X_FORWARDED_PROTO", scheme),
    ]
    if scheme == "https":
        found.append(("HTTPS", "on"))
    if application:
        found.append(("WSGIGROUPS_APPLICATION", application.encode("utf-8").decode("latin-1")))
    data = b"".join([encoded(name) + encoded(value) for name, value in found])
    if len(_constants) >= _REMEMBERED:
        _constants.clear()
    _constants[(server_name, script_name, application, scheme)] = data
    return data


def _learn(environ: Mapping[str, Any], trusted: bool) -> None:
    """Note what becomes of the keys of an environ."""
    table = _tables[trusted]
    passes = _passes[trusted]
    if len(table) + len(environ) > _REMEMBERED:
        table.clear()
    for key in environ:
        if len(key) <= _LONGEST:
            passed = key in _LINE or (key[:5] == "HTTP_" and key != "HTTP_HOST" and passes(key))
            table[key] = encoded(key) if passed else b""


class _Passing:
    """Whether a field is passed on, by its key; the answers are remembered."""

    __slots__ = ("_table", "_trusted")

    def __init__(self, trusted: bool) -> None:
        self._trusted = trusted
        self._table: Dict[str, bool] = {}

    def __call__(self, key: str) -> bool:
        found = self._table.get(key)
        if found is None:
            found = key not in _HOP_BY_HOP and key not in _BUILT and (self._trusted or not is_forwarding(key))
            if len(key) <= _LONGEST:
                if len(self._table) >= _REMEMBERED:
                    self._table.clear()
                self._table[key] = found
        return found


_passes = (_Passing(trusted=False), _Passing(trusted=True))
passes = _passes[False]  # of a client that is no proxy


def _named(connection: str) -> FrozenSet[str]:
    """Return the keys of the fields that a Connection field names as its own (RFC 9110 section 7.6.1)."""
    if connection in ("close", "keep-alive"):
        return _UNNAMED
    names = [name.strip(" \t") for name in connection.split(",")]
    return frozenset("HTTP_" + name.upper().replace("-", "_") for name in names if name)
