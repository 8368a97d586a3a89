"""A limit that changes while a process runs is changed, or the process is another one: never only said to be."""

from __future__ import annotations

import pytest
from support.tenants import Tenants

pytestmark = pytest.mark.root


def data_limits(pid: int) -> list[str]:
    """Soft and hard RLIMIT_DATA of a process, which everybody may read."""
    with open(f"/proc/{pid}/limits", encoding="ascii") as file:
        return next(line for line in file if line.startswith("Max data size")).split()[3:5]


@pytest.mark.parametrize("mebibytes", [384, 1024])
def test_what_is_done_is_done(tenants: Tenants, mebibytes: int) -> None:
    """Root without CAP_SYS_RESOURCE, as in many containers, cannot change those of another user's process."""
    tenants.apply(tenants.text('memory-limit = "512M"'))
    assert data_limits(tenants.pids("a")[1]) == [str(512 << 20)] * 2
    tenants.apply(tenants.text(f'memory-limit = "{mebibytes}M"'))
    assert data_limits(tenants.pids("a")[1]) == [str(mebibytes << 20)] * 2


def test_of_limits_that_nobody_set_nothing_is_said(tenants: Tenants) -> None:
    tenants.apply(tenants.text('queue-timeout = "10s"'))
    pids = tenants.pids("a"), tenants.pids("b")
    tenants.apply(tenants.text('queue-timeout = "11s"'))
    assert (tenants.pids("a"), tenants.pids("b")) == pids
    assert "cannot change" not in tenants.log("manager")
