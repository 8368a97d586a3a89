"""A limit that is lowered reaches running processes, where they can be changed; one that is raised takes new ones."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from support.manager import APPS, ManagerUnderTest

MIB = 2**20


def may_change_limits() -> bool:
    """Whether the limits of another user's process can be changed; as an ordinary user all processes are our own."""
    effective = re.search(r"CapEff:\s*([0-9a-f]+)", Path("/proc/self/status").read_text())
    assert effective
    return os.geteuid() != 0 or bool(int(effective[1], 16) >> 24 & 1)  # CAP_SYS_RESOURCE, which containers drop


def limits_of(pid: int) -> dict[str, tuple[int, int]]:
    """Soft and hard limits of a process by their names; prlimit(2) would take a capability that root may lack."""
    text = Path(f"/proc/{pid}/limits").read_text()
    found = re.findall(r"^Max ([a-z ]+?) {2,}(\d+) +(\d+) ", text, re.MULTILINE)
    return {name: (int(soft), int(hard)) for name, soft, hard in found}


@pytest.mark.parametrize(
    ("option", "label", "sizes"),
    [
        ("memory-limit", "data size", (512, 400, 600)),
        ("virtual-memory-limit", "address space", (4000, 3000, 5000)),
        ("limit-fsize", "file size", (512, 400, 600)),
        ("limit-core", "core file size", (512, 400, 600)),
        ("limit-nofile", "open files", (512, 400, 600)),
        ("limit-nproc", "processes", (2000, 1500, 2500)),
    ],
)
def test_a_limit_lowered_and_raised(
    manager: ManagerUnderTest, option: str, label: str, sizes: tuple[int, int, int]
) -> None:
    port = manager.port()
    text = f'[groups.blog]\napp = "hello_app:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
    text += 'processes = 2\nthreads = 2\nstack-size = "512K"\n'
    first, lower, higher = sizes
    counted = option in ("limit-nofile", "limit-nproc")

    def written(size: int) -> str:
        return f"{text}{option} = {size}\n" if counted else f'{text}{option} = "{size}M"\n'

    def applied(size: int) -> dict[int, int]:
        manager.apply(written(size))
        pids = manager.pids("blog")
        assert len(pids) == 2
        for pid in pids.values():
            limit = size * (1 if counted else MIB)
            assert limits_of(pid)[label] == (limit, limit)
        return pids

    before = applied(first)
    planned = manager.cli("plan", str(manager.write(written(lower), "lower.toml"))).stdout
    assert "~ blog   changed while it runs, no process is replaced" in planned
    if may_change_limits():
        assert applied(lower) == before, "the same processes, with the lower limit"
    else:
        assert not set(applied(lower).values()) & set(before.values()), "others, with the lower limit"
        assert "cannot change a running process" in manager.log("manager"), "and it is said why"
    planned = manager.cli("plan", str(manager.write(written(higher), "higher.toml"))).stdout
    assert "new processes needed" in planned
    after = applied(higher)
    assert not set(after.values()) & set(before.values()), "a hard limit can only go down: these are new"
    assert manager.get(port)[0] == 200
