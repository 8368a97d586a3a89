"""Ten thousand clients that leave at every moment of a request, and an honest one beside them who must not notice."""

from __future__ import annotations

import contextlib
import os
import random
import select
import signal
import socket
import time
from collections.abc import Callable

import pytest
from support import proc
from support.clients import Clients
from support.serving import receive_response
from support.serving_processes import HUNG_S, Processes, processes

RESET = b"\1\0\0\0\0\0\0\0"  # SO_LINGER with no seconds: close() sends a reset
HEAD = b"POST /%s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"

CHUNKED = b"POST /reading HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def nothing(sock: socket.socket) -> None:
    """Leave without a word."""


def some(data: bytes) -> Callable[[socket.socket], None]:
    """Return what sends these bytes and leaves."""
    return lambda sock: sock.sendall(data)


def then_reads(data: bytes) -> Callable[[socket.socket], None]:
    """Return what sends these bytes, waits for the beginning of the answer, and leaves."""

    def leave(sock: socket.socket) -> None:
        sock.sendall(data)
        assert sock.recv(100).startswith(b"HTTP/1.1 ")

    return leave


# When they leave → whether the application is called.
MOMENTS: dict[str, tuple[Callable[[socket.socket], None], bool]] = {
    "connected": (nothing, False),
    "in the request line": (some(b"GET / HT"), False),
    "in the head": (some(b"GET / HTTP/1.1\r\nHost: a\r\n"), False),
    "in a short body": (some(HEAD % (b"one", 100) + b"x"), False),
    "in a long body": (some(HEAD % (b"reading", 100_000) + b"x" * 10), True),
    "in a long chunk": (some(CHUNKED + b"20000\r\n" + b"x" * 70_000), True),
    "in the application": (then_reads(HEAD % (b"begun", 100_000) + b"x"), True),
    "before the answer": (some(b"GET /one HTTP/1.1\r\nHost: a\r\n\r\n"), True),
    "in the answer": (then_reads(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n"), True),
    "in the second of a pipeline": (some(b"GET /one HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nX"), True),
}


def leave(servers: Processes, how: Callable[[socket.socket], None], reset: bool) -> None:
    """Connect, do something, and go."""
    with servers.connect() as sock:
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        how(sock)


def closed(servers: Processes) -> tuple[int, int]:
    """Return how many answers the application has begun, and on how many close() was called."""
    with servers.connect() as sock:
        sock.sendall(b"GET /counts HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        begun, ended = receive_response(sock)[2].split()
        return int(begun), int(ended)


def wait(fact: Callable[[], bool], what: str) -> None:
    """Wait until something is so. Raises TimeoutError."""
    until = time.monotonic() + HUNG_S
    while not fact():
        if time.monotonic() > until:
            raise TimeoutError(what)
        select.select([], [], [], 0.01)


def settle(servers: Processes, honest: Clients | None) -> None:
    """Wait until the process has done with all that have left, and has logged it.

    That the application has closed what it began does not say so: a request may not have come to it yet.
    """
    process, stay = servers.processes[0], int(honest is not None)
    wait(lambda: servers.word(process, "connections") <= stay, "connections are still open")
    wait(lambda: servers.word(process, "requests_active") <= stay, "threads are still in the application")


@pytest.mark.slow
@pytest.mark.parametrize(("unix", "rounds"), [(False, 1000), (True, 200)], ids=["tcp", "unix"])
def test_clients_that_leave(unix: bool, rounds: int) -> None:
    chance = random.Random(17)
    with (
        processes("leaving_app:application", unix=unix, settings={"threads": 8}, records_per_s=10**6) as servers,
        contextlib.ExitStack() as stack,
    ):
        pid = servers.processes[0].pid
        honest = None if unix else stack.enter_context(Clients(servers.address[1], 1, "/one"))
        for how, _called in MOMENTS.values():
            leave(servers, how, False)
        settle(servers, honest)
        descriptors = proc.descriptors(pid)
        for _ in range(rounds):
            for how, _called in MOMENTS.values():
                leave(servers, how, reset=chance.random() < 0.5)
            if honest is not None:
                honest.wait_for_more(1)
        wait(lambda: len(set(closed(servers))) == 1, "close() was not called on every answer")
        settle(servers, honest)
        wait(lambda: proc.descriptors(pid) <= descriptors, f"descriptors: {proc.descriptors(pid)}, not {descriptors}")
        assert proc.threads(pid) <= 8 + 2
        lines = servers.logged().splitlines()
        assert not [line for line in lines if "from" not in line], "a line that tells of no client"
        # One each: those that leave before the application is called are no news; of the others some have had it all.
        times = rounds + 1
        assert len(lines) <= times * sum(called for _how, called in MOMENTS.values())
        for path, most in (("POST /reading", 2 * times), ("POST /begun", times), ("GET /endless", times)):
            assert sum(path in line for line in lines) == most
        if honest is not None:
            assert honest.failures == []


@pytest.mark.slow
def test_clients_that_reset_before_they_are_accepted() -> None:
    """accept(2) may then fail, or give a socket that is dead already."""
    with processes("hello_app:application", settings={"threads": 2}) as servers:
        process = servers.processes[0]
        with Clients(servers.address[1], 1) as honest:
            honest.wait_for_more(10)
            descriptors = proc.descriptors(process.pid)
            for number in range(100):
                # Nobody accepts meanwhile, so that the reset is there first.
                process.send_signal(signal.SIGSTOP)
                os.waitid(os.P_PID, process.pid, os.WSTOPPED)
                for _ in range(50):
                    leave(servers, nothing, reset=True)
                process.send_signal(signal.SIGCONT)
                honest.wait_for_more(1 + number % 3)
            wait(lambda: servers.word(process, "connections") == 1, "connections are left")
            wait(lambda: proc.descriptors(process.pid) <= descriptors, "descriptors are left")
        assert honest.failures == []
        assert servers.logged() == ""
