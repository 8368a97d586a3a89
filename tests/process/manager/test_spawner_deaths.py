"""kill -9 of the spawner while it forks, with and without a manager: its processes serve on, and none is too many."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import psutil
from support.faults import outlives
from support.manager import APPS, HUNG_S, ManagerUnderTest

PROCESSES = 4
ROUNDS = 20
ROUNDS_ALONE = 3  # a manager has to start in each


def group(port: int, name: str = "a", processes: int = PROCESSES) -> str:
    where = f'python-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
    how = f'processes = {processes}\ndisplay-name = "%{{GROUP}}"\n'
    return f'[groups.{name}]\napp = "crashing_app:application"\n{how}{where}'  # answers with its pid


def children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def spawner_of(manager: ManagerUnderTest) -> int:
    """The child of the manager that forks, once there is one."""

    def found() -> int:
        for pid in children(manager.manager_pid):
            process = psutil.Process(pid)
            if process.status() != psutil.STATUS_ZOMBIE and "wsgigroups: spawner" in " ".join(process.cmdline()):
                return pid
        return 0

    return int(manager.wait_for("there is a spawner", found))


def in_the_middle_of_a_fork(spawner: int, before: set[int]) -> None:
    """Kill the spawner as soon as there is a child that it did not have: it has told nobody, or just does."""
    until = time.monotonic() + HUNG_S
    while not children(spawner) - before:
        assert time.monotonic() < until
        select.select([], [], [], 0.0002)  # a short pause: it is the moment that counts
    os.kill(spawner, signal.SIGKILL)
    assert not outlives(spawner, HUNG_S)


def scale(manager: ManagerUnderTest, name: str, count: int) -> None:
    manager.client.post("/v1/scale", {"processes": {name: count}})


def exactly(manager: ManagerUnderTest, name: str, count: int) -> bool:
    living = manager.processes_of(name)
    assert len(living) <= 2, living
    return len(manager.pids(name)) == len(living) == count


def test_with_a_manager(manager: ManagerUnderTest) -> None:
    """Several groups, because a slot has only so many starts a minute."""
    ports = {name: manager.port() for name in "abcde"}
    manager.apply("".join(group(port, name, 1) for name, port in ports.items()))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(manager.clients(port, 1)) for port in ports.values()]
        for turn in range(ROUNDS):
            name = "abcde"[turn % 5]
            pids, spawner = manager.pids(name), spawner_of(manager)
            had = children(spawner)
            if turn % 4 == 3:  # one that cannot do yet what it was asked for
                os.kill(spawner, signal.SIGSTOP)
                scale(manager, name, 2)
                os.kill(spawner, signal.SIGKILL)
            else:
                scale(manager, name, 2)
                in_the_middle_of_a_fork(spawner, had)
            manager.wait_for("there are two", partial(exactly, manager, name, 2))
            assert pids.items() <= manager.pids(name).items()
            scale(manager, name, 1)
            manager.wait_for("one has left", partial(exactly, manager, name, 1))
        for some in clients:
            some.wait_for_each()
    assert [some.failures for some in clients] == [[]] * 5
    assert {found["state"] for found in manager.status()["groups"]} == {"ready"}


def test_without_a_manager(manager: ManagerUnderTest) -> None:
    """They leave when they have lost both, and the next manager starts four: never are there more."""
    port = manager.port()
    manager.apply(group(port))
    for turn in range(ROUNDS_ALONE):
        pids, spawner, pid = manager.pids("a"), spawner_of(manager), manager.manager_pid
        had = children(spawner)
        os.kill(pids[1], signal.SIGKILL)
        if turn:
            in_the_middle_of_a_fork(spawner, had)
            os.kill(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)
            os.kill(spawner, signal.SIGKILL)
        assert not outlives(pid, HUNG_S)
        assert not outlives(spawner, HUNG_S)
        with open(manager.base / "next.log", "ab") as log:
            process = subprocess.Popen(
                manager.command("run", str(manager.base / "groups.toml")), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True,
            )  # fmt: skip
        process.returncode = 0  # who ends it is the manager under test
        manager.wait_up("a")
        manager.wait_for("it has four", lambda: len(manager.pids("a")) == PROCESSES)
        manager.wait_for("no other is left", lambda: len(manager.processes_of("a")) == PROCESSES)
        assert manager.get(port)[0] == 200
