"""Where a manager is started: what is delegated to it, what stands in its way, and that it leaves nothing there."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest
from support.faults import outlives
from support.kernels import PlacedTenants, cgroup_of, place, value

pytestmark = pytest.mark.vm

LIMITS = 'memory-max = "256M"\ntasks-max = 200\ncpu-quota = "90%"\n'


def in_force(tenants: PlacedTenants) -> None:
    group = tenants.group("a")
    assert group["not_in_force"] == {}
    assert group["cleanup"] == "cgroup"
    found = [value(tenants.tree / "a" / name) for name in ("memory.max", "pids.max", "cpu.max")]
    assert found == [str(256 << 20), "200", "90000 100000"]


def text(tenants: PlacedTenants, extra: str) -> str:
    """As an ordinary user there are no others."""
    whole = tenants.text(extra)
    if os.geteuid() == 0:
        return whole
    return whole.replace('user = "alice"\n', "").replace('user = "bob"\n', "")


def test_a_scope_has_limits_once_the_manager_made_room(tenants: PlacedTenants) -> None:
    with place("unit") as unit:
        tenants.place = unit
        with tenants.running(text(tenants, LIMITS)):
            in_force(tenants)
            tree = tenants.tree
            assert tree.parent == unit
            assert value(unit / "cgroup.procs") == ""
            assert cgroup_of(tenants.manager_pid) == tree.with_name(tree.name + ".manager")
            assert cgroup_of(tenants.pids("a")[1]) == tree / "a" / "1.1"
        assert [entry for entry in unit.iterdir() if entry.is_dir()] == []


def test_a_process_killed_for_want_of_memory_is_named_there_too(tenants: PlacedTenants) -> None:
    with place("unit") as unit:
        tenants.place = unit
        with tenants.running(text(tenants, 'memory-max = "128M"\n').replace("hostile_app", "leaking_app")):
            pid = tenants.pids("a")[1]
            with pytest.raises(OSError):  # noqa: PT011 - whichever way a connection ends
                tenants.get(tenants.a, "/memory/400")
            tenants.followed(pid)
            assert "out of memory, memory-max 128" in tenants.cli("why", "a").stdout


def test_strays_end_with_their_life_there_too(tenants: PlacedTenants) -> None:
    with place("unit") as unit:
        tenants.place = unit
        with tenants.running(text(tenants, LIMITS)):
            stray = tenants.stray("hide")
            assert cgroup_of(stray) == cgroup_of(tenants.pids("a")[1])
            assert tenants.cli("stop", "a").returncode == 0
            assert not outlives(stray, 10.0)


def test_another_manager_in_the_same_scope(tenants: PlacedTenants) -> None:
    """The next one is started in a cgroup that holds no process any more, or beside: the lives stay where they are."""
    with place("unit") as unit:
        tenants.place = unit
        with tenants.running(text(tenants, LIMITS)):
            pids, tree = tenants.pids("a"), tenants.tree
            os.kill(tenants.manager_pid, signal.SIGKILL)
            tenants.place = None
            tenants.apply(text(tenants, LIMITS))
            assert tenants.pids("a") == pids
            assert tenants.tree == tree
            in_force(tenants)
            assert tenants.cli("restart", "a").returncode == 0
            assert cgroup_of(tenants.pids("a")[1]).parent == tree / "a"
            assert tenants.cli("shutdown").returncode == 0
            tenants.soon("the tree is gone", lambda: not tree.exists())


@pytest.mark.parametrize("name", ["wsgigroups.service"])
def test_a_service_without_a_subgroup_has_no_limits(tenants: PlacedTenants, name: str) -> None:
    with place(name) as unit:
        os.setxattr(unit, "user.delegate", b"1")
        tenants.place = unit
        with tenants.running(text(tenants, LIMITS)):
            missing = tenants.group("a")["not_in_force"]
            assert set(missing) == {"memory-max", "tasks-max", "cpu-quota"}
            assert all("DelegateSubgroup= of the service is needed" in why for why in missing.values())
            assert tenants.group("a")["cleanup"] == "cgroup"
            assert cgroup_of(tenants.manager_pid) == unit


@pytest.mark.parametrize("name", ["wsgigroups.service"])
def test_a_service_with_a_subgroup_has_limits(tenants: PlacedTenants, name: str) -> None:
    with place(name) as unit:
        os.setxattr(unit, "user.delegate", b"1")
        (unit / "manager").mkdir()
        tenants.place = unit / "manager"
        with tenants.running(text(tenants, LIMITS)):
            in_force(tenants)
            assert tenants.tree.parent == unit
            assert cgroup_of(tenants.manager_pid) == unit / "manager"
        assert [entry.name for entry in unit.iterdir() if entry.is_dir()] == ["manager"]
        (unit / "manager").rmdir()


def test_processes_of_others_stand_in_the_way(tenants: PlacedTenants) -> None:
    with place("unit") as unit, subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as other:
        (unit / "cgroup.procs").write_text(str(other.pid))
        tenants.place = unit
        with tenants.running(text(tenants, LIMITS)):
            missing = tenants.group("a")["not_in_force"]
            assert set(missing) == {"memory-max", "tasks-max", "cpu-quota"}
            assert all(why.endswith("other processes are in it") for why in missing.values())
            refused = tenants.apply(text(tenants, LIMITS + 'confinement = "required"\n'), code=1)
            assert "whose confinement is required" in refused.stderr
        assert other.stdin is not None
        other.stdin.close()


def test_a_controller_that_was_not_handed_down_is_named(tenants: PlacedTenants) -> None:
    with place("unit", "+pids") as unit:
        tenants.place = unit
        with tenants.running(text(tenants, LIMITS)):
            assert tenants.group("a")["not_in_force"] == {
                "memory-max": f"the memory controller is not to be had in {unit}",
                "cpu-quota": f"the cpu controller is not to be had in {unit}",
            }
            assert value(tenants.tree / "a" / "pids.max") == "200"
            refused = tenants.apply(text(tenants, LIMITS + 'confinement = "required"\n'), code=1)
            assert "whose confinement is required" in refused.stderr
