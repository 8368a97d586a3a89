"""How many processors and how much memory there are for a process: of the machine, or less where a cgroup says so.

Reads /proc and /sys/fs/cgroup (cgroups(7), version 2). The arithmetic is pure.
"""

from __future__ import annotations

import contextlib
import math
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from wsgigroups.config.units import approximate_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")
PART = 0.8  # of the memory that processes may have; the rest is the kernel's, the manager's and everybody's
USUAL_BYTES = 256 * 1024**2  # of a process of which no limit says how large it may become


@dataclass(frozen=True, slots=True)
class Capacity:
    """What there is. processors: of a quota a part of one may be there; each with where it is from, for people."""

    processors: float
    memory_bytes: int
    of_processors: str = "the machine"
    of_memory: str = "the machine"


def budget(pid: int | str = "self", proc: Path = PROC, cgroups: Path = CGROUPS) -> Capacity:
    """Return what there is for a process and those that it starts. Raises OSError where there is no /proc."""
    processors, of_processors = float(_allowed(pid)), "the machine"
    memory_bytes, of_memory = _machine_bytes(proc), "the machine"
    for directory in _directories(proc / str(pid) / "cgroup", cgroups):
        quota = _quota(directory / "cpu.max")
        if quota is not None and quota < processors:
            processors, of_processors = quota, "cpu.max of its cgroup"
        limit = _limit(directory / "memory.max")
        if limit is not None and limit < memory_bytes:
            memory_bytes, of_memory = limit, "memory.max of its cgroup"
    return Capacity(processors, memory_bytes, of_processors, of_memory)


def _allowed(pid: int | str) -> int:
    with contextlib.suppress(OSError, ValueError):
        return len(os.sched_getaffinity(0 if pid == "self" else int(pid)))
    return os.cpu_count() or 1


def _machine_bytes(proc: Path) -> int:
    for line in (proc / "meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return 0


def _directories(membership: Path, cgroups: Path) -> Iterator[Path]:
    """The cgroup of a process and all above it."""
    with contextlib.suppress(OSError):
        for line in membership.read_text().splitlines():
            number, _controllers, path = line.split(":", 2)
            if number == "0":
                parts = [part for part in PurePosixPath(path).parts[1:] if part != ".."]
                for count in range(len(parts), -1, -1):
                    yield cgroups.joinpath(*parts[:count])


def _quota(path: Path) -> float | None:
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        quota, period = path.read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    return None


def _limit(path: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        text = path.read_text().strip()
        return None if text == "max" else int(text)
    return None


def most_by_memory(found: Capacity, process_bytes: int) -> int:
    """Return how many processes of this size there is memory for; at least one."""
    return max(1, int(found.memory_bytes * PART / process_bytes)) if process_bytes else 1


def automatic(found: Capacity, process_bytes: int = 0) -> tuple[int, str]:
    """Return the number of processes for `processes = "auto"`, and how it was reckoned.

    process_bytes: how large a process may become by its limits; 0: they do not say.
    """
    by_processors = max(1, math.ceil(found.processors))
    by_memory = most_by_memory(found, process_bytes or USUAL_BYTES)
    size = approximate_bytes(process_bytes or USUAL_BYTES)
    whose = "its limit" if process_bytes else "no limit says more"
    text = (
        f"{found.processors:g} processors ({found.of_processors}), one process for each: {by_processors}; "
        f"{approximate_bytes(found.memory_bytes)} of memory ({found.of_memory}) × {PART:g} ÷ {size} "
        f"a process ({whose}): {by_memory}; the smaller is {min(by_processors, by_memory)}"
    )
    return min(by_processors, by_memory), text
