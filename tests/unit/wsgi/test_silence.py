"""A call that yields nothing ends when its client has left, as one that yields does."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.serving import receive_all, serving

from wsgigroups.runtime.wsgi import results


class Empty:
    """An application that yields empty blocks for as long as it may."""

    def __init__(self) -> None:
        self.closed = threading.Event()
        self.go_on = threading.Event()
        self.yielded = 0

    def __call__(self, environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            if environ["QUERY_STRING"]:
                yield b"begun"
            while not self.go_on.is_set():
                self.yielded += 1
                select.select([], [], [], 0.001)
                yield b""
            yield b"done"
        finally:
            self.closed.set()


def leave(sock: socket.socket, how: str) -> None:
    """End a client."""
    if how == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("begun", [b"", b"begun"])
def test_a_call_that_yields_nothing_is_ended_when_its_client_has_left(
    begun: bytes, how: str, unix: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "_HALF_CLOSED_NS", 200_000_000)
    application = Empty()
    with serving(application, unix=unix) as running:
        sock = running.connect()
        sock.sendall(b"GET /?%b HTTP/1.1\r\nHost: a\r\n\r\n" % begun)
        running.wait(lambda: application.yielded > 0)
        leave(sock, how)
        assert application.closed.wait(20)
        running.wait_word("aborted", 1)
        assert any(level == "info" and "client is gone" in text for level, text in running.logged)
        assert not any("failed" in text for _level, text in running.logged)
        assert not application.go_on.is_set()


def test_a_client_that_only_sends_no_more_gets_its_answer() -> None:
    application = Empty()
    with serving(application) as running, running.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        running.wait(lambda: application.yielded > 100)  # it was looked at meanwhile
        application.go_on.set()
        assert b"\r\n4\r\ndone\r\n" in receive_all(sock)


def test_a_client_that_stays_is_waited_for() -> None:
    application = Empty()
    with serving(application) as running, running.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        running.wait(lambda: application.yielded > 200)
        application.go_on.set()
        assert receive_all(sock).endswith(b"done\r\n0\r\n\r\n")
