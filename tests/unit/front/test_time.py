"""Clients that are slow, silent or half gone, on a clock that the test moves: nobody waits for real."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.serving import Clock, Running, receive_all, receive_response, serving, settle

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def application(environ: Any, start_response: Any) -> list[bytes]:
    """Answer at once, with what was asked."""
    start_response("200 OK", [])
    return [environ["PATH_INFO"].encode()]


A_FEW = 5  # threads, of 15: each call that the machine makes slow hands the lead over to one more


def pass_time(running: Running, clock: Clock, seconds: float) -> None:
    """Let time pass and make the server notice."""
    clock.advance(seconds)
    running.server.poller.wake()


@pytest.mark.parametrize("unix", [False, True])
def test_slow_heads_get_408_and_cost_no_thread(unix: bool) -> None:
    clock = Clock()
    with serving(application, unix=unix, clock=clock) as running, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(running.connect()) for _ in range(50)]
        for sock in slow:
            sock.sendall(b"GET / HT")
        settle(running, 50)
        pass_time(running, clock, 9.0)
        settle(running, 50)
        for sock in slow:
            sock.sendall(b"T")  # a byte now and then does not help
        settle(running, 50)
        pass_time(running, clock, 1.1)
        for sock in slow:
            assert receive_all(sock).startswith(b"HTTP/1.1 408 ")
        assert running.word("status_4xx") == 50
        assert len(running.server.crew.threads.all) <= A_FEW


def test_a_silent_connection_is_closed_without_a_word() -> None:
    clock = Clock()
    with serving(application, clock=clock) as running, running.connect() as sock:
        settle(running, 1)
        pass_time(running, clock, 10.1)
        assert receive_all(sock) == b""


def test_a_kept_connection_is_closed_after_keep_alive_timeout() -> None:
    clock = Clock()
    with serving(application, clock=clock, keep_alive_timeout_s=3.0) as running, running.connect() as sock:
        sock.sendall(GET)
        assert receive_response(sock)[0] == 200
        running.wait_word("requests_total", 1)
        pass_time(running, clock, 2.9)
        sock.sendall(GET)
        assert receive_response(sock)[0] == 200
        running.wait_word("requests_total", 2)
        pass_time(running, clock, 3.1)
        assert receive_all(sock) == b""


def test_slow_bodies_end_by_the_rate_and_cost_no_thread() -> None:
    clock = Clock()
    with serving(application, clock=clock) as running, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(running.connect()) for _ in range(20)]
        for sock in slow:
            sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx")
        settle(running, 20)
        for _ in range(14):
            pass_time(running, clock, 1.0)
            for sock in slow:
                sock.sendall(b"x")
            settle(running, 20)
        assert running.word("status_4xx") == 0
        pass_time(running, clock, 1.1)
        for sock in slow:
            assert receive_all(sock).startswith(b"HTTP/1.1 408 ")
        assert len(running.server.crew.threads.all) <= A_FEW


def test_a_body_that_stops_ends_by_socket_timeout() -> None:
    clock = Clock()
    with serving(application, clock=clock, socket_timeout_s=4.0) as running, running.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx")
        settle(running, 1)
        pass_time(running, clock, 4.1)
        assert receive_all(sock).startswith(b"HTTP/1.1 408 ")


def test_a_long_body_that_stops_raises_in_the_application_and_is_408() -> None:
    raised: list[str] = []

    def reading(environ: Any, start_response: Any) -> list[bytes]:
        try:
            environ["wsgi.input"].read()
        except OSError as error:
            raised.append(str(error))
        start_response("200 OK", [])
        return [b"never sent"]

    with serving(reading, socket_timeout_s=0.05) as running, running.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx")
        answer = receive_all(sock)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert "never sent" not in answer.decode()
    assert len(raised) == 1


def small(running: Running) -> socket.socket:
    """Connect with a receive buffer that fills at once."""
    sock = socket.socket(running.family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(20)
    sock.connect(running.address)
    return sock


@contextlib.contextmanager
def small_send_buffer(application: Any, **settings: Any) -> Iterator[Running]:
    """Serve with sockets that take little, so that a slow client is soon noticed."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        with serving(application, listener=listener, **settings) as running:
            yield running


def test_a_slow_reader_within_the_buffer_costs_no_thread() -> None:
    clock = Clock()

    def answer(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"x" * 60_000]

    with small_send_buffer(answer, clock=clock, threads=1) as running, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(small(running)) for _ in range(10)]
        for sock in slow:
            sock.sendall(GET)
        running.wait_word("requests_total", 10)  # one thread, and all ten have been through it
        for sock in slow[:5]:
            assert len(receive_response(sock)[2]) == 60_000
            sock.sendall(GET)
            assert len(receive_response(sock)[2]) == 60_000
        pass_time(running, clock, 61.0)
        for sock in slow[5:]:
            assert receive_all(sock).endswith(b"<reset>")
        running.wait(lambda: any("has not taken its response" in text for _level, text in running.logged))


def test_a_block_goes_out_while_the_next_one_is_computed() -> None:
    gate = threading.Event()

    def answer(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "60001")])
        yield b"x" * 60_000
        assert gate.wait(20)
        yield b"y"

    with small_send_buffer(answer) as running, small(running) as sock:
        sock.sendall(GET)
        data = b""
        while data.count(b"x") < 60_000:
            data += sock.recv(65536)
        assert b"y" not in data.partition(b"\r\n\r\n")[2]
        gate.set()
        assert receive_all_of(sock, 1) == b"y"


def receive_all_of(sock: socket.socket, size: int) -> bytes:
    """Read exactly so much."""
    data = b""
    while len(data) < size:
        data += sock.recv(size - len(data))
    return data


def test_a_stalled_reader_beyond_the_buffer_frees_the_thread() -> None:
    closed = threading.Event()

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            for _ in range(1000):
                yield b"x" * 100_000

        def close(self) -> None:
            closed.set()

    def answer(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return Body()

    with small_send_buffer(answer, threads=1, response_socket_timeout_s=0.1) as running, small(running) as sock:
        sock.sendall(GET)
        assert closed.wait(20)
        running.wait_word("aborted", 1)
        running.wait(lambda: any("response-socket-timeout" in text for _level, text in running.logged))


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_leaves_in_the_middle(how: str) -> None:
    closed: list[int] = []
    go_on = threading.Semaphore(0)

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            yield b"first"
            assert go_on.acquire(timeout=20)
            for _ in range(1000):
                yield b"x" * 10_000

        def close(self) -> None:
            closed.append(1)

    def answer(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return Body()

    with serving(answer) as running:
        for _ in range(20):
            sock = running.connect()
            sock.sendall(GET)
            assert sock.recv(20)
            if how == "reset":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()
            go_on.release()
        running.wait(lambda: len(closed) == 20)
        running.wait_word("connections", 0)
        running.wait_word("aborted", 20)
        assert len(running.logged) == 20
        assert not any("Traceback" in text for _level, text in running.logged)


def test_a_storm_of_connections_that_come_to_nothing() -> None:
    with serving(application) as running:
        for number in range(600):
            sock = running.connect()
            if number % 3 == 1:
                sock.sendall(b"GET / H")
            elif number % 3 == 2:
                sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()
        running.wait_word("connections", 0)
        assert running.word("requests_total") == 0
        assert running.logged == []
        assert running.exchange(GET).startswith(b"HTTP/1.1 200 ")
