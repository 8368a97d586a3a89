"""What the machine has left, from files as the kernel writes them."""

from __future__ import annotations

import os
from pathlib import Path

from wsgigroups.manager.supervision.machine_load import MachineLoad
from wsgigroups.plan.scaling import Cores

TICKS = os.sysconf("SC_CLK_TCK")
PROCESSORS = len(os.sched_getaffinity(0))


class Machine:
    """A /proc, and a cgroup with a quota where one is given."""

    def __init__(self, path: Path, quota: str = "") -> None:
        self.path = path
        self.cgroup = path / "cgroup"
        self.cgroup.mkdir()
        (path / "self").mkdir()
        (path / "self" / "cgroup").write_text("")
        (path / "meminfo").write_text("MemTotal: 1048576 kB\n")
        (self.cgroup / "cpu.max").write_text(f"{quota or 'max'} 100000\n")
        self.load = MachineLoad(path, [self.cgroup])

    def cores(self, now: float, idle_s: float, used_s: float = 0.0) -> Cores:
        (self.path / "stat").write_text(f"cpu  1 2 3 {int(idle_s * TICKS)} {TICKS} 5 6 7\ncpu0 1 2 3\n")
        (self.cgroup / "cpu.stat").write_text(f"usage_usec {int(used_s * 1e6)}\nuser_usec 1\n")
        return self.load.cores(now)


def test_idle_processors_are_those_of_the_last_two_seconds(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert machine.cores(10.0, 100.0) == Cores(PROCESSORS, PROCESSORS)
    assert machine.cores(11.0, 100.5) == Cores(PROCESSORS, 0.5)
    assert machine.cores(12.0, 101.0).idle == 0.5
    machine.cores(13.0, 101.0)
    assert machine.cores(14.0, 101.0).idle == 0.0


def test_a_quota_that_is_used_up_leaves_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, quota="50000")
    machine.cores(10.0, 100.0, used_s=5.0)
    assert machine.cores(11.0, 100.0 + PROCESSORS, used_s=5.0 + PROCESSORS).idle == 0.0


def test_what_is_not_there_is_not_guessed(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert machine.load.cores(1.0) == Cores(PROCESSORS, PROCESSORS)
    assert machine.load.pressure() == 0.0


def test_pressure_is_what_the_kernel_says(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (tmp_path / "pressure").mkdir()
    path = tmp_path / "pressure" / "memory"
    path.write_text("some avg10=12.50 avg60=1.00 avg300=0.00 total=1\nfull avg10=3.00 avg60=0.00 avg300=0.00 total=1\n")
    assert machine.load.pressure() == 12.5
    path.write_text("nonsense\n")
    assert machine.load.pressure() == 0.0
