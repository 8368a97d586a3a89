"""`handle(state, event, now)`: everything the manager decides. Pure: no clock, no process, no socket.

The shell calls it for each event and carries out the commands. After every event the groups it touched are
reconciled, so that the next steps follow from what is, not from what was once intended.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.lifecycle import step as lifecycle
from wsgigroups.lifecycle.table import EventKind, Tenancy
from wsgigroups.manager.core import haste, lives, model, proving, steps
from wsgigroups.manager.core.model import GroupState, LastError, Progress, State
from wsgigroups.manager.core.turn import Turn
from wsgigroups.plan.planner import needs_replacement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wsgigroups.plan.desired import GroupTarget

LAST_WORDS_S = 0.2  # for a process that is to be killed, to tell what it is doing


def handle(state: State, event: model.Event, now: float) -> tuple[State, tuple[model.Command, ...]]:
    """Return the next state and what to do. now: seconds on the monotonic clock."""
    turn = Turn(state, now)
    touched = _dispatch(turn, event)
    for name in touched:
        steps.reconcile(turn, name)
    return turn.state, tuple(turn.commands)


def next_deadline(state: State) -> float | None:
    """When Tick should be sent at the latest, on the monotonic clock."""
    deadlines = [r.deadline for g in state.groups.values() for r in g.records if r.deadline is not None]
    looks = [group.look_at for group in state.groups.values() if group.look_at is not None]
    wishes = (when for g in state.groups.values() for when in haste.next_wish(g))
    return min((*deadlines, *looks, *wishes), default=None)


def extend_deadlines(state: State, late_s: float) -> State:
    """Return the state with every deadline moved by the time the manager itself was not running."""
    groups = {
        name: replace(
            haste.postponed(group, late_s),
            records=tuple(
                record if record.deadline is None else replace(record, deadline=record.deadline + late_s)
                for record in group.records
            ),
        )
        for name, group in state.groups.items()
    }
    return replace(state, groups=groups)


def check_groups(state: State, names: Iterable[str]) -> None:
    """Raise WsgigroupsError for a group that is not there (exit code 4)."""
    for name in names:
        if name not in state.groups or state.groups[name].removing:
            known = ", ".join(sorted(state.groups)) or "none"
            raise WsgigroupsError(
                f"cannot find group {name!r}", hint=f"groups here: {known}", exit_code=ExitCode.NO_SUCH_GROUP
            )


def check_startable(state: State, names: Iterable[str]) -> None:
    """Raise WsgigroupsError for a group that is not there (4), or that no process can be started of (1)."""
    check_groups(state, names)
    for name in names:
        group = state.groups[name]
        if group.bare:
            raise WsgigroupsError(
                f"cannot start a process of {name!r}: {steps.why_bare(group)}",
                hint="`wsgigroups apply FILE` with a file that has this group takes it over",
                exit_code=ExitCode.FAILED,
            )


def _dispatch(turn: Turn, event: model.Event) -> tuple[str, ...]:
    """Carry out one event; return the groups to reconcile."""
    match event:
        case model.Tick():
            return lives.tick(turn)
        case model.Apply():
            return _apply(turn, event)
        case model.Resolved() | model.StillUnresolved():
            return _looked_again(turn, event)
        case model.Restart() | model.Reload():
            return _replace_all(turn, event)
        case model.Stop():
            return _stop(turn, event.groups)
        case model.Start():
            return _start(turn, event.groups)
        case model.Scale():
            return _scale(turn, event)
        case model.Shutdown():
            return _shutdown(turn, event)
        case model.ScriptChanged():
            return lives.worn(turn, event.life, haste.SCRIPT)
        case model.LifeWorn():
            return lives.worn(turn, event.life, event.reason)
        case model.GroupTuned():
            return lives.tuned(turn, event)
        case model.Recovered() | model.ListenersRenewed():
            return _looked_around(turn, event)
        case model.LifeFailed() | model.LifeOverdue() | model.LifeTold():
            return lives.told(turn, event)
        case _:
            return lives.lived(turn, event)


# What people ask


def _apply(turn: Turn, event: model.Apply) -> tuple[str, ...]:
    names = sorted({*turn.state.groups, *event.targets, *event.unresolved})
    parts: dict[str, Progress] = {}
    for name in names:
        target, group = event.targets.get(name), turn.state.groups.get(name)
        if name in event.unresolved:
            turn.put(_unresolved(group, event.unresolved[name]))
            parts[name] = Progress()
        elif target is None:
            assert group is not None
            if group.unknown and not _in_the_way(group, event.targets):
                continue  # nobody asked for its end
            turn.put(replace(group, removing=True))
            parts[name] = Progress(goal="gone")
        elif group is None:
            turn.put(GroupState(target))
            parts[name] = Progress()
        elif _changes(group, target):
            turn.put(_retarget(turn, group, target))
            parts[name] = Progress(goal="gone" if group.stopped else "settled")
    turn.state = replace(turn.state, revision=event.revision)
    turn.begin_change(event.kind, parts, event.revision)
    for name, unresolved in event.unresolved.items():
        turn.settle(name, Progress("failed", error=LastError(0, 0, unresolved.reason)))
    return tuple(names)


def _changes(group: GroupState, target: GroupTarget) -> bool:
    differs = group.target != target or group.processes_override is not None
    return differs or group.removing or group.unknown or bool(group.unresolved)


def _unresolved(group: GroupState | None, found: model.Unresolved) -> GroupState:
    """What runs of the group stays as it is until the group can be what is asked for."""
    kept = GroupState(found.described) if group is None or (group.bare and not group.records) else group
    return replace(kept, unresolved=found.reason, last_error=LastError(0, 0, found.reason), removing=False)


def _looked_again(turn: Turn, event: model.Resolved | model.StillUnresolved) -> tuple[str, ...]:
    """What the configuration asks for was tried again on this host."""
    name = event.target.name if isinstance(event, model.Resolved) else event.group
    group = turn.state.groups.get(name)
    if group is None or not group.unresolved or group.removing:
        return ()
    if isinstance(event, model.Resolved):
        turn.put(replace(_retarget(turn, group, event.target), processes_override=group.processes_override))
        turn.note("info", f"{name}: what the configuration asks for can be had now", name)
    elif group.unresolved != event.reason:
        turn.put(replace(group, unresolved=event.reason, last_error=LastError(0, 0, event.reason)))
        turn.note("error", f"{name}: {event.reason}", name)
    return (name,)


def _in_the_way(group: GroupState, targets: Mapping[str, GroupTarget]) -> bool:
    """Whether another group asks for an address of this one: the two cannot answer on it side by side."""
    wanted = {listener.address for target in targets.values() for listener in target.listeners}
    return any(listener.address in wanted for listener in group.target.listeners)


def _retarget(turn: Turn, group: GroupState, target: GroupTarget) -> GroupState:
    """Give a group a new target; what is live goes to the running processes, the rest to their successors."""
    live = tuple(record.life for record in group.records if record.live)
    if live:
        turn.commands.append(model.TuneGroup(target, live))
    # of an unknown group only fingerprints are known, and each process that has another one is outdated anyway
    replaced = not group.bare and needs_replacement(target, group.target.options, group.target.fingerprint)
    raised = replaced and target.fingerprint == group.target.fingerprint
    proved = None if group.bare else proving.best_known(group)
    if not replaced and not group.bare and not group.unproved:
        proved = model.Proved(target)  # what is live asks nothing of new processes
    after = replace(
        haste.forgiven(group),
        target=target,
        records=steps.retimed(group.records, target),
        untuned=group.untuned.union(live),
        proved=proved if replaced or group.proved else None,
        processes_override=None,
        removing=False,
        unknown=False,
        unresolved="",
        restart_before=turn.state.next_life if raised else group.restart_before,
        last_error=None,
        starved={},
        fits=None,
    )
    return proving.watch(after) if replaced else after


def _looked_around(turn: Turn, event: model.Recovered | model.ListenersRenewed) -> tuple[str, ...]:
    """Processes that nobody reaches any more are replaced without being asked for, each when its successor is ready."""
    if isinstance(event, model.Recovered):
        return tuple(sorted(turn.state.groups))
    group = turn.state.groups.get(event.group)
    if group is None or group.bare or not group.wanted:
        return ()
    turn.put(replace(group, restart_before=turn.state.next_life))
    turn.commands.append(model.StoreState())
    return (event.group,)


def _replace_all(turn: Turn, event: model.Restart | model.Reload) -> tuple[str, ...]:
    for name in event.groups:
        group = turn.state.groups[name]
        graceful = isinstance(event, model.Reload)
        turn.put(
            proving.watch(
                replace(
                    group,
                    restart_before=turn.state.next_life,
                    graceful_lives=frozenset(r.life for r in group.records) if graceful else frozenset(),
                    last_error=None,
                    stopped=False,
                    fits=None,
                )
            )
        )
        _skip_backoff(turn, name)
    turn.begin_change(event.kind, {name: Progress() for name in event.groups})
    return event.groups


def _stop(turn: Turn, names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        group = turn.state.groups[name]
        # an unknown one cannot be started again
        turn.put(replace(group, stopped=True, removing=group.unknown))
    turn.begin_change("stop", {name: Progress(goal="gone") for name in names})
    return names


def _start(turn: Turn, names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        turn.put(replace(turn.state.groups[name], stopped=False, last_error=None))
        _skip_backoff(turn, name)
    turn.begin_change("start", {name: Progress() for name in names})
    return names


def _scale(turn: Turn, event: model.Scale) -> tuple[str, ...]:
    for name, processes in event.processes.items():
        group = turn.state.groups[name]
        override = None if processes == group.target.processes else processes
        # a rollout that is given up does not take back what was asked for meanwhile
        proved = (
            replace(group.proved, processes_override=processes) if group.proved and group.unproved else group.proved
        )
        if proved and proved.processes_override == proved.target.processes:
            proved = replace(proved, processes_override=None)
        turn.put(replace(group, processes_override=override, stopped=False, proved=proved))
    turn.begin_change("scale", {name: Progress() for name in event.processes})
    return tuple(event.processes)


def _shutdown(turn: Turn, event: model.Shutdown) -> tuple[str, ...]:
    names = tuple(sorted(turn.state.groups))
    turn.state = replace(turn.state, stopping=True)
    for name in names:
        turn.put(replace(turn.state.groups[name], removing=True))
        if event.now:
            for record in turn.state.groups[name].records:
                if record.state is not Tenancy.DRAINING:
                    steps.step(turn, record, lifecycle.Event(EventKind.WANT_DOWN, reason="shutdown"))
            draining = [r for r in turn.state.groups[name].records if r.state is Tenancy.DRAINING]
            for record in draining:
                steps.step(turn, record, lifecycle.Event(EventKind.OVERDUE))
    turn.begin_change("shutdown", {name: Progress(goal="gone") for name in names})
    return names


def _skip_backoff(turn: Turn, name: str) -> None:
    turn.put(haste.forgiven(turn.state.groups[name]))
    for record in turn.state.groups[name].records:
        if record.state in (Tenancy.COOLING, Tenancy.FAILED):
            steps.step(turn, record, lifecycle.Event(EventKind.WANT_UP, new_life=turn.new_life()))
