"""What a manager and its spawners have open after many changes is what they had before: nothing leaks."""

from __future__ import annotations

import os
import signal
from collections import Counter

import psutil
from support.leftovers import descriptors
from support.log_settling import log_writers
from support.manager import APPS, ManagerUnderTest

CYCLES = 10


def open_in(pids: list[int]) -> dict[int, Counter[str]]:
    return {pid: descriptors(pid) for pid in pids}


def test_thirty_changes_and_ten_crashes_leave_no_descriptor(manager: ManagerUnderTest) -> None:
    """Asked for on the control socket: what counts is the manager's side, not forty starts of a command."""
    unix = manager.base / "a.sock"
    text = (
        f'[groups.a]\napp = "hello_app:application"\npython-path = ["{APPS}"]\nprocesses = 2\n'
        f'listen = ["127.0.0.1:{manager.port()}", "unix:{unix}"]\n'
    )
    manager.apply(text)

    def change(action: str, body: dict[str, object]) -> None:
        number = manager.client.post(f"/v1/{action}", body)["change"]
        done = manager.wait_for("it is over", lambda: (c := manager.client.wait(number))["finished"] and c)
        assert done["outcome"] == "done", done

    def one_cycle() -> None:
        change("restart", {"groups": ["a"]})
        change("scale", {"processes": {"a": 3}})
        change("reload", {"groups": ["a"]})
        change("scale", {"processes": {"a": 2}})
        victim = manager.pids("a")[1]
        os.kill(victim, signal.SIGKILL)
        manager.wait_for("it is replaced", lambda: manager.pids("a").get(1) not in (None, victim))

    one_cycle()  # what is opened once and kept, is open from here on
    pids = [manager.manager_pid, *(p.pid for p in psutil.Process(manager.manager_pid).children())]
    assert len(pids) == 2 + len(log_writers())
    manager.wait_for("nothing is on its way", lambda: len(manager.group("a")["processes"]) == 2)
    before = open_in(pids)
    for _ in range(CYCLES):
        one_cycle()
    manager.wait_for(
        "no more is open than before", lambda: not any(now - before[pid] for pid, now in open_in(pids).items())
    )
