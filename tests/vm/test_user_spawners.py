"""A spawner that runs what its user can change is a tenant: it has a cgroup, limits and an end of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from support.accounts import ALICE_UID, Accounts
from support.faults import outlives
from support.interpreters import Accessible
from support.kernels import PlacedTenants, cgroup_of, count, value
from support.prefixes import TenantPrefix

pytestmark = [pytest.mark.vm, pytest.mark.root]

OWN = f"{sys.version_info.major}.{sys.version_info.minor}"
BOMB = """
def bomb():
    import signal
    try:
        for number in range(400):
            if os.fork() == 0:
                os.closerange(0, 4096)
                signal.pause()
    except OSError as error:
        with open({path!r}, "w") as file:
            file.write(error.strerror)
if "--key" in __import__("sys").argv:
    bomb()
"""


@pytest.fixture
def prefix(accounts: Accounts, interpreters: Accessible) -> TenantPrefix:
    """A Python with alice's library."""
    return TenantPrefix(accounts.homes["alice"].parent / "python", interpreters.get(OWN), ALICE_UID)


def test_it_is_never_where_the_manager_is(tenants: PlacedTenants, prefix: TenantPrefix) -> None:
    tenants.apply(tenants.text(f'python-home = "{prefix.home}"\ntasks-max = 50\n'))
    spawner = tenants.spawner_of("a")
    leaf = cgroup_of(spawner)
    assert leaf.parent == tenants.tree / "_spawners"
    assert cgroup_of(tenants.manager_pid) != leaf
    assert value(leaf / "cgroup.procs") == str(spawner), "daemons have cgroups of their own"
    assert value(leaf / "pids.max") == "50"
    assert cgroup_of(tenants.pids("a")[1]) == tenants.tree / "a" / "1.1"
    assert cgroup_of(tenants.spawner_of("b")) == cgroup_of(tenants.manager_pid), "one of root's is no tenant"
    # the next manager finds it there
    os.kill(tenants.manager_pid, signal.SIGKILL)
    tenants.apply(tenants.text(f'python-home = "{prefix.home}"\ntasks-max = 60\n'))
    assert tenants.spawner_of("a") == spawner
    assert cgroup_of(spawner) == leaf
    assert value(leaf / "pids.max") == "60"
    tenants.apply(tenants.text())
    tenants.soon("it is gone", lambda: not leaf.exists())
    assert not outlives(spawner, 10.0)


def test_what_it_forked_ends_with_it(tenants: PlacedTenants, prefix: TenantPrefix) -> None:
    path = prefix.leave_a_stray()
    tenants.apply(tenants.text(f'python-home = "{prefix.home}"\n'))
    tenants.soon("there is a stray", path.read_text)
    stray, pid, spawner = int(path.read_text()), tenants.pids("a")[1], tenants.spawner_of("a")
    assert cgroup_of(stray) == cgroup_of(spawner)
    os.kill(spawner, signal.SIGKILL)
    assert not outlives(stray, 10.0)
    assert tenants.pids("a") == {1: pid}, "its daemons go on"
    tenants.all_is_well()


def test_a_fork_bomb_in_it_ends_at_the_limit_of_its_group(tenants: PlacedTenants, prefix: TenantPrefix) -> None:
    path = prefix.home / "why"
    path.touch()
    path.chmod(0o666)
    prefix.replace("dataclasses", BOMB.format(path=str(path)))
    tenants.apply(tenants.one("b", "crashing_app", tenants.b, "bob"))
    text = tenants.text(f'python-home = "{prefix.home}"\ntasks-max = 30\nstartup-timeout = "20s"\n')
    command = tenants.command("apply", "--yes", str(tenants.write(text)))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as applying:
        tenants.wait_for("it could not fork any more", path.read_text)
        applying.terminate()  # whether it gets a process is not what this is about
    assert path.read_text() == "Resource temporarily unavailable"
    tenants.all_is_well(left=False)  # it is tried again for ever, and its spawner has descriptors
    leaves = [entry for entry in (tenants.tree / "_spawners").iterdir() if entry.is_dir()]
    assert all(value(leaf / "pids.max") == "30" for leaf in leaves)
    assert sum(count(leaf / "pids.events", "max") > 0 for leaf in leaves) == len(leaves)
    tenants.apply(tenants.one("b", "crashing_app", tenants.b, "bob"))
    tenants.soon("nothing is left", lambda: not any(leaf.exists() for leaf in leaves))
    tenants.all_is_well()
