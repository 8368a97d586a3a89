"""What an application behind the gateway sees of what clients and proxies say: from the bytes of a head to its environ.

A client can forge nothing; a trusted proxy sets what it may, and nothing more.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgigroups.runtime.gateway.forwarding import (
    ConnectionFacts,
    RequestFacts,
    TlsFacts,
    behind_proxy,
    facts_of,
    variables,
)
from wsgigroups.runtime.gateway.packets import packet
from wsgigroups.runtime.gateway.proxy_header import LOCAL, TCP4, UNIX, ProxyHeader
from wsgigroups.runtime.gateway.router import Match
from wsgigroups.runtime.protocol import heads, names, uwsgi
from wsgigroups.runtime.protocol.forwarding import Trust
from wsgigroups.runtime.protocol.limits import DEFAULT
from wsgigroups.runtime.wire.routes import MountRoute, SiteRoute

PEER, PROXY, CLIENT = "203.0.113.9", "10.0.0.1", "198.51.100.7"
TRUST = Trust(["10.0.0.0/8", "unix"])
MOUNT = MountRoute("/api", "blog", "blog.wsgi:application")
SITE = SiteRoute("www.example.org", ("*.example.org",), (MOUNT,))
DIRECT = ConnectionFacts(PEER, "40000", "192.0.2.1", "80")
PROXIED = ConnectionFacts(PROXY, "40000", "192.0.2.1", "80", trusted=True)
ARRIVED_US = 1_800_000_000_000_000
BASE: dict[str, Any] = {
    "wsgi.url_scheme": "http",
    "REQUEST_SCHEME": "http",
    "SCRIPT_NAME": "",
    "SERVER_NAME": "localhost",
}
LINE = b"GET /api/a%20b?c=d HTTP/1.1\r\n"


def request_of(
    fields: bytes, connection: ConnectionFacts = DIRECT, line: bytes = LINE
) -> tuple[dict[str, Any], RequestFacts]:
    """Return what the gateway knows of a request."""
    keys = names.TRUSTED if connection.trusted else names.UNTRUSTED
    environ = heads.parse(line + fields + b"\r\n", BASE, keys, DEFAULT).environ
    return environ, facts_of(environ, connection, TRUST, ARRIVED_US, lambda: "made")


def seen(
    fields: bytes,
    connection: ConnectionFacts = DIRECT,
    line: bytes = LINE,
    length: int | None = None,
    mount: MountRoute = MOUNT,
) -> dict[str, Any]:
    """Return the environ of the application in a daemon that trusts the gateway, without what it has of its own."""
    environ, request = request_of(fields, connection, line)
    path = environ["PATH_INFO"]
    match = Match("www", SITE, mount, None, path[:4], path[4:])
    data = packet(variables(environ, connection, request, match, length))
    found = uwsgi.parse(data, {}, trusted=True, limits=DEFAULT).environ
    return {name: value for name, value in found.items() if not name.startswith("mod_wsgi.")}


HOST = b"Host: shop.example.org:80\r\n"
PLAIN = {
    "REQUEST_METHOD": "GET",
    "REQUEST_URI": "/api/a%20b?c=d",
    "QUERY_STRING": "c=d",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SCRIPT_NAME": "/api",
    "PATH_INFO": "/a b",
    "SERVER_NAME": "www.example.org",
    "SERVER_PORT": "80",
    "SERVER_ADDR": "192.0.2.1",
    "REMOTE_ADDR": PEER,
    "REMOTE_PORT": "40000",
    "REQUEST_SCHEME": "http",
    "REQUEST_ID": "made",
    "wsgi.url_scheme": "http",
    "WSGIGROUPS_FRAMING": "chunked",
    "WSGIGROUPS_QUEUE_START": str(ARRIVED_US),
    "WSGIGROUPS_APPLICATION": "blog.wsgi:application",
    "HTTP_HOST": "shop.example.org:80",
    "HTTP_X_FORWARDED_FOR": PEER,
    "HTTP_X_FORWARDED_HOST": "shop.example.org:80",
    "HTTP_X_FORWARDED_PROTO": "http",
    "HTTP_X_REQUEST_ID": "made",
}


def test_a_request() -> None:
    assert seen(HOST) == PLAIN
    fields = HOST + b"Cookie: a=b\r\nAccept: x\r\nAccept: y\r\nAuthorization: Basic eA==\r\nX-Own: \xe9\r\n"
    more = {"HTTP_COOKIE": "a=b", "HTTP_ACCEPT": "x, y", "HTTP_AUTHORIZATION": "Basic eA==", "HTTP_X_OWN": "\xe9"}
    assert seen(fields) == {**PLAIN, **more}


def test_without_a_host() -> None:
    found = seen(b"", line=b"GET /api/ HTTP/1.0\r\n")
    assert not {"HTTP_HOST", "HTTP_X_FORWARDED_HOST"} & found.keys()
    assert (found["SERVER_NAME"], found["SERVER_PROTOCOL"]) == ("www.example.org", "HTTP/1.0")


def test_the_authority_of_the_target_is_the_host() -> None:
    found = seen(HOST, line=b"GET http://other.example.org/api/x HTTP/1.1\r\n")
    assert found["HTTP_HOST"] == found["HTTP_X_FORWARDED_HOST"] == "other.example.org"
    assert (found["SCRIPT_NAME"], found["PATH_INFO"]) == ("/api", "/x")


def test_bodies() -> None:
    line = b"POST /api/ HTTP/1.1\r\n"
    found = seen(HOST + b"Content-Type: text/plain\r\nContent-Length: 5\r\n", line=line)
    assert (found["CONTENT_TYPE"], found["CONTENT_LENGTH"]) == ("text/plain", "5")
    found = seen(HOST + b"Transfer-Encoding: chunked\r\n", line=line, length=7)
    assert found["CONTENT_LENGTH"] == "7"
    assert "HTTP_TRANSFER_ENCODING" not in found
    assert "CONTENT_LENGTH" not in seen(HOST)


def test_tls() -> None:
    secure = DIRECT._replace(tls=TlsFacts("TLSv1.3", "TLS_AES_256_GCM_SHA384", "www.example.org"), server_port="443")
    found = seen(HOST, secure)
    assert {name: value for name, value in found.items() if PLAIN.get(name) != value} == {
        "wsgi.url_scheme": "https",
        "REQUEST_SCHEME": "https",
        "HTTP_X_FORWARDED_PROTO": "https",
        "SERVER_PORT": "443",
        "SSL_PROTOCOL": "TLSv1.3",
        "SSL_CIPHER": "TLS_AES_256_GCM_SHA384",
        "SSL_TLS_SNI": "www.example.org",
    }


@pytest.mark.parametrize("name", ["", "a\nb", "a b", "\u0100", "<b>"])
def test_a_name_of_tls_that_is_none(name: str) -> None:
    assert seen(HOST, DIRECT._replace(tls=TlsFacts("TLSv1.2", "AES", name)))["SSL_TLS_SNI"] == ""


def test_an_application_of_one_need_not_be_named() -> None:
    assert "WSGIGROUPS_APPLICATION" not in seen(HOST, mount=MountRoute("/api", "blog"))
    assert seen(HOST, mount=MountRoute("/api", "blog", "/srv/é.wsgi"))["WSGIGROUPS_APPLICATION"].encode(
        "latin-1"
    ).decode() == ("/srv/é.wsgi")


FORGED = {
    "X-Forwarded-For": CLIENT,
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "666",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded": "for=" + CLIENT,
    "Forwarded": "for=" + CLIENT,
    "X-Real-IP": CLIENT,
    "X-Client-IP": CLIENT,
    "Client-IP": CLIENT,
    "True-Client-IP": CLIENT,
    "CF-Connecting-IP": CLIENT,
    "X-Request-Start": "t=1",
    "X-Queue-Start": "t=1",
    "WSGIGROUPS-Queue-Start": "1",
    "WSGIGROUPS-Framing": "none",
    "WSGIGROUPS-Application": "evil",
    "X-Request-ID": "evil",
    "X-Script-Name": "/evil",
    "Script-Name": "/evil",
    "X-Scheme": "https",
    "X-HTTPS": "on",
    "HTTPS": "on",
    "Front-End-Https": "on",
    "X-SSL-Client-Verify": "SUCCESS",
    "SSL-Client-Verify": "SUCCESS",
    "Remote-User": "admin",
    "X-Remote-User": "admin",
    "Remote-Addr": CLIENT,
    "X-Original-URL": "/admin",
    "X-Rewrite-URL": "/admin",
    "Proxy": "http://evil.example",
    "wsgi.url_scheme": "https",
    "wsgi.input": "evil",
    "Server.Name": "evil",
}
SPELLINGS = [str, str.lower, str.upper, lambda name: name.replace("-", "_"), lambda name: name.replace("-", "_", 1)]
# A name that says nothing to anybody may be an application's: it comes as a field, and changes nothing else.
HARMLESS = {"HTTP_WSGIGROUPS_FRAMING", "HTTP_WSGIGROUPS_APPLICATION"}


@pytest.mark.parametrize("name", FORGED)
def test_a_client_forges_nothing(name: str) -> None:
    for spelling, times, listed in itertools.product(SPELLINGS, (1, 2), (False, True)):
        written = spelling(name)
        fields = HOST + f"{written}: {FORGED[name]}\r\n".encode() * times
        if listed:
            fields += f"Connection: {written}, close\r\n".encode()
        found = seen(fields)
        assert {key: value for key, value in found.items() if key not in HARMLESS} == PLAIN


def test_a_connection_field_takes_nothing_away_that_the_gateway_says() -> None:
    own = [name for name in PLAIN if name.startswith("HTTP_")]
    listed = ", ".join(name[len("HTTP_") :].replace("_", "-").title() for name in own)
    for connection in (DIRECT, PROXIED):
        found = seen(HOST + f"Connection: {listed}, Host, Remote-Addr, REMOTE_ADDR\r\n".encode(), connection)
        assert set(own) <= found.keys()
        assert found["REMOTE_ADDR"] == connection.remote_address
    assert (
        seen(HOST + f"Connection: {listed}\r\nX-Forwarded-For: {CLIENT}\r\n".encode(), PROXIED)["REMOTE_ADDR"] == CLIENT
    )


def test_fields_of_the_connection_end_here() -> None:
    fields = (
        b"Connection: keep-alive, X-Own\r\nX-Own: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\n"
        b"Trailer: X\r\nUpgrade: websocket\r\nProxy-Connection: x\r\n"
        b"Proxy-Authorization: Basic x\r\nExpect: 100-continue\r\nContent-Length: 0\r\n"
    )
    found = seen(HOST + fields)
    assert found == {**PLAIN, "CONTENT_LENGTH": "0"}


def test_a_trusted_proxy_sets_what_it_may() -> None:
    fields = f"X-Forwarded-For: {CLIENT}\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example.org\r\n".encode()
    found = seen(
        b"Host: inner\r\n" + fields + b"X-Request-ID: of-the-proxy\r\nX-Request-Start: t=1700000000.5\r\n", PROXIED
    )
    assert {name: value for name, value in found.items() if PLAIN.get(name) != value} == {
        "REMOTE_ADDR": CLIENT,
        "REMOTE_PORT": "0",
        "REQUEST_SCHEME": "https",
        "wsgi.url_scheme": "https",
        "HTTP_HOST": "shop.example.org",
        "HTTP_X_FORWARDED_FOR": f"{CLIENT}, {PROXY}",
        "HTTP_X_FORWARDED_PROTO": "https",
        "HTTP_X_FORWARDED_HOST": "shop.example.org",
        "HTTP_X_REQUEST_ID": "of-the-proxy",
        "REQUEST_ID": "of-the-proxy",
        "WSGIGROUPS_QUEUE_START": "1700000000500000",
    }


@pytest.mark.parametrize("name", FORGED)
def test_a_trusted_proxy_sets_nothing_else(name: str) -> None:
    fields = HOST + f"{name}: {FORGED[name]}\r\n".encode()
    found = seen(fields, PROXIED)
    may = {
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Request-ID",
        "X-Request-Start",
        "X-Queue-Start",
    }
    if name in may:
        return
    plain = {**PLAIN, "REMOTE_ADDR": PROXY, "HTTP_X_FORWARDED_FOR": PROXY}
    passed = "HTTP_" + name.upper().replace("-", "_")
    assert {key: value for key, value in found.items() if key != passed} == plain


@pytest.mark.parametrize(
    ("chain", "client", "forwarded"),
    [
        (CLIENT, CLIENT, f"{CLIENT}, {PROXY}"),
        (f"6.6.6.6, {CLIENT}", CLIENT, f"6.6.6.6, {CLIENT}, {PROXY}"),
        (f"{CLIENT}, 10.1.1.1", CLIENT, f"{CLIENT}, 10.1.1.1, {PROXY}"),
        ("10.2.2.2, 10.1.1.1", "10.2.2.2", f"10.2.2.2, 10.1.1.1, {PROXY}"),
        (f"{CLIENT}:4711", CLIENT, f"{CLIENT}:4711, {PROXY}"),
        ("[2001:db8::1]:80", "2001:db8::1", f"[2001:db8::1]:80, {PROXY}"),
        ("unknown", PROXY, PROXY),
        ("", PROXY, PROXY),
        (", ,", PROXY, PROXY),
        (f"{CLIENT}, nonsense", PROXY, PROXY),
    ],
)
def test_chains_of_proxies(chain: str, client: str, forwarded: str) -> None:
    found = seen(HOST + f"X-Forwarded-For: {chain}\r\n".encode(), PROXIED)
    assert (found["REMOTE_ADDR"], found["HTTP_X_FORWARDED_FOR"]) == (client, forwarded)


@pytest.mark.parametrize(
    ("fields", "attribute", "value"),
    [
        (b"X-Forwarded-Proto: HTTPS\r\n", "scheme", "https"),
        (b"X-Forwarded-Proto: http, https\r\n", "scheme", "https"),
        (b"X-Forwarded-Proto: ws\r\n", "scheme", "http"),
        (b"X-Forwarded-Proto: \r\n", "scheme", "http"),
        (b"X-Forwarded-Host: a.example, b.example\r\n", "host", "b.example"),
        (b"X-Forwarded-Host: :80\r\n", "host", "shop.example.org:80"),
        (b"X-Forwarded-Host: a/b\r\n", "host", "shop.example.org:80"),
        (b"X-Forwarded-Host: a@b\r\n", "host", "shop.example.org:80"),
        (b"X-Request-ID: 0af7651916cd43dd8448eb211c80319c\r\n", "request_id", "0af7651916cd43dd8448eb211c80319c"),
        (b"X-Request-ID: a b\r\n", "request_id", "made"),
        (b"X-Request-ID: <b>\r\n", "request_id", "made"),
        (b"X-Request-ID: " + b"x" * 129 + b"\r\n", "request_id", "made"),
        (b"X-Request-ID: a\r\nX-Request-ID: b\r\n", "request_id", "made"),
        (b"X-Request-Start: 1700000000000\r\n", "arrived_us", 1_700_000_000_000_000),
        (b"X-Queue-Start: t=1700000000000000\r\n", "arrived_us", 1_700_000_000_000_000),
        (b"X-Request-Start: t=1900000000\r\n", "arrived_us", ARRIVED_US),
        (b"X-Request-Start: soon\r\n", "arrived_us", ARRIVED_US),
    ],
)
def test_what_a_trusted_proxy_says_is_taken_if_it_is_well_formed(fields: bytes, attribute: str, value: object) -> None:
    assert getattr(request_of(HOST + fields, PROXIED)[1], attribute) == value
    assert getattr(request_of(HOST + fields)[1], attribute) == getattr(request_of(HOST)[1], attribute)


def test_on_a_unix_socket() -> None:
    peer = ConnectionFacts("", "", "", "")
    found = seen(HOST, peer)
    assert (found["REMOTE_ADDR"], found["SERVER_PORT"]) == ("", "80")
    assert "HTTP_X_FORWARDED_FOR" not in found
    proxy = peer._replace(trusted=True)
    found = seen(HOST + f"X-Forwarded-For: {CLIENT}\r\nX-Forwarded-Proto: https\r\n".encode(), proxy)
    assert (found["REMOTE_ADDR"], found["HTTP_X_FORWARDED_FOR"], found["SERVER_PORT"]) == (CLIENT, CLIENT, "443")


def test_behind_a_proxy_that_speaks_no_http() -> None:
    header = ProxyHeader(0, TCP4, CLIENT, 4711, "192.0.2.80", 443)
    found = behind_proxy(PROXIED, header, TRUST)
    assert found == ConnectionFacts(CLIENT, "4711", "192.0.2.80", "443", None, trusted=False)
    assert behind_proxy(PROXIED, header._replace(source="10.9.9.9"), TRUST).trusted  # a proxy behind a proxy
    for family in (LOCAL, UNIX):
        assert behind_proxy(PROXIED, ProxyHeader(0, family), TRUST) == PROXIED


@given(
    st.lists(
        st.tuples(
            st.text(st.sampled_from("abcXY-_."), min_size=1, max_size=8),
            st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8),
        ),
        max_size=8,
    )
)
def test_no_field_of_a_client_changes_what_the_gateway_says(fields: list[tuple[str, str]]) -> None:
    data = HOST + "".join(f"X{name}: {value}\r\n" for name, value in fields).encode()
    found = seen(data)
    assert {name: found[name] for name in PLAIN} == PLAIN
