"""`handle(state, event, now)`: everything the manager decides. Pure: no clock, no process, no socket.

The shell calls it for each event and carries out the commands. After every event the groups it touched are
reconciled, so that the next steps follow from what is, not from what was once intended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.manager.core import ending, haste, lives, model, proving, scaling, steps, transactions, watching
from wsgigroups.manager.core.deadlines import GroupDeadlines, earliest
from wsgigroups.manager.core.model import Progress, State
from wsgigroups.manager.core.turn import Turn
from wsgigroups.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Iterable

LAST_WORDS_S = 0.2  # for a process that is to be killed, to tell what it is doing


def handle(state: State, event: model.Event, now: float) -> tuple[State, tuple[model.Command, ...]]:
    """Return the next state and what to do. now: seconds on the monotonic clock."""
    turn = Turn(state, now)
    touched = _dispatch(turn, event)
    more = transactions.go_on(turn)  # before, so that nothing is begun that is to be undone
    while touched or more:
        for name in dict.fromkeys((*touched, *more)):
            steps.reconcile(turn, name)
        touched, more = ending.go_on(turn), transactions.go_on(turn)
    turn.finish(state)
    return turn.state, tuple(turn.commands)


def next_deadline(state: State) -> float | None:
    """When Tick should be sent at the latest, on the monotonic clock."""
    return earliest(GroupDeadlines().next(state.groups), state.drains_at)


def extend_deadlines(state: State, late_s: float) -> State:
    """Return the state with every deadline moved by the time the manager itself was not running."""
    groups = {
        name: replace(
            haste.postponed(group, late_s),
            records=tuple(record.postponed(late_s) for record in group.records),
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


def check_slots(state: State, name: str, slots: Iterable[int]) -> None:
    """Raise WsgigroupsError for a group or a slot that is not there (4), and for a group that is stopped (1)."""
    check_groups(state, (name,))
    group = state.groups[name]
    for slot in sorted(slots):
        if group.stopped:
            raise WsgigroupsError(
                f"cannot restart {name}/{slot}: the group is stopped", hint=f"`wsgigroups start {name}` starts it"
            )
        if not 0 < slot <= group.wanted:
            there = ", ".join(f"{name}/{number}" for number in range(1, group.wanted + 1))
            raise WsgigroupsError(
                f"cannot find process '{name}/{slot}'",
                hint=f"processes of {name}: {there or 'none'}",
                exit_code=ExitCode.NO_SUCH_GROUP,
            )


def _dispatch(turn: Turn, event: model.Event) -> tuple[str, ...]:
    """Carry out one event; return the groups to reconcile."""
    match event:
        case model.Tick():
            return (*lives.tick(turn), *ending.due(turn))
        case (
            model.Apply()
            | model.Return()
            | model.Pause()
            | model.Resolved()
            | model.StillUnresolved()
            | model.Rerouted()
            | model.CodeKnown()
        ):
            return transactions.asked(turn, event)
        case model.Restart() | model.Reload():
            return _replace_all(turn, event)
        case model.Stop():
            return _stop(turn, event.groups)
        case model.Start():
            return _start(turn, event)
        case model.Scale() | model.Scaled():
            return scaling.numbered(turn, event)
        case model.Shutdown():
            return ending.shutdown(turn, event)
        case model.ScriptChanged() | model.LifeWorn():
            return lives.worn(turn, event)
        case model.RolloutCounted() | model.RoomFound():
            return watching.measured(turn, event)
        case model.GroupTuned():
            return lives.tuned(turn, event)
        case model.StillQueued():
            return lives.queued(turn, event)
        case model.Recovered() | model.ListenersRenewed():
            return _looked_around(turn, event)
        case model.LifeFailed() | model.LifeOverdue() | model.LifeTold():
            return lives.told(turn, event)
        case _:
            return lives.lived(turn, event)


# What people ask


def _looked_around(turn: Turn, event: model.Recovered | model.ListenersRenewed) -> tuple[str, ...]:
    """Processes that nobody reaches any more are replaced without being asked for, each when its successor is ready."""
    if isinstance(event, model.Recovered):
        # the manager before may have had an end put off, when it ended otherwise
        turn.commands.append(model.ServeOn(ending.serving(turn.state.groups)))
        return tuple(sorted(turn.state.groups))
    group = turn.state.groups.get(event.group)
    if group is None or group.bare or not group.wanted:
        return ()
    turn.put(group.restarting(turn.state.next_life))
    turn.commands.append(model.StoreState())
    return (event.group,)


def _replace_all(turn: Turn, event: model.Restart | model.Reload) -> tuple[str, ...]:
    before = turn.state
    for name in event.groups:
        group = turn.state.groups[name]
        slots, target = event.slots.get(name, frozenset()), steps.with_code(group.target, event.code)
        turn.put(
            proving.watch(
                replace(
                    group.restarting(turn.state.next_life, slots),
                    target=target,
                    proved=group.proved if target is group.target else proving.best_known(group),
                    graceful_lives=_graceful(group, slots) if isinstance(event, model.Reload) else frozenset(),
                    last_error=None,
                    stopped=False,
                )
            )
        )
        steps.skip_backoff(turn, name)
    parts = {name: Progress() for name in event.groups}
    if isinstance(event, model.Restart) and event.revision is not None:
        transactions.begin_deploy(turn, before, parts, event.revision)
    else:
        turn.begin_change(event.kind, parts)
    return event.groups


def _graceful(group: model.GroupState, slots: frozenset[int]) -> frozenset[int]:
    return frozenset(r.life for r in group.records if r.live and (not slots or r.slot in slots))


def _stop(turn: Turn, names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        group = turn.state.groups[name]
        # an unknown one cannot be started again
        turn.put(replace(group, stopped=True, removing=group.unknown))
    turn.begin_change("stop", {name: Progress(goal="gone") for name in names})
    return names


def _start(turn: Turn, event: model.Start) -> tuple[str, ...]:
    for name in event.groups:
        group = turn.state.groups[name]
        if not any(record.live for record in group.records):  # those that run have the code that they have
            group = proving.learned(group, steps.with_code(group.target, event.code))
        turn.put(replace(group, stopped=False, last_error=None, automatic=group.automatic or None))
        steps.skip_backoff(turn, name)
    turn.begin_change("start", {name: Progress() for name in event.groups})
    return event.groups
