"""A body that arrives while the application reads it: whose time is counted, and when the client is asked for it."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from support.feeding import new_connection
from support.serving import Clock, receive_all, serving

from wsgigroups.runtime.protocol.heads import Head
from wsgigroups.runtime.wsgi import bodies
from wsgigroups.runtime.wsgi.bodies import ArrivingBody, BodyError

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
EXPECTING = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"


class Client:
    """The other end of a body's socket, and select.poll for it: each wait sends something after some seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *waits: tuple[float, bytes]) -> None:
        self.clock = Clock()
        self.ours, self.theirs = socket.socketpair()
        self.waits = list(waits)
        monkeypatch.setattr(bodies.select, "poll", lambda: self)

    def body(self, length: int, expects: bool = False, timeout_s: float = 0.0) -> ArrivingBody:
        """Return the input of a request with such a body, of which nothing has come."""
        connection = new_connection()
        connection.sock, connection.fd = self.ours, self.ours.fileno()
        connection.head = head = Head.__new__(Head)
        head.length = length
        return ArrivingBody(connection, timeout_s, expects, self.clock)

    def register(self, fd: int, events: int) -> None:
        """As select.poll."""
        assert (fd, events) == (self.ours.fileno(), select.POLLIN)

    def poll(self, timeout_ms: float) -> list[tuple[int, int]]:
        """Let the next wait pass, or as much of it as there is time."""
        seconds, data = self.waits[0]
        if seconds * 1000 > timeout_ms:
            self.clock.advance(timeout_ms / 1000)
            return []
        self.clock.advance(seconds)
        self.theirs.sendall(data)
        del self.waits[0]
        return [(self.ours.fileno(), select.POLLIN)]

    def close(self) -> None:
        """Close both ends."""
        self.ours.close()
        self.theirs.close()


def test_the_time_of_the_application_is_not_the_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(monkeypatch, *[(1.0, b"x")] * 10)
    body = client.body(10)
    for _ in range(10):
        assert body.read(1) == b"x"
        client.clock.advance(60.0)
    assert body.read() == b""
    client.close()


def test_the_time_of_the_client_adds_up_over_all_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(monkeypatch, *[(1.0, b"x")] * 100)
    body = client.body(100)
    for _ in range(15):
        assert body.read(1) == b"x"
        client.clock.advance(60.0)
    with pytest.raises(BodyError, match="too slowly"):
        body.read(1)
    assert body.error is not None
    assert body.error.status == 408
    client.close()


def test_a_client_that_keeps_the_rate_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(monkeypatch, *[(1.0, b"x" * 600)] * 100)
    assert len(client.body(60_000).read()) == 60_000
    client.close()


def test_a_silent_client_gets_socket_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(monkeypatch, (3.0, b"xx"), (5.0, b"x"))
    body = client.body(3, timeout_s=4.0)
    with pytest.raises(BodyError, match="socket-timeout"):
        body.read()
    assert client.waits == [(5.0, b"x")]
    client.close()


@pytest.mark.parametrize("began", [False, True])
def test_the_invitation_comes_before_the_answer_or_not_at_all(began: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(monkeypatch, (1.0, b"abc"))
    body = client.body(3, expects=True)
    body.answer_began = began
    assert body.read() == b"abc"
    client.ours.close()
    assert client.theirs.recv(100) == (b"" if began else CONTINUE)
    client.close()


def test_no_invitation_in_the_middle_of_an_answer() -> None:
    def application(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"first"
        yield environ["wsgi.input"].read()

    with serving(application) as running, running.connect() as sock:
        sock.sendall(EXPECTING)
        data = b""
        while b"first\r\n" not in data:
            data += sock.recv(1000)
        sock.sendall(b"abc")
        data += receive_all(sock)
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert data.endswith(b"\r\n\r\n5\r\nfirst\r\n3\r\nabc\r\n0\r\n\r\n")


def test_an_invitation_after_start_response_and_before_the_first_block() -> None:
    def application(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield environ["wsgi.input"].read()

    with serving(application) as running, running.connect() as sock:
        sock.sendall(EXPECTING)
        assert sock.recv(len(CONTINUE)) == CONTINUE
        sock.sendall(b"abc")
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock).endswith(b"3\r\nabc\r\n0\r\n\r\n")
