"""An application whose requests wait at a gate that the test holds, and ways to fill a server with them."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

from support.serving import Clock, Running

GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"


class Gated:
    """An application: /wait announces itself and waits for the gate; everything else answers at once."""

    def __init__(self) -> None:
        self.arrived = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)
        self.threads: set[int] = set()
        self.most = self.now = 0
        self._lock = threading.Lock()

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        with self._lock:
            self.threads.add(threading.get_ident())
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            if environ["PATH_INFO"].startswith("/wait"):
                self.arrived.release()
                assert self.gate.acquire(timeout=20)
        finally:
            with self._lock:
                self.now -= 1
        start_response("200 OK", [])
        return [environ["PATH_INFO"].encode()]

    def wait_arrivals(self, count: int) -> None:
        """Wait until so many more requests wait at the gate."""
        for _ in range(count):
            assert self.arrived.acquire(timeout=20)

    def open(self, count: int) -> None:
        """Let so many go on."""
        for _ in range(count):
            self.gate.release()


@contextlib.contextmanager
def waiting(running: Running, gated: Gated, count: int, path: bytes = b"/wait") -> Iterator[list[socket.socket]]:
    """Hold `count` requests in the application."""
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(running.connect()) for _ in range(count)]
        for sock in socks:
            sock.sendall(GET % path)
        gated.wait_arrivals(count)
        yield socks


def queue_up(running: Running, stack: contextlib.ExitStack, paths: list[bytes]) -> list[socket.socket]:
    """Put requests into the queue, one after the other."""
    socks = []
    for path in paths:
        sock = stack.enter_context(running.connect())
        before = running.word("requests_queued")
        sock.sendall(GET % path)
        running.wait_word("requests_queued", before + 1)
        socks.append(sock)
    return socks


def pass_time(running: Running, clock: Clock, seconds: float) -> None:
    """Let time pass and make the server notice."""
    clock.advance(seconds)
    running.server.poller.wake()
