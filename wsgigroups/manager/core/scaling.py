"""Groups are given another number of processes: by hand, or by their load. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.manager.core import model
from wsgigroups.manager.core.changes import Progress, by_hand
from wsgigroups.replacing import replace

if TYPE_CHECKING:
    from wsgigroups.manager.core.turn import Turn
    from wsgigroups.plan.desired import GroupTarget


def numbered(turn: Turn, event: model.Scale | model.Scaled) -> tuple[str, ...]:
    """Carry out either; return the groups to reconcile."""
    return _by_hand(turn, event) if isinstance(event, model.Scale) else _by_load(turn, event)


def _by_hand(turn: Turn, event: model.Scale) -> tuple[str, ...]:
    for name, processes in event.processes.items():
        group = turn.state.groups[name]
        override, proved = by_hand(group.target, processes), group.proved
        # a rollout, or an apply, that is given up does not take back what was asked for meanwhile
        if proved and group.unproved:
            proved = proved.scaled(processes)
        turn.put(replace(group, processes_override=override, stopped=False, proved=proved))
        if turn.state.transaction:
            turn.state = replace(turn.state, transaction=turn.state.transaction.scaled(name, processes))
    turn.begin_change("scale", {name: Progress() for name in event.processes})
    return tuple(event.processes)


def _by_load(turn: Turn, event: model.Scaled) -> tuple[str, ...]:
    """Have another number of processes, within the limits of today; return the groups to reconcile.

    A number that was pinned by hand stays, and what is stopped stays so.
    """
    group = turn.state.groups.get(event.group)
    if group is None or not group.follows_load or turn.state.draining:
        return ()
    before = group.wanted
    after = replace(group, automatic=event.processes)
    if after.wanted == before:
        return ()
    turn.put(after)
    turn.note("info", f"{event.group}: {before} → {after.wanted} processes: {event.reason}", event.group)
    turn.commands.append(model.StoreState())
    return (event.group,)


def kept(group: model.GroupState, target: GroupTarget) -> int | None:
    """What the load has come to when a group gets another target: one that sleeps shows that it comes up."""
    if target.scaling is None:
        return None
    return (group.automatic if group.processes_override is None else group.processes_override) or None
