"""TLS at a gateway: certificates by name, changed ones, and clients that do it wrong."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.gateway import ADDRESS, FakeDaemon, Gateway, gateway, open_directory, read_packet
from support.serving import HUNG_S, Clock, receive_all, receive_response

from wsgigroups.runtime.gateway import tickets
from wsgigroups.runtime.wire.routes import Link, ListenerRoute, MountRoute, Routes, SiteRoute, StaticRoute

CERTIFICATES = Path(__file__).parents[2] / "support" / "certificates"


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    for path in CERTIFICATES.iterdir():
        shutil.copy(path, tmp_path)
    return tmp_path


def routes_of(link: Link, **one: object) -> Routes:
    statics = (StaticRoute("/static", 0),) if one.pop("statics", False) else ()
    return Routes(
        (ListenerRoute(ADDRESS, ("one", "two"), tls=True),),
        {
            "one": SiteRoute("one.test", (), (MountRoute("/", "app"),), statics, certificate="one", **one),  # type: ignore[arg-type]
            "two": SiteRoute("two.test", (), (MountRoute("/", "app"),), (), certificate="two", hsts_s=60),
        },
        {"app": link},
    )


@contextlib.contextmanager
def secured(
    front: Gateway, name: str, trusted: str, maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> Iterator[ssl.SSLSocket]:
    """Connect as a client that trusts one of the certificates. Raises ssl.SSLError."""
    context = ssl.create_default_context(cafile=str(CERTIFICATES / f"{trusted}.crt"))
    context.maximum_version = maximum
    context.set_alpn_protocols(["h2", "http/1.1"])
    with front.connect() as sock, context.wrap_socket(sock, server_hostname=name) as tls:
        yield tls


def tell(sock: socket.socket) -> None:
    """Answer with what was told of the connection."""
    found = read_packet(sock)
    text = f"{found.get('SERVER_NAME')} {found.get('HTTPS')} {found.get('SSL_PROTOCOL')}".encode()
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text))


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_each_site_has_its_certificate(certificates: Path, version: str) -> None:
    maximum = ssl.TLSVersion.TLSv1_2 if version == "TLSv1.2" else ssl.TLSVersion.TLSv1_3
    with FakeDaemon(tell) as daemon, gateway(routes_of(daemon.link), certificates=str(certificates)) as front:
        for name in ("one", "two"):
            with secured(front, f"{name}.test", name, maximum) as sock:
                assert (sock.version(), sock.selected_alpn_protocol()) == (version, "http/1.1")
                for _ in range(4):  # by both ways through the gateway
                    sock.sendall(b"GET / HTTP/1.1\r\nHost: %b.test\r\n\r\n" % name.encode())
                    status, fields, body = receive_response(sock)
                    assert (status, body) == (200, f"{name}.test on {version}".encode())
                    assert fields.get("strict-transport-security") == ("max-age=60" if name == "two" else None)


def test_long_bodies_both_ways_and_files(certificates: Path, tmp_path: Path) -> None:
    data = os.urandom(100_000) * 40
    (tmp_path / "file.bin").write_bytes(data)

    def echo(sock: socket.socket) -> None:
        size = int(read_packet(sock)["CONTENT_LENGTH"])
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while size:
            block = sock.recv(65536)
            sock.sendall(block)
            size -= len(block)

    with FakeDaemon(echo) as daemon:
        routes = routes_of(daemon.link, statics=True)
        with (
            gateway(routes, directories=[open_directory(tmp_path)], certificates=str(certificates)) as front,
            secured(front, "one.test", "one") as sock,
        ):
            sock.sendall(b"POST / HTTP/1.1\r\nHost: one.test\r\nContent-Length: 900000\r\n\r\n" + data[:900_000])
            assert receive_response(sock)[2] == data[:900_000]
            sock.sendall(b"GET /static/file.bin HTTP/1.1\r\nHost: one.test\r\nConnection: close\r\n\r\n")
            assert receive_all(sock).partition(b"\r\n\r\n")[2] == data  # and its end was said, else it raises


def test_a_changed_certificate_is_taken_with_the_next_routes_and_a_broken_one_is_not(certificates: Path) -> None:
    with (
        FakeDaemon(tell) as daemon,
        gateway(routes_of(daemon.link), certificates=str(certificates)) as front,
        secured(front, "one.test", "one") as before,
    ):
        for kind in ("crt", "key"):
            shutil.copy(CERTIFICATES / f"two.{kind}", certificates / f"one.{kind}")
        front.server.route(routes_of(daemon.link))
        with secured(front, "localhost", "two") as sock:  # no site has that name: the first one's
            sock.sendall(b"GET / HTTP/1.1\r\nHost: one.test\r\n\r\n")
            assert receive_response(sock)[0] == 200
        (certificates / "one.crt").write_text("broken")
        front.server.route(routes_of(daemon.link))
        with secured(front, "localhost", "two"):
            pass
        assert any("one cannot be used" in text for _level, text in front.logged)
        before.sendall(b"GET / HTTP/1.1\r\nHost: one.test\r\n\r\n")
        assert receive_response(before)[0] == 200


def test_clients_that_do_it_wrong(certificates: Path) -> None:
    with FakeDaemon(tell) as daemon:
        with gateway(routes_of(daemon.link, tls_minimum="1.3"), certificates=str(certificates)) as front:
            assert front.exchange(b"GET / HTTP/1.1\r\nHost: one.test\r\n\r\n").startswith(b"HTTP/1.1 400 ")
            assert front.exchange(b"\x16\x03\x01nonsense") is not None
            assert front.exchange(b"") is not None
            answer = b""
            with (
                contextlib.suppress(OSError),
                secured(front, "one.test", "one", ssl.TLSVersion.TLSv1_2) as sock,
            ):
                sock.sendall(b"GET / HTTP/1.1\r\nHost: one.test\r\n\r\n")
                answer = sock.recv(1)
            assert answer == b""
            front.wait(lambda: not front.server.poller.connections.open)
        routes = routes_of(daemon.link)
        with gateway(routes, certificates="/nonexistent") as front, pytest.raises(OSError):  # noqa: PT011, SIM117
            with secured(front, "one.test", "one"):
                pass


class LaterContext(ssl.SSLContext):
    """A context as Python 3.12 makes it, whichever runs the tests: an end without a close_notify is an error."""

    def __new__(cls, protocol: int) -> LaterContext:  # noqa: PYI034 — Self is Python 3.11
        context = super().__new__(cls, protocol)
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_who_ends_its_side_without_a_word_is_answered(
    certificates: Path, version: ssl.TLSVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 9112 section 9.8: servers are ready for that."""
    later = SimpleNamespace(**{**vars(ssl), "SSLContext": LaterContext})
    monkeypatch.setattr("wsgigroups.runtime.gateway.certificates.ssl", later)

    def late(sock: socket.socket) -> None:  # the end has come by then
        read_packet(sock)
        assert ended.wait(HUNG_S)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")

    ended = threading.Event()
    with FakeDaemon(late) as daemon, gateway(routes_of(daemon.link), certificates=str(certificates)) as front:
        with secured(front, "one.test", "one", version) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: one.test\r\n\r\n")
            socket.socket.shutdown(sock, socket.SHUT_WR)
            ended.set()
            assert receive_response(sock)[2] == b"late"
        with secured(front, "one.test", "one", version) as sock:  # in the middle of a body there is nothing to answer
            sock.sendall(b"POST / HTTP/1.1\r\nHost: one.test\r\nContent-Length: 9\r\n\r\nhalf")
            socket.socket.shutdown(sock, socket.SHUT_WR)
            assert receive_all(sock) == b""


def test_a_handshake_that_does_not_go_on_is_given_up(certificates: Path) -> None:
    clock = Clock()
    with (
        gateway(routes_of(Link("/nonexistent")), certificates=str(certificates), clock=clock) as front,
        front.connect() as sock,
    ):
        sock.sendall(b"\x16\x03\x01\x02\x00\x01")
        front.wait(lambda: any(item.watched for item in list(front.server.poller.connections.open.values())))
        clock.advance(11.0)
        front.server.poller.wake()
        assert sock.recv(1) == b""


def test_a_proxy_header_comes_before_tls(certificates: Path) -> None:
    seen: list[dict[str, str]] = []

    def behave(sock: socket.socket) -> None:
        seen.append(read_packet(sock))
        sock.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with FakeDaemon(behave) as daemon:
        routes = routes_of(daemon.link)
        routes = replace(routes, listeners=(replace(routes.listeners[0], proxy_protocol=("127.0.0.1",)),))
        context = ssl.create_default_context(cafile=str(CERTIFICATES / "one.crt"))
        with gateway(routes, certificates=str(certificates)) as front, front.connect() as sock:
            sock.sendall(b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n")
            with context.wrap_socket(sock, server_hostname="one.test") as tls:
                tls.sendall(b"GET / HTTP/1.1\r\nHost: one.test\r\nConnection: close\r\n\r\n")
                assert receive_all(tls).startswith(b"HTTP/1.1 204 No Content\r\n")
        (found,) = seen
        assert (found["REMOTE_ADDR"], found["SERVER_PORT"], found["HTTPS"]) == ("2001:db8::7", "443", "on")


def took_up(front: Gateway, name: str, client: ssl.SSLContext, before: list[ssl.SSLSession]) -> bool | None:
    """Ask once, with the session of before if there is one; whether it was taken up."""
    session = before.pop() if before else None
    with front.connect() as sock, client.wrap_socket(sock, server_hostname=name, session=session) as tls:
        tls.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        assert receive_all(tls).startswith(b"HTTP/1.1 200 ")
        assert tls.session is not None
        before.append(tls.session)
        return tls.session_reused


@pytest.mark.parametrize("maximum", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_taken_up_by_any_process_and_over_changes_of_the_routes(
    certificates: Path, maximum: ssl.TLSVersion
) -> None:
    keys, others = "ab" * 80, "cd" * 80
    with FakeDaemon(tell) as daemon:
        routes = replace(routes_of(daemon.link), ticket_keys=keys)
        assert keys not in repr(routes)
        with (
            gateway(routes, certificates=str(certificates)) as one,
            gateway(routes, certificates=str(certificates)) as other,
        ):
            for name in ("one", "two"):
                client = ssl.create_default_context(cafile=str(CERTIFICATES / f"{name}.crt"))
                client.maximum_version = maximum
                before: list[ssl.SSLSession] = []
                assert not took_up(one, f"{name}.test", client, before)
                assert took_up(other, f"{name}.test", client, before)
                other.server.route(replace(routes, links={**routes.links, "more": daemon.link}))
                assert took_up(other, f"{name}.test", client, before)
            other.server.route(replace(routes, ticket_keys=others))
            assert not took_up(other, "two.test", client, before), "keys that are worn are nobody's"


def test_where_keys_cannot_be_set_everything_is_as_without(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeDaemon(tell) as daemon:
        routes = replace(routes_of(daemon.link), ticket_keys="ab" * 80)
        client = ssl.create_default_context(cafile=str(CERTIFICATES / "one.crt"))
        monkeypatch.setattr(tickets, "_LIBRARY", None)
        monkeypatch.setattr(tickets, "_WHY_NOT", "nobody knows how")
        with gateway(routes, certificates=str(certificates)) as front:
            assert not took_up(front, "one.test", client, [])
            front.server.route(routes)
            said = [text for _level, text in front.logged]
            assert said == ["session tickets of TLS are not shared by processes: nobody knows how"]


def test_what_does_not_hold_in_a_trial_is_left_alone(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Idle:
        set_keys = staticmethod(lambda _context, _keys: None)

    with FakeDaemon(tell) as daemon:
        routes = replace(routes_of(daemon.link), ticket_keys="ab" * 80)
        monkeypatch.setattr(tickets, "_LIBRARY", Idle())
        with gateway(routes, certificates=str(certificates)) as front:
            assert not front.server.tickets.shared
            assert "not taken up in a trial" in front.logged[0][1]
