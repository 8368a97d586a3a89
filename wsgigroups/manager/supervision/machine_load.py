"""What the machine has left for further processes: idle processors, and how long others wait for memory.

Reads /proc/stat (proc(5)), cpu.stat of cgroups (cgroups(7), version 2) and /proc/pressure/memory (the kernel's PSI).
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from wsgigroups.host.budget import Capacity, budget
from wsgigroups.manager.supervision.cgroups.hierarchy import own_directories
from wsgigroups.plan.scaling import LATELY_S, Cores

if TYPE_CHECKING:
    from collections.abc import Sequence

PROC = Path("/proc")
AGAIN_S = 10.0  # between two looks at what there is at all
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class MachineLoad:
    """Looked at again and again; times are monotonic seconds. cgroups: those of the manager, from its own one on."""

    proc: Path = PROC
    cgroups: Sequence[Path] | None = None
    _seen: deque[tuple[float, float, float | None]] = field(default_factory=deque)  # when, idle seconds, used by us
    _capacity: Capacity | None = None
    _asked_at: float = 0.0
    _limiting: Path | None = None  # the cgroup whose quota is less than the machine

    def capacity(self, now: float) -> Capacity:
        """What there is. Raises OSError where there is no /proc."""
        if self._capacity is None or now - self._asked_at >= AGAIN_S:
            self._capacity, self._asked_at = budget(proc=self.proc), now
            directories = own_directories() if self.cgroups is None else self.cgroups
            self._limiting = next((path for path in directories if _has_quota(path)), None)
        return self._capacity

    def cores(self, now: float) -> Cores:
        """Processors, and how many of them were idle over the last two seconds; all of them before that is known."""
        number = self.capacity(now).processors
        idle_s = _idle_s(self.proc / "stat")
        used_s = _used_s(self._limiting / "cpu.stat") if self._limiting else None
        if idle_s is None:
            return Cores(number, number)
        self._seen.append((now, idle_s, used_s))
        while len(self._seen) > 2 and now - self._seen[1][0] >= LATELY_S:
            self._seen.popleft()
        since, idle_before_s, used_before_s = self._seen[0]
        if now <= since:
            return Cores(number, number)
        idle = min(number, max(0.0, idle_s - idle_before_s) / (now - since))
        if used_s is not None and used_before_s is not None:
            idle = min(idle, max(0.0, number - (used_s - used_before_s) / (now - since)))
        return Cores(number, idle)

    def pressure(self) -> float:
        """Per cent of the last ten seconds in which somebody waited for memory; 0 where the kernel does not say."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            for line in (self.proc / "pressure" / "memory").read_text(encoding="ascii").splitlines():
                if line.startswith("some "):
                    return float(line.split()[1].removeprefix("avg10="))
        return 0.0


def _idle_s(path: Path) -> float | None:
    """Seconds that processors had nothing to do, or only waited for a disk, added up."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        words = path.read_text(encoding="ascii").split("\n", 1)[0].split()
        return (int(words[4]) + int(words[5])) / _TICKS_PER_S
    return None


def _has_quota(directory: Path) -> bool:
    with contextlib.suppress(OSError, IndexError):
        return (directory / "cpu.max").read_text(encoding="ascii").split()[0] != "max"
    return False


def _used_s(path: Path) -> float | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in path.read_text(encoding="ascii").splitlines():
            if line.startswith("usage_usec "):
                return int(line.split()[1]) / 1e6
    return None
