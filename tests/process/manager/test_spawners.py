"""Spawners that are killed, that hang, and that have the runtime of another version: nobody's requests are lost."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import urllib.request
from collections.abc import Callable
from functools import partial

import psutil
from support import frozen
from support.faults import outlives
from support.looking import pause
from support.manager import APPS, HUNG_S, ManagerUnderTest


def group(name: str, port: int, processes: int = 2, extra: str = "") -> str:
    where = f'python-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
    return f'[groups.{name}]\napp = "hello_app:application"\n{where}processes = {processes}\n{extra}'


def parent(pid: int) -> int:
    return psutil.Process(pid).ppid()


def test_a_spawner_that_hangs_is_noticed_and_replaced_and_its_daemons_serve_on(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("a", port))
    before = manager.pids("a")
    spawner = parent(before[1])
    with manager.clients(port, 2) as clients:
        os.kill(spawner, signal.SIGSTOP)
        assert not outlives(spawner, HUNG_S)
        clients.wait_for_more(20)
        assert manager.cli("scale", "a=3").returncode == 0
        pids = manager.pids("a")
        assert {pids[1], pids[2]} == {before[1], before[2]}
        assert parent(pids[3]) != spawner
    assert clients.failures == []
    assert f"(pid {spawner}) does not answer: it is killed and replaced" in manager.log("manager")


def test_a_spawner_that_hangs_while_everything_ends_does_not_stay(manager: ManagerUnderTest) -> None:
    manager.apply(group("a", manager.port()))
    spawner, pid = parent(manager.pids("a")[1]), manager.manager_pid
    os.kill(spawner, signal.SIGSTOP)
    assert manager.cli("shutdown").returncode == 0
    assert not outlives(pid, HUNG_S)
    assert not outlives(spawner, 0)
    assert f"(pid {spawner}) did not end by itself and was killed" in manager.log("manager")


def _replaced(manager: ManagerUnderTest, old: set[int]) -> bool:
    pids = manager.pids("a")
    return len(pids) == 4 and not {*pids.values()} & old


def test_a_spawner_killed_again_and_again_in_the_middle_of_forks(manager: ManagerUnderTest) -> None:
    port, seed = manager.port(), random.randrange(2**32)
    chance = random.Random(seed)
    manager.apply(group("a", port, processes=4, extra='display-name = "%{GROUP}"\n'))
    with manager.clients(port, 3) as clients:
        for _turn in range(6):
            old = {*manager.pids("a").values()}
            spawners = {parent(pid) for pid in old} - {manager.manager_pid}  # who lost its own is the manager's
            assert manager.cli("restart", "a", "--no-wait").returncode == 0
            for _look in range(chance.randrange(20)):
                pause()
            for spawner in spawners:
                os.kill(spawner, signal.SIGKILL)
            manager.wait_for("all are new", partial(_replaced, manager, old))
            living = manager.processes_of("a")
            assert len(living) <= 4 + 1 + 4, f"seed {seed}: {living}"  # wanted, surge, and those that leave
        clients.wait_for_more(20)
        manager.wait_for("no other process stays", lambda: len(manager.processes_of("a")) == 4)
    assert [f for f in clients.failures if f.how.startswith("status")] == [], f"seed {seed}"


def begin(manager: ManagerUnderTest, command: list[str], up: Callable[[], bool]) -> subprocess.Popen[bytes]:
    """Start a manager of another version and wait until it is up."""
    manager.log_dir.mkdir()
    with open(manager.log_dir / "earlier.log", "wb") as log:
        earlier = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    manager.wait_for("it is up", up)
    return earlier


def test_the_processes_of_the_last_release_are_followed_and_nobodys_requests_are_lost(
    manager: ManagerUnderTest,
) -> None:
    port = manager.port()
    text = group("a", port, extra='home = "/"\n')
    path = manager.base / "of-the-release.toml"
    path.write_text(f"version = 1\n{text}")
    command = frozen.of_release(manager.command("run", str(path)), frozen.unpack(manager.base))
    earlier = begin(manager, command, lambda: serves(port))
    (former,) = [child.pid for child in psutil.Process(earlier.pid).children()]
    with manager.clients(port, 2) as clients:
        clients.wait_for_more(4)
        earlier.kill()
        earlier.wait()
        clients.wait_for_more(4)
        manager.apply(text)
        assert not outlives(former, HUNG_S)  # it ends with its last process
        assert former not in {parent(pid) for pid in manager.pids("a").values()}
        clients.wait_for_more(10)
    assert clients.failures == []
    assert "has the runtime of another one" in manager.log("manager")


def serves(port: int) -> bool:
    """Whether somebody answers there."""
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=HUNG_S) as answer:
        return bool(answer.status == 200)
    return False


def test_a_spawner_with_another_runtime_forks_nothing_and_its_processes_serve_until_they_are_replaced(
    manager: ManagerUnderTest,
) -> None:
    port, other = manager.port(), manager.port()
    text = group("a", port) + group("b", other, processes=1)
    bootstrap = frozen.changed(manager.base)
    command = frozen.with_runtime(manager.command("run", str(manager.write(text))), bootstrap)
    earlier = begin(
        manager,
        command,
        lambda: bool(manager.client.running() and manager.status()["groups"] and len(manager.pids("a")) == 2),
    )
    manager.wait_for("b, too", lambda: manager.pids("b"))
    before, former = manager.pids("a"), parent(manager.pids("a")[1])
    assert str(bootstrap) in psutil.Process(former).cmdline() or "spawner" in psutil.Process(former).name()
    with manager.clients(port, 2) as clients, manager.clients(other, 1) as others:
        earlier.kill()
        earlier.wait()
        manager.apply(text)
        assert manager.pids("a") == before
        assert all(process["former_runtime"] for process in manager.group("a")["processes"])
        assert manager.cli("scale", "a=3").returncode == 0
        newcomer = manager.pids("a")[3]
        assert parent(newcomer) != former
        assert not next(p for p in manager.group("a")["processes"] if p["slot"] == 3)["former_runtime"]

        # a manager that follows finds both
        pid = manager.manager_pid
        os.kill(pid, signal.SIGKILL)
        assert not outlives(pid, HUNG_S)
        manager.apply(text.replace("processes = 2", "processes = 3"))
        assert manager.pids("a") == {**before, 3: newcomer}

        assert manager.cli("restart", "a").returncode == 0
        assert outlives(former, 0), "it has a process still"
        assert manager.cli("restart", "b").returncode == 0
        assert not outlives(former, HUNG_S)
        clients.wait_for_more(20)
        others.wait_for_more(5)
        status = json.loads(manager.cli("status", "-o", "json").stdout)
        assert not any(process["former_runtime"] for found in status["groups"] for process in found["processes"])
    assert clients.failures == []
    assert others.failures == []
    assert "has the runtime of another one" in manager.log("manager")
