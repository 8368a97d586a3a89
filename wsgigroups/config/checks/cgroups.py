"""Limits of a group's cgroup against each other and against what its processes take. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsgigroups.config.models.group import Group
    from wsgigroups.config.models.server import ServerDefaults

THREADS_BESIDE = 2  # of a process, besides those for requests: the main thread and the monitor


def check_cgroups(group: Group, _server: ServerDefaults) -> Iterator[tuple[str, str, str, str]]:
    """Yield code, option, message and hint."""
    if group.memory_max and group.memory_high >= group.memory_max:
        yield (
            "WG0527",
            "memory-high",
            (
                f"memory-high ({format_bytes(group.memory_high)}) is not below memory-max "
                f"({format_bytes(group.memory_max)}): a process is killed before the group is slowed down"
            ),
            "set it to four fifths of memory-max",
        )
    least = (group.threads + THREADS_BESIDE) * group.processes
    if 0 < group.tasks_max < least:
        yield (
            "WG0528",
            "tasks-max",
            f"tasks-max is {group.tasks_max}, the group's processes and threads are {least}",
            f"at least {2 * least}, because old and new processes are there together while they are replaced",
        )
