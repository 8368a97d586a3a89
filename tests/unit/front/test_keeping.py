"""Connections between requests, deadlines, and blocks of an answer on their way: what a client sees and when."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.serving import Clock, Running, receive_all, receive_response, serving, settle

GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"


def hello(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [environ["PATH_INFO"].encode()]


MORE_BYTES = 16_000_000  # than the sockets hold: up to tcp_wmem on one side, a window that nobody reads on the other


def pass_time(running: Running, clock: Clock, seconds: float) -> None:
    """Let time pass and make the server notice."""
    clock.advance(seconds)
    running.server.poller.wake()


class Blocks:
    """An application whose answer goes on when the test says so."""

    def __init__(self, *blocks: bytes) -> None:
        self._blocks = blocks
        self.gates = [threading.Semaphore(0) for _ in blocks]

    def __call__(self, environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        for block, gate in zip(self._blocks, self.gates, strict=True):
            assert gate.acquire(timeout=20)
            yield block


def test_each_block_leaves_at_once_even_after_the_client_was_slow() -> None:
    large = b"x" * MORE_BYTES
    blocks = Blocks(large, b"second", b"third")
    with serving(blocks, response_buffer_size_bytes=2 * MORE_BYTES) as running, running.connect() as sock:
        sock.sendall(GET % b"/")
        blocks.gates[0].release()
        running.wait(lambda: any(c.output is not None for c in running.connections))
        data = b""
        while data.count(b"x") < len(large):
            data += sock.recv(1 << 20)
        for gate, block in zip(blocks.gates[1:], (b"second", b"third"), strict=True):
            gate.release()
            while not data.endswith(block + b"\r\n") and not data.endswith(b"0\r\n\r\n"):
                data += sock.recv(65536)
            assert block in data


def test_no_keep_alive_is_said() -> None:
    with serving(hello, keep_alive_timeout_s=0.0) as running, running.connect() as sock:
        sock.sendall(GET % b"/x")
        assert receive_response(sock)[1]["connection"] == "close"
        assert receive_all(sock) == b""


def test_a_connection_that_becomes_idle_while_draining_is_not_kept_for_long() -> None:
    blocks = Blocks(b"first", b"second")
    clock = Clock()
    with serving(blocks, clock=clock, keep_alive_timeout_s=100.0) as running, running.connect() as sock:
        sock.sendall(GET % b"/")
        blocks.gates[0].release()
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")  # the head says nothing of an end
        running.server.stop_accepting()
        running.wait(lambda: running.server.listening.stopped)
        blocks.gates[1].release()
        data = b""
        while not data.endswith(b"0\r\n\r\n"):
            data += sock.recv(65536)
        running.wait_kept()
        assert not running.server.is_idle()
        pass_time(running, clock, 2.1)
        assert receive_all(sock) == b""
        assert running.server.wait_idle(20)


@pytest.mark.parametrize(("timeout_s", "wait_s"), [(2.0, 2.1), (60.0, 10.1), (0.0, 10.1)])
def test_a_head_that_stops_coming(timeout_s: float, wait_s: float) -> None:
    clock = Clock()
    with serving(hello, clock=clock, socket_timeout_s=timeout_s) as running, running.connect() as sock:
        sock.sendall(b"GET / HT")
        settle(running, 1)
        pass_time(running, clock, wait_s - 0.2)
        sock.sendall(b"T")
        settle(running, 1)
        pass_time(running, clock, wait_s)
        assert receive_all(sock).startswith(b"HTTP/1.1 408")


def test_a_request_that_waited_in_the_queue_has_no_deadline_left() -> None:
    arrived, gate = threading.Event(), threading.Event()
    large = b"x" * MORE_BYTES
    clock = Clock()

    def application(environ: Any, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/wait":
            arrived.set()
            assert gate.wait(20)
            return hello(environ, start_response)
        start_response("200 OK", [])
        return [large]

    limits = {"socket_timeout_s": 0.0, "response_buffer_size_bytes": 2 * MORE_BYTES}
    with (
        serving(application, threads=1, clock=clock, **limits) as running,
        running.connect() as blocked,
        running.connect() as queued,
    ):
        blocked.sendall(GET % b"/wait")
        assert arrived.wait(20)
        queued.sendall(GET % b"/large")
        running.wait_word("requests_queued", 1)
        gate.set()
        assert receive_response(blocked)[0] == 200
        running.wait_word("requests_total", 2)
        pass_time(running, clock, 30.0)
        assert len(receive_response(queued)[2]) == len(large)
    assert not [text for _level, text in running.logged if "aborted" in text]


def test_a_client_that_takes_nothing_is_counted() -> None:
    clock = Clock()

    def application(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"x" * MORE_BYTES]

    limits = {"response_socket_timeout_s": 5.0, "response_buffer_size_bytes": 2 * MORE_BYTES}
    with serving(application, clock=clock, **limits) as running, running.connect() as sock:
        sock.sendall(GET % b"/")
        running.wait_word("requests_total", 1)
        assert running.word("aborted") == 0
        pass_time(running, clock, 5.1)
        running.wait_word("aborted", 1)


def test_a_kept_request_that_a_gateway_held_too_long_is_504() -> None:
    arrived, gate = threading.Event(), threading.Event()

    def application(environ: Any, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/wait":
            arrived.set()
            assert gate.wait(20)
        return hello(environ, start_response)

    settings = {"trusted_proxies": ("127.0.0.0/8",), "queue_timeout_s": 5.0}
    with serving(application, threads=1, **settings) as running, running.connect() as sock:
        sock.sendall(GET % b"/wait")
        assert arrived.wait(20)
        running.wait(lambda: running.server.crew.monitor.leads)
        started = b"X-Request-Start: t=%f" % (time.time() - 30)
        sock.sendall(b"GET /late HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % started)
        gate.set()
        data = receive_all(sock)
        assert data.count(b"HTTP/1.1 200") == 1
        assert b"HTTP/1.1 504" in data
        assert running.word("queue_timeouts") == 1


def test_the_access_log_can_be_switched_while_it_runs() -> None:
    lines: list[bytes] = []
    with serving(hello, access=lines.append) as running:
        running.exchange(GET % b"/before")
        running.server.tune({"access_log": "common"})
        running.exchange(GET % b"/common")
        running.wait(lambda: b"/common" in b"".join(lines))
        running.server.tune({"access_log": "json"})
        running.exchange(GET % b"/json")
        running.wait(lambda: b'"target":"/json"' in b"".join(lines))
        running.server.tune({"access_log": "off"})
        running.exchange(GET % b"/after")
        running.wait_word("requests_total", 4)
    assert b"/before" not in b"".join(lines)
    assert b"/after" not in b"".join(lines)


def test_what_is_in_the_application_can_be_told() -> None:
    arrived, gate = threading.Semaphore(0), threading.Event()
    clock = Clock()

    def application(environ: Any, start_response: Any) -> list[bytes]:
        environ.clear()  # the server keeps its own
        arrived.release()
        assert gate.wait(20)
        start_response("200 OK", [])
        return [b""]

    with serving(application, clock=clock, threads=3) as running, running.connect() as one, running.connect() as two:
        one.sendall(GET % b"/one?a=1")
        assert arrived.acquire(timeout=20)
        clock.advance(1.5)
        two.sendall(b"POST /two HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        assert arrived.acquire(timeout=20)
        clock.advance(1.0)
        assert running.server.requests_in_flight() == ["GET /one for 2.5 s", "POST /two for 1.0 s"]
        gate.set()
        receive_response(one), receive_response(two)
        running.wait(lambda: running.server.requests_in_flight() == [])
