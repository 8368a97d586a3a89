"""`wsgigroups events`: what happened is told, and known after the manager that saw it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import Any

import pytest
from support.faults import outlives
from support.manager import APPS, HUNG_S, ManagerUnderTest


def configured(manager: ManagerUnderTest) -> str:
    text = f'[groups.blog]\napp = "hello_app:application"\npython-path = ["{APPS}"]\nprocesses = 2\n'
    return f'{text}listen = ["127.0.0.1:{manager.port()}"]\n'


def events(manager: ManagerUnderTest, *options: str) -> list[dict[str, Any]]:
    done = manager.cli("events", "-o", "json", *options)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["events"]
    return found


def test_deaths_and_adoption_are_known_to_the_next_manager(manager: ManagerUnderTest) -> None:
    text = configured(manager)
    manager.apply(text)
    pids = manager.pids("blog")
    os.kill(pids[1], signal.SIGKILL)
    manager.wait_for("another", lambda: manager.pids("blog").get(1) not in (None, pids[1]))
    former = manager.manager_pid
    os.kill(former, signal.SIGKILL)
    assert not outlives(former, HUNG_S)
    unmanaged = [event["kind"] for event in events(manager, "--since", "1h")]
    assert unmanaged.count("ready") == 3, "what it has left behind is read without a manager"
    os.kill(pids[2], signal.SIGKILL)
    manager.apply(text)
    found = events(manager)
    kinds = [event["kind"] for event in found]
    assert kinds[0] == "manager-started"
    assert kinds.count("manager-started") == 2
    assert "adopted" in kinds
    deaths = {event["pid"]: event["text"] for event in found if event["kind"] == "died"}
    assert set(deaths) == {pids[1], pids[2]}
    assert "signal 9" in deaths[pids[1]]
    assert deaths[pids[2]] == "ended while nobody managed it: killed by signal 9"
    assert [event["number"] for event in found] == list(range(1, len(found) + 1))
    assert any(event["text"] == "apply: done" for event in found)


def test_who_follows_hears_of_a_death(manager: ManagerUnderTest) -> None:
    manager.apply(configured(manager))
    victim = manager.pids("blog")[1]
    with subprocess.Popen(
        manager.command("events", "blog", "-f", "-o", "json"), stdout=subprocess.PIPE, text=True
    ) as following:
        assert following.stdout is not None
        lines = (json.loads(line) for line in following.stdout)
        next(event for event in lines if event["kind"] == "ready")
        os.kill(victim, signal.SIGKILL)
        told = next(event for event in lines if event["kind"] == "died")
        following.terminate()
    assert (told["pid"], told["text"]) == (victim, "killed by signal 9")


@pytest.mark.parametrize("since", ["yesterday", "-5m", ""])
def test_a_time_that_is_none_is_a_usage_error(manager: ManagerUnderTest, since: str) -> None:
    assert manager.cli("events", f"--since={since}").returncode == 2
