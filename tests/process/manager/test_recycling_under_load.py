"""Every cause for which a process is replaced, while clients go on: none of them loses a request, and no slot is empty.

One table: what the group has, and what is done to its processes until none of those that ran at first is left.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from support.manager import ManagerUnderTest

SOURCE = """
import os, threading, time

BLOCKS = []

def application(environ, start_response):
    if environ["PATH_INFO"] == "/grow":
        BLOCKS.append(bytes(bytearray(b"x") * (96 << 20)))
    if environ["PATH_INFO"] == "/burn":
        while time.process_time() < 1.05:
            pass
    if environ["PATH_INFO"] == "/hang":
        threading.Event().wait()
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


class Running:
    """A group, and what a cause may do to it."""

    def __init__(self, manager: ManagerUnderTest, options: str, processes: int = 2, threads: int = 4) -> None:
        self.manager, self.port = manager, manager.port()
        self.script = manager.base / "app.wsgi"
        self.write(SOURCE)
        listen = f'listen = ["127.0.0.1:{self.port}"]'
        manager.apply(
            f'[groups.a]\nscript = "{self.script}"\nprocesses = {processes}\nthreads = {threads}\n{listen}\n{options}\n'
        )
        self.first = set(manager.pids("a").values())
        self.fewest = processes

    def write(self, text: str) -> None:
        """Put the script in place in one step."""
        fresh = self.script.with_suffix(".new")
        fresh.write_text(text)
        fresh.chmod(0o644)
        fresh.replace(self.script)

    def left(self) -> set[int]:
        """Those of the first processes that are ready still."""
        ready = set(self.manager.pids("a").values())
        self.fewest = min(self.fewest, len(ready))
        return self.first & ready


def nothing(_running: Running) -> None:
    """The load, or time, does it."""


def grow(running: Running) -> None:
    assert running.manager.get(running.port, "/grow")[0] == 200


def burn(running: Running) -> None:
    assert running.manager.get(running.port, "/burn")[0] == 200


def touch(running: Running) -> None:
    if "touched" not in running.script.read_text():
        running.write(SOURCE + "# touched\n")


def evict(running: Running) -> None:
    for pid in running.left():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)


@dataclass(frozen=True)
class Cause:
    """options: of the group. act: what is done at each look. reason: as the manager's log has it."""

    options: str
    act: Callable[[Running], None]
    reason: str
    processes: int = 2
    idle: bool = False  # nobody asks for anything meanwhile


CAUSES = {
    "maximum-requests": Cause("maximum-requests = 150", nothing, "maximum-requests"),
    "restart-interval": Cause('restart-interval = "2s"', nothing, "restart-interval"),
    "memory-soft-limit": Cause('memory-soft-limit = "80M"', grow, "memory-soft-limit"),
    "cpu-time-limit": Cause('cpu-time-limit = 1\nshutdown-timeout = "60s"', burn, "cpu-time-limit", 1),
    "inactivity-timeout": Cause('inactivity-timeout = "1s"', nothing, "inactivity-timeout", 1, idle=True),
    "script": Cause("script-reloading = true", touch, "script-reloading"),
    "SIGUSR1": Cause('eviction-timeout = "1s"', evict, "signal"),
}


@pytest.mark.parametrize("name", CAUSES)
def test_no_request_is_lost_and_no_slot_is_empty(manager: ManagerUnderTest, name: str) -> None:
    cause = CAUSES[name]
    running = Running(manager, cause.options, cause.processes)

    def gone() -> bool:
        cause.act(running)
        return not running.left()

    if cause.idle:
        assert manager.get(running.port)[0] == 200
        manager.wait_for("the first ones are followed", gone)
    with manager.clients(running.port, 4) as clients:
        if not cause.idle:
            manager.wait_for("the first ones are followed", gone)
        clients.wait_for_more(100)
    assert clients.failures == []
    assert running.fewest == cause.processes  # a process leaves when its successor is ready, and not before
    assert f"READY: {cause.reason}, a successor starts" in manager.log("manager")
    assert manager.group("a")["restarts"] == 0


def test_what_does_not_end_costs_nobody_else_a_request(manager: ManagerUnderTest) -> None:
    """request-timeout: with threads that are free the process serves on until its successor is ready.

    There are more threads than requests, so that no process is ever stuck as a whole.
    """
    times = 'request-timeout = "2s"\nrequest-timeout-mode = "each"\nshutdown-timeout = "3s"'
    running = Running(manager, times, threads=8)
    with manager.clients(running.port, 4) as clients, manager.background_get(running.port, "/hang") as stuck:
        manager.wait_for("it is followed", lambda: len(running.left()) < 2)
        assert stuck() is None
        clients.wait_for_more(100)
    assert clients.failures == []
    assert running.fewest == 2
