"""Clocks that jump under everything that runs: what people see follows, and nothing is decided by it."""

from __future__ import annotations

import http.client
import os
import signal
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from support.clocks import Clocked
from support.faults import outlives
from support.manager import APPS, ManagerUnderTest

HOUR_S, YEAR_S, DAY_S = 3600, 31_556_952, 86_400
JUMPS_S = (HOUR_S, -HOUR_S, -10 * YEAR_S, 20 * YEAR_S, 0)
OPTIONS = """
processes = 2
request-timeout = "10m"
queue-timeout = "10m"
inactivity-timeout = "10m"
restart-interval = "20m"
"""


def group(port: int) -> str:
    where = f'python-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
    return f'[groups.a]\napp = "hello_app:application"\n{where}{OPTIONS}'


def date_of(port: int) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        response.read()
        return parsedate_to_datetime(response.headers["Date"]).timestamp()
    finally:
        connection.close()


def negative(document: Any, path: str = "") -> list[str]:
    """Every number below zero, with its place."""
    if isinstance(document, dict):
        return [found for key, value in document.items() for found in negative(value, f"{path}.{key}")]
    if isinstance(document, list):
        return [found for number, value in enumerate(document) for found in negative(value, f"{path}.{number}")]
    return [f"{path}: {document}"] if isinstance(document, (int, float)) and document < 0 else []


def lives(manager: ManagerUnderTest) -> list[tuple[int, str, str]]:
    return [(p["pid"], p["state"], p["started_at"]) for p in manager.group("a")["processes"]]


@pytest.mark.needs("gcc")
def test_a_clock_that_is_set_ends_nothing(tmp_path: Path) -> None:
    with Clocked(tmp_path) as manager, manager.clock() as clock:
        port = manager.port()
        path = str(manager.write(group(port)))
        with manager.foreground(path, environment=clock.environment) as process:
            manager.wait_up("a")
            manager.wait_for("both are ready", lambda: len(manager.pids("a")) == 2)
            before = lives(manager)
            with manager.clients(port, 2) as clients:
                for ahead_s in JUMPS_S:
                    clock.set(ahead_s)
                    clients.wait_for_more(50)
                    # lines of a second are made when another one has begun: whoever polled before has the old ones
                    manager.wait_for("the date follows", lambda: abs(date_of(port) - time.time() - clock.ahead_s) < 30)
                    assert outlives(process.pid, 1.0)  # everybody has looked at everything once more
                    assert lives(manager) == before
                    assert negative(manager.status()) == []
                    assert manager.group("a")["restarts"] == 0
                clock.set(-HOUR_S)
                for command in ("status", "events"):
                    assert manager.cli(command).returncode == 0
                os.kill(before[0][0], signal.SIGKILL)
                manager.wait_for("it is followed", lambda: manager.group("a")["restarts"] and len(lives(manager)) == 2)
                manager.wait_for("both are ready", lambda: len(manager.pids("a")) == 2)
                clients.wait_for_more(20)
            assert all(failure.how in ("closed", "reset") for failure in clients.failures)
            assert len(clients.failures) <= 2  # of the process that was killed
            found = manager.group("a")
            assert (found["queue_timeouts"], found["status_5xx"], found["aborted"]) == (0, 0, 0)
            assert manager.cli("restart", "a").returncode == 0
            process.terminate()
            assert process.wait(30) == 0


class InTime(ManagerUnderTest):
    """Its monotonic clock is that of a machine that has run for ten days more."""

    def command(self, *arguments: str) -> list[str]:
        """The command line; of a manager, in a time namespace (time_namespaces(7))."""
        later = [
            "unshare",
            "--time",
            "--fork",
            "--kill-child",
            *(f"--{c}={10 * DAY_S}" for c in ("monotonic", "boottime")),
        ]
        return [*(later if arguments[:1] == ("run",) else []), *super().command(*arguments)]


@pytest.fixture
def later(tmp_path: Path) -> Iterator[InTime]:
    with InTime(tmp_path) as under_test:
        yield under_test


@pytest.mark.root
@pytest.mark.needs("unshare")
def test_ten_days_after_the_boot_are_like_one(later: InTime) -> None:
    port = later.port()
    with later.foreground(str(later.write(group(port)))) as process:
        later.wait_up("a")
        later.wait_for("both are ready", lambda: len(later.pids("a")) == 2)
        before = lives(later)
        assert later.get(port)[0] == 200
        assert outlives(process.pid, 1.5)
        assert lives(later) == before
        status = later.status()
        assert negative(status) == []
        ages = [p["heartbeat_age_s"] for p in later.group("a")["processes"]] + [status["manager"]["uptime_s"]]
        assert max(ages) < DAY_S
        assert abs(date_of(port) - time.time()) < 30
        assert later.cli("restart", "a").returncode == 0
        assert later.cli("shutdown").returncode == 0
        assert process.wait(30) == 0
