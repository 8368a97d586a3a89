"""When what is new is good: how far a rollout may go, when its target is proved, and the return to the one before.

Pure; called by the core. The first processes of what is new keep their predecessors until they have been ready for
`min-ready-time`; then, and after `canary-time`, the others follow as soon as they are ready. A target is proved when
all its processes are in place after that. It is what a later rollout returns to, and stays that until another is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core.model import GroupState, Proved
from wsgigroups.plan.rollout import Budget, Member, settled
from wsgigroups.replacing import replace

if TYPE_CHECKING:
    from wsgigroups.lifecycle.step import Record
    from wsgigroups.plan.desired import GroupTarget


def best_known(group: GroupState) -> Proved | None:
    """What to return to when the next target fails: the last one that was proved, else one whose processes serve."""
    if group.proved is None:
        came_up = any(r.state is Tenancy.READY and r.fingerprint == group.target.fingerprint for r in group.records)
        return Proved(group.target, group.processes_override) if came_up else None
    return group.proved if group.unproved else Proved(group.target, group.processes_override)


def learned(group: GroupState, target: GroupTarget) -> GroupState:
    """Return the group with a target that differs in what is known of it alone: it is as proved as before."""
    proved = group.proved if group.unproved else Proved(target, group.processes_override)
    return replace(group, target=target, proved=proved)


def watch(group: GroupState) -> GroupState:
    """Return the group with its next processes watched, before they replace those that serve or can be returned to."""
    return replace(group, watched=group.fallback is not None or any(r.state is Tenancy.READY for r in group.records))


def gated(group: GroupState, now: float) -> bool:
    """Whether the first processes of what is new have still to show that they last."""
    policy = group.target.rollout
    return group.watched and not _lasted(group, policy.min_ready_time_s + policy.canary_time_s, now)


def watch_s(group: GroupState, now: float) -> float | None:
    """How long the first processes have to last in all, while some that are ready have not yet; else None."""
    policy = group.target.rollout
    return policy.min_ready_time_s + policy.canary_time_s if gated(group, now) and _current(group) else None


def members(group: GroupState, now: float) -> tuple[Member, ...]:
    """The records as the rollout sees them."""
    whole = not gated(group, now)
    time_s = group.target.rollout.min_ready_time_s
    return tuple(
        member if whole or _ready_for(record, time_s, now) else replace(member, seasoned=False)
        for record, member in zip(group.records, group.members(), strict=True)
    )


def budget(group: GroupState, now: float) -> Budget:
    """Return how far the replacement may go at once."""
    policy = group.target.rollout
    surge = policy.max_surge.up(group.wanted)
    unavailable = policy.max_unavailable.down(group.wanted)
    if not group.fallback and all(r.life in group.recycle for r in group.records if group.outdated(r)):
        surge, unavailable = min(1, surge), min(1, unavailable)
    if group.fits is not None:
        surge = min(surge, group.fits)
    if surge == 0:
        unavailable = max(1, unavailable)
    return Budget(surge, unavailable, _left_alone(group) + _canaries(group) if gated(group, now) else None)


def follows(group: GroupState, record: Record) -> bool:
    """Whether a record is to have a process while another one of its slot is still there."""
    return any(other.slot == record.slot and other.live for other in group.records if other is not record)


def lacks_room(group: GroupState, record: Record, now: float) -> bool:
    """Whether a successor that is to begin now would be one more process than there is memory for."""
    if group.fits is None or not follows(group, record):
        return False
    others = sum(other.live for other in group.records if other is not record)
    return others >= group.wanted + budget(group, now).surge


def came_up(group: GroupState, now: float) -> bool:
    """Whether all that was asked for is in place, and what is watched has lasted."""
    return bool(group.wanted) and settled(group.wanted, group.members()) and not gated(group, now)


def concluded(group: GroupState, now: float) -> GroupState:
    """Return a group that came up, its target proved if its first processes have lasted."""
    if group.fallback or group.restart_before:
        group = replace(group.restarted(), last_error=None)
    group = replace(group, watched=False, fits=None)
    if not group.unproved or not _lasted(group, group.target.rollout.min_ready_time_s, now):
        return group
    return replace(group, proved=Proved(group.target, group.processes_override))


def next_look(group: GroupState, now: float) -> float | None:
    """When time alone changes what the group may do; on the monotonic clock."""
    if not (group.watched or group.unproved) or not group.wanted:
        return None
    policy = group.target.rollout
    marks = {policy.min_ready_time_s, policy.min_ready_time_s + policy.canary_time_s}
    times = [r.ready_at + mark for r in _current(group) for mark in marks if r.ready_at is not None]
    return min((time for time in times if time > now), default=None)


def _canaries(group: GroupState) -> int:
    concerned = group.wanted - _left_alone(group)
    return min(concerned, max(1, group.target.rollout.canary.up(concerned)))


def _left_alone(group: GroupState) -> int:
    """How many slots a restart of some does not concern."""
    slots = group.restart_slots
    return sum(slot not in slots for slot in range(1, group.wanted + 1)) if slots else 0


def _current(group: GroupState) -> list[Record]:
    return [r for r in group.records if r.state is Tenancy.READY and group.is_new(r)]


def _lasted(group: GroupState, time_s: float, now: float) -> bool:
    return sum(_ready_for(record, time_s, now) for record in _current(group)) >= _canaries(group)


def _ready_for(record: Record, time_s: float, now: float) -> bool:
    return record.ready_at is not None and now >= record.ready_at + time_s
