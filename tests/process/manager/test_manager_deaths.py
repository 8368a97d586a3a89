"""kill -9 of the manager again and again, whatever it is about: nobody notices, the next one takes over."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time

import pytest
from support.faults import outlives
from support.looking import pause
from support.manager import APPS, HUNG_S, ManagerUnderTest
from support.proc import processor_s

PROCESSES = 3
# what the manager is about when it dies, and for how many seconds nobody manages then
ROUNDS = [
    ("load", 0), ("start", 0), ("rollout", 0), ("crash", 0), ("load", 1), ("rollout", 1), ("start", 1), ("rollout", 0),
    ("crash", 1), ("load", 5),
]  # fmt: skip


def group(port: int) -> str:
    where = f'python-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
    how = f'processes = {PROCESSES}\ndisplay-name = "%{{GROUP}}"\n'
    return f'[groups.a]\napp = "crashing_app:application"\n{how}{where}'  # answers with its pid


def start_next(manager: ManagerUnderTest) -> float:
    """Start a manager without a configuration; return for how many seconds it has not answered."""
    read_end, write_end = os.pipe()
    began = time.monotonic()
    with open(manager.base / "next.log", "ab") as log, os.fdopen(read_end, "rb") as ready:
        process = subprocess.Popen(
            manager.command("run", "--ready-fd", str(write_end)), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            pass_fds=(write_end,), start_new_session=True,
        )  # fmt: skip
        os.close(write_end)
        assert ready.readline() == b"ready\n", (manager.base / "next.log").read_text()
    process.returncode = 0  # who ends it is the manager under test
    return time.monotonic() - began


def kill_manager(manager: ManagerUnderTest) -> None:
    pid = manager.manager_pid
    os.kill(pid, signal.SIGKILL)
    assert not outlives(pid, HUNG_S)


def settled(manager: ManagerUnderTest, count: int) -> bool:
    processes = manager.group("a")["processes"]
    return [process["state"] for process in processes] == ["ready"] * count


def started(manager: ManagerUnderTest) -> dict[int, str]:
    """When each process that is ready began."""
    return {p["pid"]: p["started_at"] for p in manager.group("a")["processes"] if p["state"] == "ready"}


def test_nobody_notices(manager: ManagerUnderTest) -> None:
    port, seed = manager.port(), random.randrange(2**32)
    chance = random.Random(seed)
    manager.apply(group(port))
    took = []
    with manager.clients(port, 4) as clients:
        for doing, alone_s in ROUNDS:
            clients.wait_for_each()
            known, restarts = len(clients.failures), manager.group("a")["restarts"]
            before = started(manager)
            wanted, victim = PROCESSES, 0
            if doing == "start":
                wanted = PROCESSES + 1
                manager.client.post("/v1/scale", {"processes": {"a": wanted}})
            elif doing == "rollout":
                manager.client.post("/v1/restart", {"groups": ["a"]})
            for _look in range(chance.randrange(30)):
                pause()
            kill_manager(manager)
            living = {pid for pid in before if outlives(pid, 0)}
            if doing == "crash":
                victim = chance.choice(sorted(living))
                os.kill(victim, signal.SIGKILL)
                assert not outlives(victim, HUNG_S)
            clients.wait_for_each()
            if alone_s:
                stays = min(living - {victim}, default=os.getpid())  # a rollout may have replaced all of them
                assert outlives(stays, alone_s) or doing == "rollout"
            took.append(start_next(manager))
            what = f"{doing}, alone for {alone_s} s, seed {seed}"
            manager.wait_for(f"{what}: all is there", lambda wanted=wanted: settled(manager, wanted))
            after = started(manager)
            assert len(manager.processes_of("a")) <= wanted + len(living), what
            said = (manager.base / "next.log").read_text()
            assert manager.group("a")["restarts"] == restarts + bool(victim), f"{what}: {said}"
            if doing != "rollout":  # nothing is restarted by an adoption; what a rollout had begun, it ends
                kept = {pid: when for pid, when in before.items() if pid != victim}
                assert {pid: after.get(pid) for pid in kept} == kept, what
            clients.wait_for_each()
            lost = {(failure.how.partition(" ")[0], failure.served_by) for failure in clients.failures[known:]}
            assert {by for _how, by in lost} <= {str(victim)}, f"{what}: {lost}"
            if doing == "start":
                assert manager.cli("scale", f"a={PROCESSES}").returncode == 0
            manager.wait_for("no other is left", lambda: len(manager.processes_of("a")) == PROCESSES)
    print(f"a manager answered after {', '.join(f'{seconds:.2f}' for seconds in took)} s")
    assert manager.cli("restart", "a").returncode == 0


def test_no_number_of_a_life_is_given_twice(manager: ManagerUnderTest) -> None:
    """Managers that die before they have stored anything: what they had begun is known to the spawner alone."""
    manager.apply(group(manager.port()))
    lives: dict[int, int] = {}
    for deaths in range(1, 7):
        kill_manager(manager)
        victim = max(lives, key=lambda pid: lives[pid], default=0) or min(manager.processes_of("a"))
        os.kill(victim, signal.SIGKILL)
        assert not outlives(victim, HUNG_S)
        start_next(manager)
        manager.wait_for("all is there", lambda: settled(manager, PROCESSES))
        seen = {process["pid"]: process["life"] for process in manager.group("a")["processes"]}
        assert {pid: life for pid, life in lives.items() if pid in seen}.items() <= seen.items()
        lives |= seen
        assert len(set(lives.values())) == len(lives), lives
        assert manager.group("a")["restarts"] == deaths
        lives.pop(victim, None)


@pytest.mark.measured
def test_the_next_one_has_taken_over_after_two_seconds(manager: ManagerUnderTest) -> None:
    manager.apply(group(manager.port()))
    before = started(manager)
    for _round in range(3):
        kill_manager(manager)
        took_s, used_s = start_next(manager), processor_s(manager.manager_pid)
        assert took_s <= 2.0, f"{took_s:.2f} s, of which the manager had a processor for {used_s:.2f} s"
        assert started(manager) == before
