"""Memory that is left for further processes: of the machine, of the cgroups around the manager, of a group's limit.

Reads /proc and cgroupfs; runs in the manager's only thread, before processes are replaced and once a second meanwhile.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from wsgigroups.manager.supervision.cgroups.hierarchy import own_directories

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsgigroups.manager.core.model import GroupState

MEMINFO = Path("/proc/meminfo")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def room(group: GroupState, left_bytes: int | None) -> int | None:
    """For how many processes more there is memory, each as large as the largest that runs; None: not known.

    left_bytes: of machine and cgroups (`left`).
    """
    sizes = [own_bytes(record.pid) for record in group.records if record.live and record.pid]
    largest = max(sizes, default=0)
    if not largest:
        return None
    limit = group.target.cgroup.memory_max_bytes
    bounds = [] if left_bytes is None else [left_bytes]
    bounds += [limit - sum(sizes)] if limit else []
    return max(0, min(bounds)) // largest if bounds else None


def left(meminfo: Path = MEMINFO, cgroups: Sequence[Path] | None = None) -> int | None:
    """Bytes that can be had without swapping (proc(5): MemAvailable) and without a limit of a cgroup; None: unknown.

    cgroups: those of the manager, from its own one upwards.
    """
    found = [_available(meminfo), *map(_left_in, own_directories() if cgroups is None else cgroups)]
    return min((left_bytes for left_bytes in found if left_bytes is not None), default=None)


def own_bytes(pid: int) -> int:
    """Return the resident memory of a process that no file backs (proc(5): statm); 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            _size, resident, shared = (int(number) for number in file.read().split()[:3])
    except (OSError, ValueError):
        return 0
    return max(0, resident - shared) * _PAGE_BYTES


def _available(meminfo: Path) -> int | None:
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)
    except (OSError, ValueError, IndexError):
        return None


def _left_in(directory: Path) -> int | None:
    """Bytes up to memory.max; what the kernel would drop first counts as free (cgroup v2, memory.stat)."""
    try:
        limit = (directory / "memory.max").read_text(encoding="ascii").strip()
        if limit == "max":
            return None
        used = int((directory / "memory.current").read_text(encoding="ascii"))
        lines = (directory / "memory.stat").read_text(encoding="ascii").splitlines()
        return int(limit) - used + sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
    except (OSError, ValueError, IndexError):
        return None
