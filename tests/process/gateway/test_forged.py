"""What a client claims about itself, on its whole way: a gateway, a link, a daemon, and the application's environ."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.gateway import Gateway, gateway, routes_to
from support.serving import receive_response, serving

from wsgigroups.runtime.wire.routes import Link

CLAIM = "192.0.2.66"
NAMES = [
    *(
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Forwarded-Port",
        "X-Forwarded-Server",
        "Forwarded",
    ),
    *(
        "X-Forwarded",
        "X-Forwarded-Prefix",
        "X-Forwarded-Scheme",
        "X-Forwarded-Ssl",
        "X-Real-IP",
        "X-Client-IP",
        "Client-IP",
    ),
    *("True-Client-IP", "CF-Connecting-IP", "X-Cluster-Client-IP", "Fastly-Client-IP", "X-Remote-Addr", "X-Url-Scheme"),
    *("X-Scheme", "X-Https", "Front-End-Https", "X-Request-ID", "X-Request-Start", "X-Queue-Start", "X-Original-URL"),
    *("X-Rewrite-URL", "X-Script-Name", "X-SSL-Client-Verify", "SSL-Client-Cert", "Remote-User", "X-Remote-User"),
    *("Script-Name", "Remote-Addr", "Https", "WSGIGroups-Queue-Start"),
]
# dropped from everybody: they would be another variable, or lead code astray
NEVER = [
    *(
        "Proxy",
        "X_Real_IP",
        "x_forwarded_for",
        "Remote_User",
        "wsgi.url_scheme",
        "wsgi.errors",
        "REMOTE.ADDR",
        "HTTP_HOST",
    ),
    *("WSGIGROUPS_APPLICATION", "mod_wsgi.process_group", "CONTENT_LENGTH", "Transfer_Encoding"),
]
OWN = {"REMOTE_PORT", "REQUEST_ID", "HTTP_X_REQUEST_ID", "WSGIGROUPS_QUEUE_START"}  # different for each request


def variants(name: str) -> Iterator[str]:
    """Yield the ways to send one field: as it is, in other letters, twice, and named by Connection."""
    line = f"{name}: {CLAIM}\r\n"
    yield line
    yield f"{name.swapcase()}: {CLAIM}\r\n"
    yield line + line
    yield f"{line}Connection: {name}\r\n"
    yield f"{name.replace('-', '_')}: {CLAIM}\r\n"


class Told:
    """An application that remembers what it was told."""

    def __init__(self) -> None:
        self.environ: dict[str, str] = {}

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        self.environ = {
            key: value
            for key, value in environ.items()
            if isinstance(value, str) and key not in OWN and "request_start" not in key and "queue_start" not in key
        }
        start_response("204 No Content", [])
        return []


@contextmanager
def fronted(told: Told, **settings: Any) -> Iterator[Gateway]:
    with (
        serving(told, unix=True, trusted_proxies=("unix",)) as daemon,
        gateway(routes_to(Link(daemon.address)), **settings) as front,
    ):
        yield front


def asked(front: Gateway, told: Told, fields: str, host: str = "localhost") -> dict[str, str]:
    """Return what the application was told."""
    with front.connect() as sock:
        sock.sendall(f"GET /a?b HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n".encode("latin-1"))
        assert receive_response(sock)[0] == 204
    return told.environ


def test_nothing_that_a_client_claims_arrives() -> None:
    told = Told()
    with fronted(told) as front:
        clean = asked(front, told, "")
        assert (clean["REMOTE_ADDR"], clean["HTTP_X_FORWARDED_FOR"], clean["wsgi.url_scheme"]) == (
            "127.0.0.1",
            "127.0.0.1",
            "http",
        )
        for name in [*NAMES, *NEVER]:
            for fields in variants(name):
                assert asked(front, told, fields) == clean, fields
        other = asked(front, told, "", "evil.example")
        assert {key for key in clean if other[key] != clean[key]} == {"HTTP_HOST", "HTTP_X_FORWARDED_HOST"}
        everything = "".join(f"{name}: {CLAIM}\r\n" for name in NAMES)
        assert asked(front, told, everything + f"Connection: {', '.join([*NAMES, 'Host'])}\r\n") == clean


@pytest.mark.parametrize("name", NAMES)
def test_a_trusted_proxy_says_who_the_client_is_in_one_way(name: str) -> None:
    told = Told()
    with fronted(told, trusted_proxies=("127.0.0.1",)) as front:
        clean = asked(front, told, "")
        for fields in variants(name):
            found = asked(front, told, fields)
            believed = name == "X-Forwarded-For" and "_" not in fields and "Connection" not in fields
            named = believed or (name == "X-Forwarded-For" and "Connection" in fields)
            assert found["REMOTE_ADDR"] == (CLAIM if named else "127.0.0.1"), fields
            changed = {key for key in clean if found.get(key) != clean[key]}
            allowed = {"X-Forwarded-For": {"REMOTE_ADDR"}, "X-Forwarded-Host": {"HTTP_HOST"}}.get(name, set())
            assert changed <= allowed | {f"HTTP_{name.upper().replace('-', '_')}"}, fields
        assert asked(front, told, "X-Forwarded-Proto: https\r\n")["wsgi.url_scheme"] == "https"
        assert asked(front, told, f"{name}: https\r\n")["wsgi.url_scheme"] == (
            "https" if name == "X-Forwarded-Proto" else "http"
        )


def test_what_nobody_may_send_does_not_arrive_from_a_trusted_proxy_either() -> None:
    told = Told()
    with fronted(told, trusted_proxies=("127.0.0.1",)) as front:
        clean = asked(front, told, "")
        for name in NEVER:
            assert asked(front, told, f"{name}: {CLAIM}\r\n") == clean, name
