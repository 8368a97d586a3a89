"""A gateway that can open nothing more: what it has goes on, who comes waits or gets 503, and then all is as before."""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from support.gateway import FakeDaemon, answering, gateway, open_directory, routes_to
from support.serving import receive_response

from wsgigroups.runtime.wire.routes import MountRoute, StaticRoute

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextlib.contextmanager
def no_descriptor_left() -> Iterator[None]:
    """This process, with its gateway and its daemons, can open nothing until the context ends."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_nothing_can_be_opened_for_a_while(tmp_path: Path) -> None:
    (tmp_path / "page").write_text("a page")

    def ask(sock: socket.socket, path: str) -> tuple[int, str]:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        status, fields, _body = receive_response(sock)
        return status, fields.get("retry-after", "")

    with FakeDaemon(answering(OK)) as daemon:
        routes = routes_to(
            replace(daemon.link, connect_timeout_s=0.3),
            mounts=(MountRoute("/", "app"),),
            statics=(StaticRoute("/files", 0),),
        )
        with (
            gateway(routes, directories=[open_directory(tmp_path)]) as front,
            front.connect() as kept,
            socket.socket() as new,
        ):
            new.settimeout(20)
            assert [ask(kept, "/files/page"), ask(kept, "/")] == [(200, ""), (200, "")]
            with no_descriptor_left():
                began_s = time.monotonic()
                new.connect(front.address)
                new.sendall(b"GET /files/page HTTP/1.1\r\nHost: localhost\r\n\r\n")
                front.wait_logged("cannot accept")
                assert [ask(kept, "/files/page"), ask(kept, "/")] == [(503, "5"), (503, "5")]
                tries = sum("cannot accept" in text for _level, text in front.logged)
                assert tries <= 2 + time.monotonic() - began_s  # once a second
            assert [ask(kept, "/files/page"), ask(kept, "/")] == [(200, ""), (200, "")]
            assert receive_response(new)[2] == b"a page"
            assert not front.server.requests_in_flight()
