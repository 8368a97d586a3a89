"""What looking costs: pairs of loads with everything that observes and without, one right after the other.

Runs in the benchmark's process. Each is a group of a manager of its own. With everything on, records are JSON by way of
the log writer, each answer brings its id, slow requests are looked for, mod_wsgi's telemetry goes to a socket that is
read, and a scraper asks for all metrics once a second, which is much oftener than people do. Whoever reads has the same
processors. Counters and histograms on the board are always on.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.cases import ALONE, SIBLINGS, Layout, case_of
from benchmarks.load import LoadError
from benchmarks.measuring import Sample, measure_case
from benchmarks.peers import Job
from benchmarks.peers.wsgigroups import Wsgigroups
from benchmarks.progress import START_AND_STOP_S, load_s
from benchmarks.serving import Ground, free_port, serving

ROUNDS = 5
SECONDS = 2.0
POSITIONS = ("on", "off")
GOAL = 0.97  # of the rate without
CELLS = ((ALONE, "varied"), (SIBLINGS, "varied"), (ALONE, "flask"))
SCRAPES_EVERY_S = 1.0
TELEMETRY_READ_EVERY_S = 0.2
OFF = """
request-id = "off"
"""
ON = """
request-id = "response"
slow-request = "2s"
application-metrics = true

[server]
log-format = "json"
metrics-listen = "127.0.0.1:{metrics_port}"
telemetry-service = "unix:{telemetry}"
"""


class Observed(Wsgigroups):
    """Our group with everything that observes on, or off."""

    def __init__(self, position: str) -> None:
        self.name = position
        self.title = f"observing {position}"
        self.metrics_port = free_port()

    def commands(self, job: Job) -> list[list[str]]:
        found = super().commands(job)
        path = job.directory / "groups.toml"
        more = OFF
        if self.name == "on":
            more = ON.format(metrics_port=self.metrics_port, telemetry=job.directory / "telemetry.sock")
        path.write_text(path.read_text() + more)
        return found


def estimate_s(rounds: int | None, seconds: float | None) -> float:
    """Return about how many seconds `measure` takes."""
    one_s = sum(START_AND_STOP_S + load_s(case_of(case), seconds or SECONDS) for _layout, case in CELLS)
    return one_s * len(POSITIONS) * (rounds or ROUNDS)


def measure(ground: Ground, rounds: int | None, seconds: float | None) -> list[dict[str, Any]]:
    """Return the samples, as those of loads; `peer` is "on" or "off"."""
    found: list[dict[str, Any]] = []
    for number in range(rounds or ROUNDS):
        for layout, case in CELLS:
            order = POSITIONS if number % 2 else reversed(POSITIONS)
            found += [
                measure_one(position, layout, case, number + 1, seconds or SECONDS, ground).as_data()
                for position in order
            ]
    return found


def measure_one(position: str, layout: Layout, name: str, number: int, seconds: float, ground: Ground) -> Sample:
    """Start the group once and load it."""
    case, peer = case_of(name), Observed(position)
    try:
        with serving(peer, case.application, layout, ground) as running, contextlib.ExitStack() as stack:
            if position == "on":
                stack.enter_context(telemetry_read(running.job.directory / "telemetry.sock", ground))
                stack.enter_context(scraped(peer.metrics_port))
            return measure_case(case, running, number, seconds)
    except LoadError as failure:
        return Sample(layout.name, case.name, position, number, failure=str(failure))


@contextlib.contextmanager
def again_and_again(what: Callable[[], None], pause_s: float) -> Iterator[None]:
    """Do something in a thread while the block runs, with pauses."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(pause_s):
            what()

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def scraped(port: int) -> Iterator[None]:
    """Ask for the metrics once a second, as Prometheus does. Raises LoadError where they are not answered at first."""
    scrape(port)

    def once_more() -> None:
        with contextlib.suppress(LoadError):
            scrape(port)

    with again_and_again(once_more, SCRAPES_EVERY_S):
        yield


def scrape(port: int) -> int:
    """Return how many bytes one answer has. Raises LoadError."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise LoadError(f"/metrics: status {response.status}")
        return len(response.read())
    except (OSError, http.client.HTTPException) as error:
        raise LoadError(f"/metrics: {error}") from error
    finally:
        connection.close()


@contextlib.contextmanager
def telemetry_read(path: Path, ground: Ground) -> Iterator[None]:
    """Read the datagrams that are sent there, as the service does. Raises LoadError where none has come."""
    came = 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        if not ground.account.is_caller():
            os.chown(path, ground.account.uid, ground.account.gid)
        sock.setblocking(False)

        def read() -> None:
            nonlocal came
            with contextlib.suppress(BlockingIOError):
                while sock.recv(1 << 16):
                    came += 1

        with again_and_again(read, TELEMETRY_READ_EVERY_S):
            yield
    if not came:
        raise LoadError("no telemetry has come")
