"""What a server costs: processor seconds and proportional memory of its whole process tree.

Runs in the benchmark's process and reads /proc (proc(5)); children that ended in between are not counted, and no
server under load here ends any.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Cost:
    """Sums over processes."""

    user_s: float
    system_s: float
    pss_bytes: int
    processes: int

    @property
    def cpu_s(self) -> float:
        """Processor time of both kinds."""
        return self.user_s + self.system_s


def tree(roots: Iterable[int]) -> list[psutil.Process]:
    """Return the processes of `roots` and everything below them, each once."""
    found: dict[int, psutil.Process] = {}
    for pid in roots:
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(pid)
            for process in (root, *root.children(recursive=True)):
                found[process.pid] = process
    return list(found.values())


def cost(roots: Iterable[int]) -> Cost:
    """Return what the trees have used until now."""
    return total(tree(roots))


def own_cost(pid: int) -> Cost:
    """Return what one process has used, without what is below it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return total([psutil.Process(pid)])
    return Cost(0.0, 0.0, 0, 0)


def total(of: Iterable[psutil.Process]) -> Cost:
    """Return the sum over processes; those that have ended count nothing."""
    user_s, system_s, pss_bytes, processes = 0.0, 0.0, 0, 0
    for process in of:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            user_s += times.user
            system_s += times.system
            pss_bytes += process.memory_full_info().pss
            processes += 1
    return Cost(user_s, system_s, pss_bytes, processes)
