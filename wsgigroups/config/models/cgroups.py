"""Options of a group that share the machine out: what the kernel's cgroups can do. Pure."""

from __future__ import annotations

from wsgigroups.config.effects import Effect
from wsgigroups.config.kinds import Bytes, Integer, Percent
from wsgigroups.config.models.base import OptionModel, option

_WRITTEN = "written to the group's cgroup while it runs"
_OFF = "0: off"


class CgroupOptions(OptionModel):
    """Limits of a whole group, as systemd.resource-control(5) names them. Processes of applications count, too."""

    memory_high: Bytes = option(
        0,
        "Memory that the group's processes may have together before the kernel slows them down and takes back what it "
        "can (cgroup v2, memory.high). Nobody is killed.",
        default_text=_OFF,
        effect=Effect.LIVE,
        reason=_WRITTEN,
        example="800M",
        zero_allowed=True,
        minimum=1048576,
        related=("memory-max", "memory-soft-limit"),
        extension=True,
    )
    memory_max: Bytes = option(
        0,
        "Memory that the group's processes may have together at most (cgroup v2, memory.max). Beyond it the kernel "
        "kills one of them, and `wsgigroups why` says so.",
        default_text=_OFF,
        effect=Effect.LIVE,
        reason=_WRITTEN,
        example="1G",
        zero_allowed=True,
        minimum=1048576,
        related=("memory-high", "memory-limit"),
        extension=True,
    )
    cpu_weight: Integer = option(
        0,
        "The group's share of the processors while others want them, too (cgroup v2, cpu.weight): twice the number is "
        "twice the time. A group without it counts as 100.",
        default_text="0: 100",
        effect=Effect.LIVE,
        reason=_WRITTEN,
        example=200,
        minimum=0,
        maximum=10000,
        related=("cpu-quota", "cpu-priority"),
        extension=True,
    )
    cpu_quota: Percent = option(
        0,
        "Processor time that the group may take at most, in per cent of one processor (cgroup v2, cpu.max): 150% is "
        "one and a half.",
        default_text=_OFF,
        effect=Effect.LIVE,
        reason=_WRITTEN,
        example="150%",
        related=("cpu-weight", "cpu-time-limit"),
        extension=True,
    )
    tasks_max: Integer = option(
        0,
        "Processes and threads that the group may have together at most (cgroup v2, pids.max). Beyond it fork fails, "
        "which ends a fork bomb. Each process takes threads + 2 of them, and twice as many processes may be there "
        "while they are replaced.",
        default_text=_OFF,
        effect=Effect.LIVE,
        reason=_WRITTEN,
        example=400,
        minimum=0,
        maximum=4_194_304,
        related=("threads", "processes"),
        extension=True,
    )
