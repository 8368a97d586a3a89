"""Processes that do not run: one daemon that was stopped is replaced, and everybody stopped at once means nothing."""

from __future__ import annotations

import os
import signal

import psutil
from support.faults import outlives
from support.manager import APPS, ManagerUnderTest

DEADLOCK_S = 3.0


def test_a_pause_of_all_costs_nobody_and_a_stopped_daemon_is_replaced(manager: ManagerUnderTest) -> None:
    port = manager.port()
    where = f'python-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]'
    times = f'deadlock-timeout = "{DEADLOCK_S:g}s"\nshutdown-timeout = "100ms"'
    manager.apply(f'[groups.a]\napp = "crashing_app:application"\n{where}\nprocesses = 2\n{times}\n')
    before = manager.pids("a")
    spawners = {psutil.Process(pid).ppid() for pid in before.values()}
    manager_pid = manager.manager_pid

    everybody = [manager_pid, *spawners, *before.values()]
    for pid in everybody:
        os.kill(pid, signal.SIGSTOP)
    assert outlives(manager_pid, DEADLOCK_S + 0.5)  # what would be too long for a daemon alone
    for pid in everybody:
        os.kill(pid, signal.SIGCONT)
    assert manager.get(port)[0] == 200
    assert outlives(manager_pid, DEADLOCK_S + 0.5)  # it does not judge at first, and then it has looked
    assert manager.pids("a") == before
    assert manager.group("a")["restarts"] == 0

    stopped, other = before[1], before[2]
    os.kill(stopped, signal.SIGSTOP)
    with manager.clients(port, 1) as clients:
        clients.wait_for_more(20)  # the other one serves
        manager.wait_for("it is replaced", lambda: manager.pids("a").get(1) not in (None, stopped))
    manager.wait_for("it is gone", lambda: not psutil.pid_exists(stopped))
    assert manager.pids("a")[2] == other
    (death,) = manager.client.get("/v1/deaths?group=a")["deaths"]
    assert (death["pid"], death["cause"], death["signal"]) == (stopped, "deadlock-timeout", "SIGKILL")
