"""What a gateway answers by its routes alone, and how they change while it serves."""

from __future__ import annotations

import json
import os
import socket
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.gateway import ADDRESS, FakeDaemon, answering, gateway, open_directory, read_packet, routes_to
from support.serving import new_pulse, receive_response

from wsgigroups.runtime.gateway.table import RoutesError
from wsgigroups.runtime.wire.board import LISTENING
from wsgigroups.runtime.wire.routes import Link, ListenerRoute, MountRoute, Routes, SiteRoute, StaticRoute

NOBODY = Link("/nonexistent")
STATIC = (StaticRoute("/static", 0, "index.html"),)


def answer_of(name: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(name), name)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "small.txt").write_text("small\n")
    (tmp_path / "large.bin").write_bytes(bytes(range(256)) * 20_000)
    return tmp_path


def test_files_with_ranges_heads_and_conditions(files: Path) -> None:
    large = (files / "large.bin").read_bytes()
    routes = routes_to(NOBODY, mounts=(), statics=STATIC, error_pages={404: "<h1>Lost</h1>"})
    with gateway(routes, directories=[open_directory(files)]) as front, front.connect() as sock:

        def ask(path: str, fields: str = "", method: str = "GET") -> tuple[int, dict[str, str], bytes]:
            sock.sendall(f"{method} /static/{path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode())
            return receive_response(sock)

        status, fields, body = ask("small.txt")
        assert (status, body) == (200, b"small\n")
        assert ask("small.txt", f"If-None-Match: {fields['etag']}\r\n")[0] == 304
        assert ask("large.bin")[2] == large
        status, fields, body = ask("large.bin", "Range: bytes=100-70000\r\n")
        assert (status, body) == (206, large[100:70001])
        assert fields["content-range"] == f"bytes 100-70000/{len(large)}"
        assert ask("../small.txt")[0] == 404
        status, fields, body = ask("missing")
        assert (status, fields["content-type"], body) == (404, "text/html; charset=utf-8", b"<h1>Lost</h1>")
        assert ask("small.txt", method="POST")[0] == 405
        sock.sendall(b"HEAD /static/small.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = sock.recv(65536)
        assert b"Content-Length: 6\r\n" in answer
        assert answer.endswith(b"\r\n\r\n")


def test_a_large_file_goes_on_when_a_slow_client_takes_it(files: Path) -> None:
    (files / "huge.bin").write_bytes(os.urandom(1_000_000) * 12)
    routes = routes_to(NOBODY, mounts=(), statics=STATIC)
    with gateway(routes, directories=[open_directory(files)]) as front, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(20)
        slow.connect(front.address)
        slow.sendall(b"GET /static/huge.bin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        front.wait(lambda: len(front.server.requests_in_flight()) == 1)
        assert front.get("/static/small.txt").endswith(b"small\n")  # others are answered meanwhile
        received = 0
        while True:
            block = slow.recv(1_000_000)
            if not block:
                break
            received += len(block)
        assert received > 12_000_000


def test_sites_by_name_redirects_and_what_no_site_has() -> None:
    with FakeDaemon(answering(answer_of(b"one"))) as one, FakeDaemon(answering(answer_of(b"two"))) as two:
        routes = Routes(
            (ListenerRoute(ADDRESS, ("one", "two", "safe")),),
            {
                "one": SiteRoute("one.test", ("*.one.test",), (MountRoute("/", "one"),)),
                "two": SiteRoute("two.test", (), (MountRoute("/two", "two"),)),
                "safe": SiteRoute("safe.test", (), (MountRoute("/", "two"),), redirect_to_https=True),
            },
            {"one": one.link, "two": two.link},
        )
        with gateway(routes) as front:
            assert front.get(host="sub.one.test").endswith(b"one")
            assert front.get(host="unknown").endswith(b"one")
            assert front.get("/two/x", host="TWO.test:80").endswith(b"two")
            assert front.get("/twofold", host="two.test").startswith(b"HTTP/1.1 404 ")
            moved = front.get("/a?b", host="safe.test")
            assert moved.startswith(b"HTTP/1.1 301 ")
            assert b"\r\nLocation: https://safe.test/a?b\r\n" in moved


def test_routes_change_at_once_and_a_request_in_flight_keeps_its_own() -> None:
    let_go = threading.Event()

    def slow(sock: socket.socket) -> None:
        read_packet(sock)
        let_go.wait(20)
        sock.sendall(answer_of(b"old"))

    with (
        FakeDaemon(slow) as old,
        FakeDaemon(answering(answer_of(b"new"))) as new,
        gateway(routes_to(old.link)) as front,
        front.connect() as begun,
        front.connect() as kept,
    ):
        begun.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        front.wait(lambda: old.accepted == 1)
        front.server.route(routes_to(new.link))
        kept.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert receive_response(kept)[2] == b"new"
        let_go.set()
        assert receive_response(begun)[2] == b"old"
        begun.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert receive_response(begun)[2] == b"new"
        with pytest.raises(RoutesError):
            front.server.route(replace(routes_to(new.link), links={}))
        kept.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert receive_response(kept)[2] == b"new"


def test_a_gateway_that_drains_answers_what_is_here_and_closes() -> None:
    with (
        FakeDaemon(answering(answer_of(b"last"))) as daemon,
        gateway(routes_to(daemon.link)) as front,
        front.connect() as kept,
        front.connect() as idle,
    ):
        for sock in (kept, idle):
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert receive_response(sock)[2] == b"last"
        assert front.word("listening") == LISTENING["yes"]  # by which the manager knows when a change is done
        front.server.stop_accepting(None)
        front.wait(lambda: front.word("listening") == LISTENING["no"])
        assert not front.server.is_idle()
        for sock in (kept, idle):
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert receive_response(sock)[1]["connection"] == "close"
            assert sock.recv(1) == b""
            sock.close()
        assert front.server.wait_idle(20)


@pytest.mark.parametrize("form", ["combined", "json"])
def test_the_access_log_of_a_site(form: str, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with FakeDaemon(answering(answer_of(b"logged"))) as daemon:
        routes = routes_to(daemon.link, access_log=0, access_format=form)
        with gateway(routes, access_logs=[fd]) as front:
            os.close(fd)
            front.get("/x?y", fields='User-Agent: "odd"\r\n')
            front.get("/" + "z" * 9000)
            front.wait(lambda: path.read_bytes().count(b"\n") == 2)
            first, second = path.read_text().splitlines()
            if form == "combined":
                assert first.startswith("127.0.0.1 - - [")
                assert '"GET /x?y HTTP/1.1" 200 6 "-" "\\"odd\\""' in first
                assert '"- - -" 414 13' in second
            else:
                line = json.loads(first)
                assert (line["status"], line["sent_bytes"], line["group"], line["user_agent"]) == (
                    200,
                    6,
                    "app",
                    '"odd"',
                )
                assert 0 <= line["queue_s"] + line["application_s"] + line["send_s"] <= line["duration_s"] + 1e-6
                assert line["request_id"].startswith("gateway-1-")
                assert json.loads(second)["status"] == 414


def test_a_proxy_header_says_who_the_client_is() -> None:
    seen: list[dict[str, str]] = []

    def behave(sock: socket.socket) -> None:
        seen.append(read_packet(sock))
        sock.sendall(answer_of(b"seen"))

    with FakeDaemon(behave) as daemon, gateway(routes_to(daemon.link, proxy_protocol=("127.0.0.0/8",))) as front:
        with front.connect() as sock:
            sock.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 80")
            sock.sendall(b"\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert receive_response(sock)[2] == b"seen"
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert receive_response(sock)[2] == b"seen"
        for found in seen:
            assert (found["REMOTE_ADDR"], found["REMOTE_PORT"], found["SERVER_PORT"]) == ("192.0.2.7", "4711", "80")
        assert front.exchange(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") in (b"", b"<reset>")
        assert len(seen) == 2


def test_several_gateways_share_a_listener_and_one_may_leave() -> None:
    with (
        FakeDaemon(answering(answer_of(b"shared"))) as daemon,
        socket.create_server(("127.0.0.1", 0), backlog=128) as listener,
    ):
        pulse, routes = new_pulse(), routes_to(daemon.link)
        shared: dict[str, Any] = {"listener": listener, "pulse": pulse, "multiprocess": True}
        with gateway(routes, slot=1, **shared) as leaving, gateway(routes, slot=2, **shared) as staying:
            assert [leaving.get()[-6:] for _ in range(10)] == [b"shared"] * 10
            leaving.server.stop_accepting(0.0)
            assert leaving.server.wait_idle(20)
            before = staying.word("requests_total")
            assert [staying.get()[-6:] for _ in range(10)] == [b"shared"] * 10
            staying.wait(lambda: staying.word("requests_total") == before + 10)
