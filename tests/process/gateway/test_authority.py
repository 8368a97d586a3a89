"""What a certificate authority gets of a gateway while an order is under way, and what everybody else does."""

from __future__ import annotations

import shutil
import socket
import ssl
from pathlib import Path

import pytest
from support.gateway import ADDRESS, gateway, routes_to
from support.serving import HUNG_S

from wsgigroups.runtime.gateway.authority import PROTOCOL, offers
from wsgigroups.runtime.wire.routes import (
    Challenges,
    Link,
    ListenerRoute,
    Routes,
    SiteRoute,
    as_of_now,
    from_text,
)

CERTIFICATES = Path(__file__).parents[2] / "support" / "certificates"
WELL_KNOWN = "/.well-known/acme-challenge/"


def test_a_token_is_answered_before_everything_else() -> None:
    plain = routes_to(Link("/nonexistent"), redirect_to_https=True)
    asked = Routes(plain.listeners, plain.sites, plain.links, Challenges({"t-1": "t-1.key"}))
    with gateway(asked) as front:
        assert front.get(f"{WELL_KNOWN}t-1", host="whoever.test").endswith(b"\r\n\r\nt-1.key")
        for path in (f"{WELL_KNOWN}t-2", WELL_KNOWN, f"/x{WELL_KNOWN}t-1", f"{WELL_KNOWN}t-1/"):
            assert b" 301 " in front.get(path).partition(b"\r\n")[0]
        front.server.route(plain)
        assert b" 301 " in front.get(f"{WELL_KNOWN}t-1").partition(b"\r\n")[0]


def greeting(
    name: str, protocols: list[str], trusted: str = "two"
) -> tuple[ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO]:
    context = ssl.create_default_context(cafile=str(CERTIFICATES / f"{trusted}.crt"))
    context.set_alpn_protocols(protocols)
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    return context.wrap_bio(received, sent, server_hostname=name), received, sent


def shaken(address: tuple[str, int], name: str, protocols: list[str], trusted: str, piece: int = 65536) -> str | None:
    """Shake hands, sending so many bytes at a time; return the protocol that was agreed on. Raises ssl.SSLError."""
    tls, received, sent = greeting(name, protocols, trusted)
    with socket.create_connection(address, HUNG_S) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                data = sent.read()
                for begin in range(0, len(data), piece):
                    sock.sendall(data[begin : begin + piece])
                received.write(sock.recv(65536))
            else:
                sock.sendall(sent.read())
                if protocols == [PROTOCOL]:
                    while sock.recv(65536):  # it is closed, and nothing was said
                        pass
                return tls.selected_alpn_protocol()


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    for path in CERTIFICATES.iterdir():
        shutil.copy(path, tmp_path)
    for ending in ("crt", "key"):
        shutil.copy(CERTIFICATES / f"two.{ending}", tmp_path / f"proof.{ending}")
    return tmp_path


@pytest.mark.parametrize("piece", [65536, 3, 200])
def test_a_proof_is_shown_to_whom_asks_for_it(certificates: Path, piece: int) -> None:
    routes = Routes(
        (ListenerRoute(ADDRESS, ("one",), tls=True),),
        {"one": SiteRoute("one.test", ("two.test",), certificate="one")},
        {},
        Challenges({}, {"two.test": "proof"}),
    )
    with gateway(routes, certificates=str(certificates)) as front:
        assert shaken(front.address, "two.test", [PROTOCOL], "two", piece) == PROTOCOL
        assert shaken(front.address, "one.test", ["http/1.1"], "one", piece) == "http/1.1"
        with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
            shaken(front.address, "one.test", [PROTOCOL], "one", piece)
        assert b" 400 " in front.get().partition(b"\r\n")[0]  # HTTP without TLS is told what it is
        with front.connect() as sock:  # half a record, and the end
            sock.sendall(b"\x16\x03\x01\x01\x00")
            sock.shutdown(socket.SHUT_WR)
            assert sock.recv(100) == b""
        front.server.route(Routes(routes.listeners, routes.sites))
        assert shaken(front.address, "one.test", [PROTOCOL, "http/1.1"], "one", piece) == "http/1.1"


def test_what_an_authority_begins_with() -> None:
    tls, _received, sent = greeting("two.test", [PROTOCOL])
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    hello = sent.read()
    assert offers(hello) is True
    assert all(offers(hello[:size]) is None for size in range(1, hello.index(PROTOCOL.encode())))
    assert offers(b"GET / HTTP/1.1\r\n") is False
    assert offers(b"") is False
    assert offers(b"\x16\x03\x01\xff\xff") is False
    other, _received, more = greeting("two.test", ["http/1.1"])
    with pytest.raises(ssl.SSLWantReadError):
        other.do_handshake()
    hello = more.read()
    assert offers(hello) is False
    assert offers(hello[:-1]) is None


def test_challenges_stand_behind_routes_as_they_are() -> None:
    routes = routes_to(Link("/nonexistent"))
    text = routes.to_text()
    assert as_of_now(text, Challenges()) is text
    assert from_text(as_of_now(text, Challenges(), ["a"])).stopped == {"a"}
    asked = Challenges({"t": 'a"b'}, {"n": "p"})
    found = from_text(as_of_now(text, asked, ["b", "a"]))
    assert found == Routes(routes.listeners, routes.sites, routes.links, asked, frozenset("ab"))
