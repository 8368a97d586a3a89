"""Logs and state on a disk whose writes fail: requests go on, nothing is begun, and it passes by itself."""

from __future__ import annotations

import json
import os
import re
import signal

import pytest
from support.broken_disk import broken
from support.log_settling import log_writers
from support.manager import APPS, ManagerUnderTest

pytestmark = [pytest.mark.root, pytest.mark.needs("strace")]


def group(manager: ManagerUnderTest, port: int, more: str = "") -> str:
    where = f'python-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
    return f'[groups.a]\napp = "noisy_app:application"\nprocesses = 2\naccess-log = "common"\n{where}{more}'


def test_a_broken_disk_costs_lines_and_no_request(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group(manager, port))
    before, revision = manager.pids("a"), manager.status()["revision"]
    state, log = manager.state_dir / "state.json", manager.log_dir / "a.log"
    stored = state.read_bytes()
    with manager.clients(port, 4) as clients:
        clients.wait_for_more(20)
        (writer,) = log_writers()
        with broken(manager.wait_for, writer, log), broken(manager.wait_for, manager.manager_pid):
            written = log.stat().st_size
            clients.wait_for_more(200)
            assert log.stat().st_size == written
            done = manager.apply(group(manager, port, "threads = 3\n"), code=1)
            assert "Input/output error" in done.stderr
            assert "nothing was changed" in done.stderr
            assert (manager.pids("a"), manager.status()["revision"]) == (before, revision)
            assert state.read_bytes() == stored
        os.kill(before[1], signal.SIGKILL)
        manager.wait_for("it is followed", lambda: manager.pids("a").get(1) not in (None, before[1]))
        clients.wait_for_more(50)
    for _ in range(20):
        assert manager.get(port)[0] == 200
    manager.apply(group(manager, port, "threads = 3\n"))
    assert manager.group("a")["threads"] == 3
    assert json.loads(state.read_bytes())["revision"] == manager.status()["revision"] > revision
    assert {failure.how for failure in clients.failures} <= {"closed", "reset"}
    assert len(clients.failures) <= 4  # those of the process that was killed
    told = re.compile(r"warning: \d+ lines could not be written: Input/output error")
    manager.wait_for("it is told", lambda: told.search(manager.log("a")))
