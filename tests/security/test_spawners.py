"""A spawner that does not answer a new manager: it is named and ended, and nothing is bound beside it."""

from __future__ import annotations

import os
import signal

import psutil
import pytest
from support.tenants import Tenants

pytestmark = pytest.mark.root


def test_a_spawner_that_hangs_is_ended_and_its_addresses_are_bound_anew(tenants: Tenants) -> None:
    tenants.apply(tenants.text())
    daemons = tenants.pids("a")[1], tenants.pids("b")[1]
    manager, spawner = tenants.manager_pid, psutil.Process(daemons[0]).ppid()
    os.kill(spawner, signal.SIGSTOP)
    os.kill(manager, signal.SIGKILL)
    tenants.apply(tenants.text())
    log = tenants.log("manager")
    assert f"(pid {spawner}) did not answer within 10 s: it was ended, 2 daemons of it leave" in log
    assert not psutil.pid_exists(spawner) or psutil.Process(spawner).status() == psutil.STATUS_ZOMBIE
    tenants.soon("others serve", lambda: not {*daemons} & {*tenants.pids("a").values(), *tenants.pids("b").values()})
    tenants.soon("all are ready", lambda: tenants.pids("a") and tenants.pids("b"))
    tenants.all_is_well()
    assert tenants.get(tenants.a, "/pid")[0] == 200
