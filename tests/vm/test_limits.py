"""Limits of a group on a kernel that has all controllers: they are what was asked for, and they hold."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest
from support.kernels import PlacedTenants, cgroup_of, count, value

pytestmark = [pytest.mark.vm, pytest.mark.root]

MIB = 1 << 20
ALL = 'memory-high = "256M"\nmemory-max = "300M"\ncpu-weight = 250\ncpu-quota = "150%"\ntasks-max = 200\n'
FILES = {
    "memory.high": str(256 * MIB),
    "memory.max": str(300 * MIB),
    "cpu.weight": "250",
    "cpu.max": "150000 100000",
    "pids.max": "200",
}
NONE = {"memory.high": "max", "memory.max": "max", "cpu.weight": "100", "cpu.max": "max 100000", "pids.max": "max"}


def files(tenants: PlacedTenants) -> dict[str, str]:
    return {name: value(tenants.tree / "a" / name) for name in FILES}


def test_all_limits_are_in_force_and_change_while_processes_run(tenants: PlacedTenants) -> None:
    tenants.apply(tenants.text(ALL))
    pids = tenants.pids("a")
    assert tenants.group("a")["not_in_force"] == {}
    assert files(tenants) == FILES
    assert cgroup_of(pids[1]) == tenants.tree / "a" / "1.1"
    tenants.apply(tenants.text(ALL.replace("250", "50").replace("200", "300")))
    assert files(tenants) == {**FILES, "cpu.weight": "50", "pids.max": "300"}
    tenants.apply(tenants.text())
    assert files(tenants) == NONE
    assert tenants.pids("a") == pids
    assert tenants.group("b")["not_in_force"] == {}


def test_what_the_kernel_kills_for_want_of_memory_is_named(tenants: PlacedTenants) -> None:
    tenants.apply(tenants.text('memory-max = "128M"\n', app="leaking_app"))
    pid, neighbour = tenants.pids("a")[1], tenants.pids("b")
    with pytest.raises((ConnectionError, OSError)):
        tenants.get(tenants.a, "/memory/400")
    tenants.followed(pid)
    assert "out of memory, memory-max 128" in tenants.cli("why", "a").stdout
    assert count(tenants.tree / "a" / "memory.events", "oom_kill") >= 1
    assert tenants.get(tenants.a, "/memory/1")[0] == 200
    assert tenants.pids("b") == neighbour
    assert tenants.cli("why", "b").stdout.find("out of memory") == -1


def test_above_memory_high_a_group_is_slowed_down_and_not_killed(tenants: PlacedTenants) -> None:
    tenants.apply(tenants.text('memory-high = "64M"\n', app="leaking_app"))
    pids = tenants.pids("a")
    assert tenants.get(tenants.a, "/memory/64", timeout_s=100)[0] == 200
    events = tenants.tree / "a" / "memory.events"
    assert count(events, "high") > 0
    assert count(events, "oom_kill") == 0
    assert tenants.pids("a") == pids


def test_a_quota_holds_a_group_back(tenants: PlacedTenants) -> None:
    tenants.apply(tenants.text('cpu-quota = "20%"\n', app="busy_app"))
    began = time.monotonic()
    assert tenants.get(tenants.a, "/500", timeout_s=100)[0] == 200
    assert time.monotonic() - began > 1.0, "half a second of work takes two and a half"
    assert count(tenants.tree / "a" / "cpu.stat", "nr_throttled") > 0
    assert count(tenants.tree / "a" / "cpu.stat", "throttled_usec") > 100_000


def test_a_fork_bomb_ends_at_tasks_max_and_goes_with_its_life(tenants: PlacedTenants) -> None:
    tenants.apply(tenants.text("tasks-max = 40\n"))
    forked, why = tenants.attack("bomb/400")
    assert (forked < 40, why) == (True, "EAGAIN")
    assert count(tenants.tree / "a" / "pids.events", "max") > 0
    life = cgroup_of(tenants.pids("a")[1])
    strays = [int(pid) for pid in value(life / "cgroup.procs").split()]
    assert len(strays) == forked + 1
    tenants.all_is_well()
    assert tenants.cli("stop", "a").returncode == 0
    tenants.soon("all of them are gone", lambda: not life.exists())
    assert not [pid for pid in strays if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
    tenants.all_is_well()


def test_another_manager_finds_the_limits_in_force(tenants: PlacedTenants) -> None:
    text = tenants.text(ALL)
    tenants.apply(text)
    pids = tenants.pids("a")
    os.kill(tenants.manager_pid, signal.SIGKILL)
    tenants.apply(text)
    assert tenants.pids("a") == pids
    assert tenants.group("a")["not_in_force"] == {}
    assert files(tenants) == FILES
    assert tenants.cli("restart", "a").returncode == 0
    assert cgroup_of(tenants.pids("a")[1]).parent == tenants.tree / "a"


def test_what_is_required_is_there(tenants: PlacedTenants) -> None:
    tenants.apply(tenants.text(ALL + 'confinement = "required"\n'))
    assert files(tenants) == FILES
