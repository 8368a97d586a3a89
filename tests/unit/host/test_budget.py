"""What there is for processes: of the machine or of a cgroup, and the arithmetic of `processes = "auto"`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wsgigroups.host.budget import Capacity, automatic, budget

GIB = 1024**3


def machine(base: Path, membership: str = "0::/\n") -> tuple[Path, Path]:
    proc, cgroups = base / "proc", base / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text("MemTotal:        8388608 kB\nMemFree: 1 kB\n")
    (proc / "self" / "cgroup").write_text(membership)
    (cgroups / "system.slice" / "wsgigroups.service").mkdir(parents=True)
    return proc, cgroups


def test_without_a_limit_it_is_that_of_the_machine(tmp_path: Path) -> None:
    found = budget("self", *machine(tmp_path))
    assert found == Capacity(len(os.sched_getaffinity(0)), 8 * GIB)


def test_the_narrowest_of_all_cgroups_above_counts(tmp_path: Path) -> None:
    proc, cgroups = machine(tmp_path, "12:cpu:/old\n0::/system.slice/wsgigroups.service\n")
    service = cgroups / "system.slice" / "wsgigroups.service"
    (service / "cpu.max").write_text("max 100000\n")
    (service / "memory.max").write_text(f"{2 * GIB}\n")
    (cgroups / "system.slice" / "cpu.max").write_text("50000 100000\n")
    (cgroups / "system.slice" / "memory.max").write_text("max\n")
    found = budget("self", proc, cgroups)
    assert (found.processors, found.memory_bytes) == (0.5, 2 * GIB)
    assert "cpu.max" in found.of_processors
    assert "memory.max" in found.of_memory


@pytest.mark.parametrize("text", ["", "nonsense", "0 0", "-", "1 2 3"])
def test_a_file_that_cannot_be_read_limits_nothing(tmp_path: Path, text: str) -> None:
    proc, cgroups = machine(tmp_path, "0::/../..\nbroken:line:x\n")
    (cgroups / "cpu.max").write_text(text)
    (cgroups / "memory.max").write_text(text)
    assert budget("self", proc, cgroups).memory_bytes == 8 * GIB


@pytest.mark.parametrize(
    ("there", "size", "number", "part"),
    [
        (Capacity(4, 8 * GIB), 0, 4, "one process for each: 4; 8 GiB of memory (the machine) × 0.8 ÷ 256 MiB"),
        (Capacity(2.5, 8 * GIB), 0, 3, "2.5 processors"),
        (Capacity(16, 2 * GIB), 512 * 1024**2, 3, "÷ 512 MiB a process (its limit): 3; the smaller is 3"),
        (Capacity(0.2, 1024), 0, 1, "the smaller is 1"),
    ],
)
def test_the_arithmetic_is_said(there: Capacity, size: int, number: int, part: str) -> None:
    found, text = automatic(there, size)
    assert found == number
    assert part in text
