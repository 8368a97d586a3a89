"""After our last word: an answer arrives whatever the client is sending still, for as long as that is reasonable."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest
from support.gated import pass_time
from support.serving import Clock, Running, receive_all, receive_response, serving

from wsgigroups.runtime.front.connection import LINGERING

MEBIBYTE = 1 << 20
UPLOAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"


def denies(_environ: Any, start_response: Any) -> list[bytes]:
    """Answer 401 without a look at the body."""
    start_response("401 Unauthorized", [("WWW-Authenticate", "Basic"), ("Content-Length", "6")])
    return [b"denied"]


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
@pytest.mark.parametrize("size", [5 * MEBIBYTE, 8 * MEBIBYTE, 40 * MEBIBYTE])
def test_an_answer_to_an_upload_that_nobody_reads_arrives(unix: bool, size: int) -> None:
    with serving(denies, unix=unix) as running:
        for _ in range(5):
            with running.connect() as sock:
                sock.sendall(UPLOAD % size + bytes(size))  # all of it first, as many clients do
                assert receive_response(sock)[::2] == (401, b"denied")
                assert sock.recv(1) == b""
        running.wait_word("connections", 0)
        assert running.word("aborted") == 0
        assert running.logged == []


def test_others_are_served_while_one_sends_on() -> None:
    with serving(denies, threads=1) as running, running.connect() as sock:
        stop = threading.Event()

        def send() -> None:
            block = bytes(MEBIBYTE)
            while not stop.is_set():
                sock.sendall(block)

        thread = threading.Thread(target=send)
        sock.sendall(UPLOAD % (1 << 40))
        thread.start()
        for _ in range(20):
            assert running.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").endswith(b"denied")
        stop.set()
        thread.join(20)
        assert not thread.is_alive()
        assert receive_response(sock)[0] == 401


def lingers(running: Running, clock: Clock, sock: socket.socket, seconds: float, size: int) -> bool:
    """Send so many bytes, let time pass, and tell whether the connection is open still."""
    (connection,) = running.connections
    before = connection.received_bytes
    sock.sendall(bytes(size))
    running.wait(lambda: connection.received_bytes == before + size)
    see_a_round(running)  # in which the leader has set the time
    pass_time(running, clock, seconds)
    see_a_round(running)  # in which it has looked at the time
    return connection in running.connections


def see_a_round(running: Running) -> None:
    """Return when the leader has done all that it had to do when this was called."""
    running.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    running.wait(lambda: len(running.connections) < 2)


@pytest.mark.parametrize(
    ("steps", "open_after"),
    [
        ([(1.9, 1)], True),
        ([(2.1, 1)], False),  # silent for 2 s
        ([(1.9, 1), (0.2, 1)], False),  # a byte in 2 s is no fair rate
        ([(1.9, 65536), (1.9, 65536), (1.9, 1)], True),  # 64 KiB are good for 4 s
        ([(1.9, MEBIBYTE)] * 15, True),
        ([(1.9, MEBIBYTE)] * 16, False),  # 30 s are over
    ],
)
def test_how_long_is_read_on(steps: list[tuple[float, int]], open_after: bool) -> None:
    clock = Clock()
    with serving(denies, clock=clock) as running, running.connect() as sock:
        sock.sendall(UPLOAD % (1 << 40))
        assert receive_response(sock)[0] == 401
        running.wait(lambda: [item.state for item in running.connections] == [LINGERING])
        for number, (seconds, size) in enumerate(steps, 1):
            assert lingers(running, clock, sock, seconds, size) is (open_after or number < len(steps))


def test_what_is_refused_arrives_as_well() -> None:
    with serving(denies) as running, running.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n" + bytes(8 * MEBIBYTE))
        assert receive_all(sock).startswith(b"HTTP/1.1 400 ")
