"""One measured load: wrk with one of our scripts, idle connections beside it, and what it gave.

Runs in the benchmark's process, wrk in one of its own. Only loopback, bounded by its duration.
"""

from __future__ import annotations

import contextlib
import json
import math
import select
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.cases import Case

SCRIPTS = Path(__file__).parent / "scripts"
MARK = "RESULT "
GET = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
GET_AND_CLOSE = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
SLOW_HEAD = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
SLOW_S = 2.0  # from one byte of it to the next
SLOW_BATCH = 5  # clients that send at the same time
HELLO = b"Hello, World!\n"  # how the answer ends
IDLE_SET_UP_S = 5.0
PATIENCE_S = 0.5  # a newcomer still without an answer after this, when the load ends, has waited "for ever"


class LoadError(Exception):
    """The load could not be run or gave no answer; the text is for people."""


@dataclass(frozen=True)
class Outcome:
    """What a client saw: counts, seconds and milliseconds."""

    requests: int
    errors: int  # connections and requests that failed, answers other than 2xx and 3xx
    duration_s: float
    p50_ms: float
    p99_ms: float
    newcomer_ms: float | None = None  # the longest that a new connection waited for its first answer; None: for ever

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.duration_s if self.duration_s else 0.0


def find_wrk() -> str:
    """Return the path of wrk; raise LoadError with the way out."""
    path = shutil.which("wrk")
    if path is None:
        raise LoadError("cannot measure: wrk is not installed (Debian, Ubuntu: apt-get install wrk)")
    return path


def parse(output: str) -> Outcome:
    """Read the line that `scripts/report.lua` wrote; raise LoadError where there is none."""
    for line in output.splitlines():
        if line.startswith(MARK):
            found = json.loads(line[len(MARK) :])
            return Outcome(
                requests=found["requests"],
                errors=sum(found[key] for key in ("connect", "read", "write", "status", "timeout")),
                duration_s=found["duration_us"] / 1e6,
                p50_ms=found["p50_us"] / 1e3,
                p99_ms=found["p99_us"] / 1e3,
            )
    raise LoadError(f"wrk gave no result: {output.strip()[-500:]}")


def command_of(case: Case, port: int, seconds: float) -> list[str]:
    """Return the command of a load of so many seconds (at least one, as wrk counts whole ones)."""
    return [
        find_wrk(),
        "--threads=1",  # one core for the client, about one for the server
        f"--connections={case.connections}",
        f"--duration={max(1, round(seconds))}s",
        "--timeout=10s",
        f"--script={case.script}",
        *(["--header=Connection: close"] if case.close else []),
        f"{'https' if case.secure else 'http'}://127.0.0.1:{port}{case.path}",
    ]


def warm_up(case: Case, port: int, seconds: float) -> None:
    """Load the server for a moment, and forget it."""
    command = command_of(case, port, seconds + 1)
    client = subprocess.Popen(command, cwd=SCRIPTS, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        client.wait(seconds)
    except subprocess.TimeoutExpired:
        client.kill()
        client.wait()


def run(case: Case, port: int, seconds: float) -> Outcome:
    """Load the server on the port for so many seconds. Raises LoadError, OSError."""
    if case.close and not closes_when_asked(port):
        raise LoadError("does not close a connection when asked to")
    with (
        idle_connections(port, case.idle_connections) as held,
        SlowHeads(port, case.slow_heads),
        Newcomer(port) as newcomer,
    ):
        done = subprocess.run(
            command_of(case, port, seconds),
            cwd=SCRIPTS,
            capture_output=True,
            text=True,
            timeout=seconds + 60,
            check=False,
        )
        left = still_open(held)
    if left < len(held) * 0.9:
        raise LoadError(f"kept {left} of {len(held)} idle connections open")
    if done.returncode:
        raise LoadError(f"wrk failed with exit code {done.returncode}: {(done.stderr or done.stdout).strip()[-500:]}")
    return replace(parse(done.stdout), newcomer_ms=newcomer.longest_ms())


class SlowHeads:
    """Clients beside the load that never come to the end of a head: each sends a byte every two seconds."""

    def __init__(self, port: int, count: int) -> None:
        self._address = ("127.0.0.1", port)
        self._count = count
        self._connections: list[socket.socket] = []
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._drip, name="slow heads")

    def __enter__(self) -> SlowHeads:  # noqa: PYI034 — Self is Python 3.11
        for _number in range(self._count):
            with contextlib.suppress(OSError):  # a server that takes no more of them is measured all the same
                self._connections.append(socket.create_connection(self._address, timeout=1))
                self._connections[-1].sendall(SLOW_HEAD)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._leaving.set()
        self._thread.join()
        for connection in self._connections:
            connection.close()

    def _drip(self) -> None:
        """Send a byte on each, evenly spread over SLOW_S, until told to leave."""
        while self._connections and not self._leaving.is_set():
            for place, connection in enumerate(self._connections):
                with contextlib.suppress(OSError):  # it has had its answer, or was closed
                    connection.send(b"x")
                if place % SLOW_BATCH == 0 and self._leaving.wait(SLOW_S * SLOW_BATCH / len(self._connections)):
                    return


class Newcomer:
    """A client beside the load that connects anew for each of its requests, one after the other.

    Tells what the latencies of the load cannot: whether a server that serves its connections well serves anybody else.
    """

    def __init__(self, port: int) -> None:
        self._address = ("127.0.0.1", port)
        self._waits_s: list[float] = []
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._visit, name="newcomer")

    def __enter__(self) -> Newcomer:  # noqa: PYI034 — Self is Python 3.11
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._leaving.set()
        self._thread.join()

    def _visit(self) -> None:
        """Ask about five times a second until told to leave."""
        while not self._leaving.wait(0.2):
            began = time.monotonic()
            answered = self._ask()
            waited_s = time.monotonic() - began
            if answered or waited_s > PATIENCE_S:
                self._waits_s.append(waited_s if answered else math.inf)

    def _ask(self) -> bool:
        """Tell whether an answer began to come before the load ended; no longer than that."""
        with contextlib.suppress(OSError), socket.create_connection(self._address, timeout=5) as connection:
            connection.settimeout(0.1)
            connection.sendall(GET_AND_CLOSE)
            while not self._leaving.is_set():
                with contextlib.suppress(TimeoutError):
                    return bool(connection.recv(65536))
        return False

    def longest_ms(self) -> float | None:
        """Return the longest wait; None when one was not over at the end, or nobody ever answered."""
        longest_s = max(self._waits_s, default=math.inf)
        return None if math.isinf(longest_s) else longest_s * 1000


@contextlib.contextmanager
def idle_connections(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Hold `count` connections, each of which has had one answer and sends nothing more; LoadError where that fails."""
    held: list[socket.socket] = []
    deadline = time.monotonic() + IDLE_SET_UP_S
    try:
        for _number in range(count):
            if time.monotonic() > deadline:
                raise LoadError(f"answered only {len(held)} of {count} idle connections in {IDLE_SET_UP_S:.0f} s")
            held.append(socket.create_connection(("127.0.0.1", port), timeout=10))
            held[-1].sendall(GET)
            read_answer(held[-1])
        yield held
    finally:
        for connection in held:
            connection.close()


def read_answer(connection: socket.socket) -> None:
    """Read the whole answer to GET: some servers send head and body apart, and what is left would look like an end."""
    answer = b""
    while not answer.endswith(HELLO):
        block = connection.recv(65536)
        if not block:
            break
        answer += block


def still_open(held: list[socket.socket]) -> int:
    """Return how many of the held connections the server has not closed."""
    poller = select.poll()
    for connection in held:
        poller.register(connection, select.POLLIN | select.POLLRDHUP)
    return len(held) - len(poller.poll(0))


def closes_when_asked(port: int) -> bool:
    """Tell whether the server ends the connection after an answer to a request that says `Connection: close`."""
    with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        connection.sendall(GET_AND_CLOSE)
        try:
            while connection.recv(65536):
                pass
        except TimeoutError:
            return False
    return True
