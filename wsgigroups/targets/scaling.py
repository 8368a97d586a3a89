"""From the options of scaling to the limits that its law keeps, and what `plan` says of them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config.checks.scaling import follows_load
from wsgigroups.plan.scaling import SLEEP_S, ScalingTarget

if TYPE_CHECKING:
    from wsgigroups.config import Group
    from wsgigroups.config.models.server import ServerDefaults


def scaling_of(group: Group, server: ServerDefaults, processes: int) -> ScalingTarget | None:
    """Return the limits of a group; None where its number is fixed. processes: what it begins with."""
    if not follows_load(group):
        return None
    least, most = group.processes_min, group.processes_max
    if least is None:
        least = min(processes, most or processes)
    return ScalingTarget(
        minimum=least,
        maximum=max(1, least, processes) if most is None else most,
        target_utilisation=group.target_utilisation,
        queue_target_s=group.queue_target,
        scale_down_delay_s=group.scale_down_delay,
        sleep_after_s=group.inactivity_timeout or SLEEP_S,
        all_processes=server.processes_max or 0,
        reserve_percent=server.memory_reserve,
    )


def first_of(limits: ScalingTarget | None, processes: int) -> int:
    """How many processes a group begins with: at least one, since somebody has to show that it comes up."""
    return processes if limits is None else max(1, limits.within(processes))


def shared_limits(limits: ScalingTarget | None) -> dict[str, str]:
    """The limits of all groups together, as plans compare them: option of [server] → text."""
    if limits is None:
        return {}
    most = str(limits.all_processes) if limits.all_processes else "none"
    return {"server.processes-max": most, "server.memory-reserve": f"{limits.reserve_percent}%"}
