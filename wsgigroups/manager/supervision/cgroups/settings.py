"""Options to what the files of a cgroup take (cgroup v2: Documentation/admin-guide/cgroup-v2.rst). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsgigroups.plan.desired import CgroupTarget

if TYPE_CHECKING:
    from collections.abc import Iterable

PERIOD_US = 100_000  # the kernel's own, of cpu.max


@dataclass(frozen=True, slots=True)
class Setting:
    """One option in one file. asked: whether somebody set it; without that it is the kernel's default."""

    option: str
    controller: str
    file: str
    text: str
    asked: bool


def settings(target: CgroupTarget) -> tuple[Setting, ...]:
    """Return what each file of a group's cgroup is to hold."""

    def setting(option: str, file: str, value: int, text: str) -> Setting:
        return Setting(option, file.partition(".")[0], file, text, bool(value))

    quota_us = target.cpu_quota_percent * PERIOD_US // 100
    return (
        setting("memory-high", "memory.high", target.memory_high_bytes, _or_max(target.memory_high_bytes)),
        setting("memory-max", "memory.max", target.memory_max_bytes, _or_max(target.memory_max_bytes)),
        setting("cpu-weight", "cpu.weight", target.cpu_weight, str(target.cpu_weight or 100)),
        setting("cpu-quota", "cpu.max", quota_us, f"{_or_max(quota_us)} {PERIOD_US}"),
        setting("tasks-max", "pids.max", target.tasks_max, _or_max(target.tasks_max)),
    )


def controllers(target: CgroupTarget) -> frozenset[str]:
    """Return the controllers that these limits need."""
    return frozenset(setting.controller for setting in settings(target) if setting.asked)


def widest(targets: Iterable[CgroupTarget]) -> CgroupTarget:
    """Return limits that let each of these have what is its own: the highest of each, none where one has none.

    The weight is a share, not a limit: the highest that somebody asked for, or the kernel's own where nobody did.
    """
    found = list(targets)

    def highest(values: list[int]) -> int:
        return max(values) if all(values) else 0

    return CgroupTarget(
        memory_high_bytes=highest([target.memory_high_bytes for target in found]),
        memory_max_bytes=highest([target.memory_max_bytes for target in found]),
        cpu_weight=max(target.cpu_weight for target in found),
        cpu_quota_percent=highest([target.cpu_quota_percent for target in found]),
        tasks_max=highest([target.tasks_max for target in found]),
    )


def read_events(text: str) -> dict[str, int]:
    """Return the counts of a file of flat keys, such as memory.events; what is no count is left out."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _or_max(value: int) -> str:
    return str(value) if value else "max"
