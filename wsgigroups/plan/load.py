"""How many processes an apply leaves a group whose number follows the load, and what `plan` says of that. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgigroups.plan.desired import GroupTarget
    from wsgigroups.plan.observed import ObservedGroup


def under_load(target: GroupTarget, group: ObservedGroup) -> GroupTarget:
    """Return the target with the number of processes that it has at first: what the load has come to, if it may be."""
    limits = target.scaling
    if limits is None or not (group.follows_load or group.scaled):
        return target
    return replace(target, processes=limits.within(group.processes))


def law_of(target: GroupTarget, group: ObservedGroup | None) -> str:
    """What the load has come to, or where it begins; "" for a number that does not follow it."""
    limits = target.scaling
    if limits is None:
        return ""
    if group is not None and (group.law or group.follows_load):
        return group.law
    least, most = limits.minimum, limits.maximum
    return f"its processes follow the load, from {least} to {most}, and begin with {target.processes}"
