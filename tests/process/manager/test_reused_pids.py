"""Pids of daemons that have died, given to strangers before anybody has noticed: no stranger hears of it."""

from __future__ import annotations

import signal

import pytest
from support.manager import APPS, ManagerUnderTest
from support.pid_space import PidSpace

pytestmark = [pytest.mark.root, pytest.mark.needs("unshare")]
PROCESSES = 20
ROUNDS = ("stopped", "killed", "stopped", "stopped", "killed", "stopped")  # what the manager is meanwhile


def group(port: int) -> str:
    where = f'python-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
    return f'[groups.a]\napp = "hello_app:application"\nprocesses = {PROCESSES}\nthreads = 1\n{where}'


def change(manager: ManagerUnderTest, action: str) -> None:
    number = manager.client.post(f"/v1/{action}", {"groups": ["a"]})["change"]
    done = manager.wait_for("it is over", lambda: (c := manager.client.wait(number))["finished"] and c)
    assert done["outcome"] == "done", done


def test_a_stranger_with_the_pid_of_a_dead_daemon_is_left_alone(manager: ManagerUnderTest) -> None:
    port = manager.port()
    path = manager.write(group(port))
    manager.log_dir.mkdir()
    log = str(manager.log_dir / "foreground.log")
    reused = 0
    with PidSpace() as space:
        pid = space.ask("start", manager.command("run", str(path)), log)
        manager.wait_up("a")
        for state in ROUNDS:
            manager.wait_for("all are ready", lambda: len(manager.pids("a")) == PROCESSES)
            victims, restarts = sorted(manager.pids("a").values()), manager.group("a")["restarts"]
            space.ask("send", pid, signal.SIGSTOP if state == "stopped" else signal.SIGKILL)
            for victim in victims:
                space.ask("send", victim, signal.SIGKILL)
            while len(space.ask("free", victims)) < PROCESSES:  # their spawner reaps them, and tells nobody yet
                pass
            strangers = space.ask("take", victims)
            assert len(strangers) > PROCESSES // 2
            if state == "stopped":
                space.ask("send", pid, signal.SIGCONT)
            else:
                pid = space.ask("start", manager.command("run", str(path)), log)
                manager.wait_up("a")
            manager.wait_for("deaths are seen", lambda r=restarts: manager.group("a")["restarts"] >= r + PROCESSES)
            change(manager, "stop")  # whoever is to be ended is ended now
            assert space.ask("disturbed", strangers) == []
            reused += len(strangers)
            assert manager.group("a")["restarts"] == restarts + PROCESSES
            change(manager, "start")
        assert manager.get(port)[0] == 200
        assert reused >= 100
        space.ask("send", pid, signal.SIGTERM)
        while space.ask("free", [pid]) == []:
            pass
