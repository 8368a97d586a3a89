"""The number of processes that a group has on this host, where its configuration leaves that to us."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config.counted_kinds import AUTO
from wsgigroups.host.budget import automatic, budget

if TYPE_CHECKING:
    from wsgigroups.config import Group
    from wsgigroups.targets.once import Once


def processes_of(group: Group, once: Once) -> tuple[int, list[str]]:
    """Return how many, and what `plan` says of it. Raises OSError where there is no /proc."""
    if group.processes != AUTO:
        return group.processes, []
    limits = [size for size in (group.memory_max, group.memory_limit, group.memory_soft_limit) if size]
    number, text = automatic(once.of("budget", budget), min(limits, default=0))
    return number, [f"processes = {number}: {text}"]
