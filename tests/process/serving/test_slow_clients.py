"""Hundreds of slow clients at one server process, and an honest one beside them who must not notice.

How each of them ends is in `unit/front/test_time.py`, on a clock that tests move; here it is their cost till then.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import proc
from support.clients import Clients
from support.gate import Gate
from support.looking import wait
from support.serving_processes import HUNG_S, Processes, processes

MEBIBYTE = 1 << 20


class Served:
    """One server process and what is asked about it."""

    def __init__(self, servers: Processes) -> None:
        self.servers = servers
        self.pid = servers.processes[0].pid

    def word(self, name: str) -> int:
        """Return a word of its board."""
        return self.servers.word(self.servers.processes[0], name)

    def wait_word(self, name: str, value: int) -> None:
        """Wait until a word has this value. Raises TimeoutError."""
        wait(lambda: self.word(name) == value, lambda: f"{name} is {self.word(name)}, not {value}")

    def connect(self, stack: contextlib.ExitStack, data: bytes, receive_bytes: int = 0) -> socket.socket:
        """Open a connection that ends with the stack, and send something."""
        sock = stack.enter_context(socket.socket())
        if receive_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        sock.settimeout(HUNG_S)
        sock.connect(self.servers.address)
        sock.sendall(data)
        return sock


@contextlib.contextmanager
def served(application: str, **settings: object) -> Iterator[Served]:
    """Serve with one process that may have many connections."""
    proc.allow_descriptors(8192)
    with processes(application, settings=settings) as servers:
        yield Served(servers)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "first", "more"),
    [
        (1000, b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ", b"x"),
        (200, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", b"x"),
        (200, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=["heads", "bodies", "chunks"],
)
def test_slow_senders_cost_no_thread_and_little_memory(count: int, first: bytes, more: bytes) -> None:
    with served("hello_app:application") as server, contextlib.ExitStack() as stack:
        with Clients(server.servers.address[1], 1) as honest:
            honest.wait_for_more(500)
            before, threads = proc.resident_bytes(server.pid), proc.threads(server.pid)
            slow = [server.connect(stack, first) for _ in range(count)]
            server.wait_word("connections", count + 1)
            for _ in range(5):
                for sock in slow:
                    sock.sendall(more)
                honest.wait_for_more(100)
            growth = proc.resident_bytes(server.pid) - before
            assert honest.failures == []
        assert growth / count <= 20 * 1024
        # the honest one may be back before the thread is through that has answered it: that takes a second one
        assert proc.threads(server.pid) <= threads + 1
        server.wait_word("requests_active", 0)
        assert server.word("requests_queued") == 0
        assert server.word("connections") >= count  # none of them was turned away
        assert server.servers.logged() == ""


@pytest.mark.slow
def test_slow_readers_within_the_buffer_hold_no_thread() -> None:
    """100 answers of 10 MiB go through two threads while nobody reads them."""
    with (
        served("bulk_app:application", threads=2, response_buffer_size_bytes=16 * MEBIBYTE) as server,
        contextlib.ExitStack() as stack,
        Clients(server.servers.address[1], 1, "/down?14") as honest,
    ):
        honest.wait_for_more(200)
        slow = [
            server.connect(stack, b"GET /fresh?%d HTTP/1.1\r\nHost: a\r\n\r\n" % (10 * MEBIBYTE), 4096)
            for _ in range(100)
        ]
        for sock in slow:
            assert sock.recv(1000).startswith(b"HTTP/1.1 200 ")
        honest.wait_for_more(200)
        server.wait_word("connections", 101)
        assert proc.threads(server.pid) <= 2 + 2
        assert honest.failures == []


@pytest.mark.slow
def test_slow_readers_beyond_the_buffer_cost_the_buffer() -> None:
    with (
        served("bulk_app:application", threads=110, response_buffer_size_bytes=65536) as server,
        contextlib.ExitStack() as stack,
        Clients(server.servers.address[1], 1, "/down?14") as honest,
    ):
        honest.wait_for_more(200)
        before = proc.resident_bytes(server.pid)
        for _ in range(100):
            sock = server.connect(stack, b"GET /fresh?%d HTTP/1.1\r\nHost: a\r\n\r\n" % (10 * MEBIBYTE), 4096)
            assert sock.recv(1000).startswith(b"HTTP/1.1 200 ")
        honest.wait_for_more(200)
        assert server.word("requests_active") >= 100
        assert proc.resident_bytes(server.pid) - before <= 100 * 65536 + 16 * MEBIBYTE
        assert honest.failures == []


@pytest.mark.slow
@pytest.mark.measured
def test_waiting_connections_cost_no_processor_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept ones, some in the middle of a head, and some that wait for their answer and will send no more."""
    with Gate(tmp_path) as gate, contextlib.ExitStack() as stack:
        for name, value in gate.environment.items():
            monkeypatch.setenv(name, value)
        with served("gated_app:application", threads=2, keep_alive_timeout_s=60.0) as server:
            for _ in range(70):
                sock = server.connect(stack, b"GET /open HTTP/1.1\r\nHost: a\r\n\r\n")
                assert sock.recv(1000).startswith(b"HTTP/1.1 200 ")
            half_closed = [server.connect(stack, b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n") for _ in range(65)]
            for sock in half_closed:
                sock.shutdown(socket.SHUT_WR)
            for _ in range(65):
                server.connect(stack, b"GET / HTTP/1.1\r\nHost:")
            server.wait_word("connections", 200)
            server.wait_word("requests_queued", 63)
            began_s, used_s = time.monotonic(), proc.processor_s(server.pid)
            for _ in range(3):
                beat = server.word("heartbeat_ns")
                while server.word("heartbeat_ns") == beat:
                    assert time.monotonic() - began_s < HUNG_S
                    select.select([], [], [], 0.05)
            passed_s, used_s = time.monotonic() - began_s, proc.processor_s(server.pid) - used_s
            assert passed_s > 1.5
            assert used_s <= max(0.02 * passed_s, 2 / 100)  # two ticks are what can be told from nothing
            gate.release(65)
            for sock in half_closed:
                assert sock.recv(1000).startswith(b"HTTP/1.1 200 ")
