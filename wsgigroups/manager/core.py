"""`handle(state, event, now)`: everything the manager decides. Pure: no clock, no process, no socket.

The shell calls it for each event and carries out the commands. After every event the groups it touched are
reconciled, so that the next steps follow from what is, not from what was once intended.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.lifecycle import step as lifecycle
from wsgigroups.lifecycle.step import Record, Timings
from wsgigroups.lifecycle.table import Action, EventKind, Tenancy
from wsgigroups.manager import haste, model
from wsgigroups.manager.blame import did_not_start, judged, out_of_memory
from wsgigroups.manager.model import GroupState, LastError, Progress, State
from wsgigroups.manager.totals import added
from wsgigroups.manager.turn import Turn
from wsgigroups.plan import rollout
from wsgigroups.plan.planner import needs_replacement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsgigroups.plan.desired import GroupTarget

LAST_WORDS_S = 0.2  # for a process that is to be killed, to tell what it is doing


def handle(state: State, event: model.Event, now: float) -> tuple[State, tuple[model.Command, ...]]:
    """Return the next state and what to do. now: seconds on the monotonic clock."""
    turn = Turn(state, now)
    touched = _dispatch(turn, event)
    for name in touched:
        _reconcile(turn, name)
    return turn.state, tuple(turn.commands)


def next_deadline(state: State) -> float | None:
    """When Tick should be sent at the latest, on the monotonic clock."""
    deadlines = [r.deadline for g in state.groups.values() for r in g.records if r.deadline is not None]
    return min((*deadlines, *(when for g in state.groups.values() for when in haste.next_wish(g))), default=None)


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


def _dispatch(turn: Turn, event: model.Event) -> tuple[str, ...]:
    """Carry out one event; return the groups to reconcile."""
    match event:
        case model.Tick():
            return _tick(turn)
        case model.Apply():
            return _apply(turn, event)
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
            return _worn(turn, event.life, haste.SCRIPT)
        case model.LifeWorn():
            return _worn(turn, event.life, event.reason)
        case model.GroupTuned():
            return _tuned(turn, event)
        case model.Recovered():
            return tuple(sorted(turn.state.groups))
        case model.LifeFailed() | model.LifeOverdue() | model.LifeTold():
            return _told(turn, event)
        case _:
            return _lived(turn, event)


# What people ask


def _apply(turn: Turn, event: model.Apply) -> tuple[str, ...]:
    names = sorted({*turn.state.groups, *event.targets})
    parts: dict[str, Progress] = {}
    for name in names:
        target, group = event.targets.get(name), turn.state.groups.get(name)
        if target is None:
            assert group is not None
            turn.put(replace(group, removing=True, fallback=None))
            parts[name] = Progress(goal="gone")
        elif group is None:
            turn.put(GroupState(target))
            parts[name] = Progress()
        elif _changes(group, target):
            turn.put(_retarget(turn, group, target))
            parts[name] = Progress(goal="gone" if group.stopped else "settled")
    turn.state = replace(turn.state, revision=event.revision)
    turn.begin_change(event.kind, parts, event.revision)
    return tuple(names)


def _changes(group: GroupState, target: GroupTarget) -> bool:
    return group.target != target or group.processes_override is not None or group.removing


def _retarget(turn: Turn, group: GroupState, target: GroupTarget) -> GroupState:
    """Give a group a new target; what is live goes to the running processes, the rest to their successors."""
    live = tuple(record.life for record in group.records if record.live)
    if live:
        turn.commands.append(model.TuneGroup(target, live))
    replaced = needs_replacement(target, group.target.options, group.target.fingerprint)
    raised = replaced and target.fingerprint == group.target.fingerprint
    return replace(
        haste.forgiven(group),
        target=target,
        records=_retimed(group.records, target),
        untuned=group.untuned.union(live),
        fallback=group.target if replaced and not group.stopped else None,
        processes_override=None,
        removing=False,
        restart_before=turn.state.next_life if raised else group.restart_before,
        last_error=None,
        starved={},
    )


def _retimed(records: Iterable[Record], target: GroupTarget) -> tuple[Record, ...]:
    """Give records the durations of a target: they are live, for the next life of a slot as for this one's end."""
    timings = Timings(target.startup_timeout_s, target.spec.shutdown_timeout_s)
    return tuple(replace(record, timings=timings) for record in records)


def _replace_all(turn: Turn, event: model.Restart | model.Reload) -> tuple[str, ...]:
    for name in event.groups:
        group = turn.state.groups[name]
        graceful = isinstance(event, model.Reload)
        turn.put(
            replace(
                group,
                restart_before=turn.state.next_life,
                graceful_lives=frozenset(r.life for r in group.records) if graceful else frozenset(),
                last_error=None,
                stopped=False,
            )
        )
        _skip_backoff(turn, name)
    turn.begin_change(event.kind, {name: Progress() for name in event.groups})
    return event.groups


def _stop(turn: Turn, names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        turn.put(replace(turn.state.groups[name], stopped=True, fallback=None))
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
        turn.put(replace(group, processes_override=override, stopped=False))
    turn.begin_change("scale", {name: Progress() for name in event.processes})
    return tuple(event.processes)


def _shutdown(turn: Turn, event: model.Shutdown) -> tuple[str, ...]:
    names = tuple(sorted(turn.state.groups))
    turn.state = replace(turn.state, stopping=True)
    for name in names:
        turn.put(replace(turn.state.groups[name], removing=True, fallback=None))
        if event.now:
            for record in turn.state.groups[name].records:
                if record.state is not Tenancy.DRAINING:
                    _step(turn, record, lifecycle.Event(EventKind.WANT_DOWN, reason="shutdown"))
            draining = [r for r in turn.state.groups[name].records if r.state is Tenancy.DRAINING]
            for record in draining:
                _step(turn, record, lifecycle.Event(EventKind.OVERDUE))
    turn.begin_change("shutdown", {name: Progress(goal="gone") for name in names})
    return names


def _skip_backoff(turn: Turn, name: str) -> None:
    turn.put(haste.forgiven(turn.state.groups[name]))
    for record in turn.state.groups[name].records:
        if record.state in (Tenancy.COOLING, Tenancy.FAILED):
            _step(turn, record, lifecycle.Event(EventKind.WANT_UP, new_life=turn.new_life()))


# What processes do


def _tick(turn: Turn) -> tuple[str, ...]:
    touched = set()
    for name, group in turn.state.groups.items():
        for record in group.records:
            if record.deadline is not None and record.deadline <= turn.now:
                if record.state is Tenancy.STARTING:
                    limit_s = group.target.startup_timeout_s
                    error = LastError(record.slot, record.life, f"not ready within startup-timeout ({limit_s:g} s)")
                    turn.put(turn.state.groups[name].blamed(error))
                _step(turn, record, lifecycle.Event(EventKind.OVERDUE, new_life=turn.new_life()))
                touched.add(name)
        before = turn.state.groups[name]
        after = haste.due(before, turn.now, turn.state.next_life)
        if after is not before:
            turn.put(after)
            touched.add(name)
    return tuple(sorted(touched))


def _worn(turn: Turn, life: int, reason: str) -> tuple[str, ...]:
    """A process wants a successor, or it is time for one."""
    found = turn.state.find(life)
    if found is None or found[0].stopped or found[0].removing:
        return ()
    group, record = found
    after, delay_s = haste.worn(group, record, reason, turn.now, turn.state.next_life)
    if after is group:
        return ()
    when = f"a successor starts in {delay_s:.2g} s, it was ready for a moment only" if delay_s else "a successor starts"
    turn.note("info", f"{record}: {reason}, {when}", group.target.name)
    turn.put(after)
    return (group.target.name,)


def _tuned(turn: Turn, event: model.GroupTuned) -> tuple[str, ...]:
    """Replace the processes of a group when one of them cannot be what was asked for: nothing is done by halves."""
    group = turn.state.groups.get(event.group)
    if group is None:
        return ()
    before = turn.state.next_life if event.refused else group.restart_before
    on_the_way = {record.life for record in group.records if record.state in (Tenancy.SPAWNING, Tenancy.STARTING)}
    untuned = group.untuned.difference(set(event.lives) - on_the_way)
    turn.put(replace(group, untuned=untuned, restart_before=before))
    for life, detail in event.refused.items():
        turn.note("warning", f"{event.group} life={life}: {detail}; its successor starts", event.group)
    if event.failed:
        turn.note("error", f"{event.group}: not in force: {event.failed}", event.group)
        turn.settle(event.group, Progress("failed", error=LastError(0, 0, f"not in force: {event.failed}")))
    return (event.group,)


def _told(turn: Turn, event: model.LifeFailed | model.LifeOverdue | model.LifeTold) -> tuple[str, ...]:
    found = turn.state.find(event.life)
    if found is None:
        return ()
    group, record = found
    match event:
        case model.LifeFailed():
            turn.put(did_not_start(group, record, event))
            return ()
        case model.LifeTold():
            turn.put(group.told(event.life, event.requests, event.stacks))
            return ()
        case model.LifeOverdue():
            if record.state is Tenancy.READY:
                turn.note("warning", f"{record}: {event.reason}, {event.detail}", group.target.name)
                turn.put(group.blamed(judged(record, event)))
                turn.commands.append(model.KillLife(record, LAST_WORDS_S))
    return ()


def _lived(
    turn: Turn,
    event: model.LifeSpawned | model.LifeRefused | model.LifeBecameReady | model.LifeExited | model.LifeStalled,
) -> tuple[str, ...]:
    if isinstance(event, model.LifeExited) and event.group in turn.state.groups:
        of = turn.state.groups[event.group]
        turn.put(replace(of, ended=added(of.ended, event.counted)))
    found = turn.state.find(event.life)
    if found is None:
        return ()  # a message of a life that is over
    group, record = found
    name = group.target.name
    match event:
        case model.LifeRefused():
            turn.put(group.blamed(LastError(record.slot, record.life, event.reason)))
            turn.note("error", f"{record}: {event.reason}", name)
            kind = EventKind.GAVE_UP if event.permanent else EventKind.REFUSED
            _step(turn, record, lifecycle.Event(kind))
            _did_not_come_up(turn, name, record)
        case model.LifeExited():
            _exited(turn, group, record, event)
        case model.LifeStalled():
            turn.note("warning", f"{record}: {event.reason}, {event.detail}", name)
            group = haste.stalled(group.blamed(judged(record, event)), record, turn.now)
            turn.put(replace(group, restarts=group.restarts + (record.state is Tenancy.READY)))
            window_s = group.target.spec.graceful_timeout_s if event.graceful else 0.0
            _leave(turn, record, lifecycle.Event(EventKind.STALLED, reason=event.reason, window_s=window_s))
            if record.state is Tenancy.READY and haste.hopeless(group, record):
                _did_not_come_up(turn, name, record)
        case model.LifeSpawned():
            _step(turn, record, lifecycle.Event(EventKind.SPAWNED, pid=event.pid))
        case model.LifeBecameReady():
            turn.put(replace(group, starved={k: v for k, v in group.starved.items() if k != record.slot}))
            if (
                record.life in group.untuned and record.state is Tenancy.STARTING
            ):  # its limits could be set from outside only now
                turn.commands.append(model.TuneGroup(group.target, (record.life,)))
            _step(turn, record, lifecycle.Event(EventKind.BECAME_READY))
    return (name,)


def _exited(turn: Turn, group: GroupState, record: Record, event: model.LifeExited) -> None:
    name = group.target.name
    group, record = haste.ended(group, record)
    worn = record.life in group.recycle  # it was to be followed anyway, and may leave before it is told to
    unasked = not worn and record.state in (Tenancy.READY, Tenancy.STARTING, Tenancy.SPAWNING, Tenancy.ABORTING)
    if unasked:
        phase = "" if record.state is Tenancy.READY else " before it was ready"
        how = f"{event.exit}{phase}{out_of_memory(group, event)}"
        turn.note("warning", f"{record}: {how}", name)
        group = replace(group, restarts=group.restarts + 1)
        if group.last_error is None or group.last_error.life != record.life:
            group = group.blamed(LastError(record.slot, record.life, how))
    else:
        turn.note("info", f"{record}: {event.exit}", name)
    turn.put(
        replace(
            group,
            recycle={life: why for life, why in group.recycle.items() if life != record.life},
            graceful_lives=group.graceful_lives - {record.life},
            untuned=group.untuned - {record.life},
        )
    )
    _step(turn, record, lifecycle.Event(EventKind.EXITED, exit=event.exit))
    if worn:
        for cooling in turn.state.groups[name].records:
            if cooling.life == record.life and cooling.state is Tenancy.COOLING:
                _step(turn, cooling, lifecycle.Event(EventKind.WANT_DOWN))
    newcomer = group.fallback is not None and record.fingerprint == group.target.fingerprint
    if unasked and (record.ready_at is None or newcomer):
        _did_not_come_up(turn, name, record)


def _did_not_come_up(turn: Turn, name: str, record: Record) -> None:
    """A life ended before it was ready, or soon after: end its rollout, or report a first start that fails."""
    group = turn.state.groups[name]
    if group.removing or group.stopped:
        return
    error = group.last_error
    serving = any(r.state is Tenancy.READY and group.outdated(r) for r in group.records)
    proved = group.fallback is not None and record.ready_at is not None
    if (serving or proved) and not group.recycle:
        # the processes that serve stay; what was to follow them is given up
        before = group.fallback or group.target
        turn.note("error", f"{name}: the successor did not come up, the processes in place stay", name)
        kept = _retimed((r for r in group.records if r.live), before)
        turn.put(replace(group, target=before, fallback=None, restart_before=0, records=kept))
        if group.fallback:
            turn.commands.append(model.TuneGroup(before, tuple(r.life for r in kept)))
        turn.settle(name, Progress("rolled-back" if group.fallback else "failed", error=error))
    elif not serving:
        turn.settle(name, Progress("failed", error=error))


# Steps and what follows from them


def _step(turn: Turn, record: Record, event: lifecycle.Event) -> None:
    """Let one record meet one event and take over the result."""
    try:
        after, commands = lifecycle.step(record, event, turn.now)
    except lifecycle.Impossible as bug:
        turn.note("error", f"[BUG] {bug}")
        return
    group = turn.state.groups[record.group]
    gone = after.state is Tenancy.ABSENT
    turn.put(group.with_record(record, None if gone else after))
    for command in commands:
        match command.action:
            case Action.SPAWN:
                turn.commands.append(model.SpawnLife(command.record, group.target))
            case Action.DRAIN:
                turn.commands.append(model.DrainLife(command.record))
            case Action.KILL:
                turn.commands.append(model.KillLife(command.record))


def _reconcile(turn: Turn, name: str) -> None:
    group = turn.state.groups.get(name)
    if group is None:
        return
    only_recycling = not group.fallback and all(r.life in group.recycle for r in group.records if group.outdated(r))
    extra = 1 if only_recycling else rollout.surge(group.wanted)
    for intent in rollout.reconcile(group.wanted, group.members(), extra):
        match intent:
            case rollout.Begin(slot):
                _begin(turn, name, slot)
            case rollout.End(life, followed):
                _end(turn, name, life, followed=followed)
    group = turn.state.groups[name]
    if group.removing and not group.records:
        turn.drop(name)
        turn.commands.append(model.ReleaseGroup(name))
        turn.settle(name, Progress("done", "gone"))
        return
    pending = turn.pending(name)
    if group.untuned.intersection(r.life for r in group.records if r.state is Tenancy.READY):
        return
    if rollout.settled(group.wanted, group.members()) and group.wanted:
        if group.fallback or group.restart_before:
            turn.put(replace(group, fallback=None, restart_before=0, last_error=None))
        if pending and pending.goal == "settled":
            turn.put(replace(turn.state.groups[name], last_error=None))
            turn.settle(name, Progress("done"))
    elif pending and not group.records and not group.wanted:
        turn.settle(name, Progress("done", pending.goal))


def _begin(turn: Turn, name: str, slot: int) -> None:
    group = turn.state.groups[name]
    target = group.target
    (record,) = _retimed([Record(name, slot, turn.new_life(), target.fingerprint)], target)
    group, record = haste.begin(group, record, turn.now)
    turn.put(group)
    if record.state is not Tenancy.COOLING:
        _step(turn, record, lifecycle.Event(EventKind.WANT_UP, new_life=record.life))


def _end(turn: Turn, name: str, life: int, *, followed: bool) -> None:
    group = turn.state.groups[name]
    record = next(r for r in group.records if r.life == life)
    window_s = 0.0
    reason = "stop" if not followed else "replaced"
    if life in group.recycle:
        reason, window_s = group.recycle[life], group.target.spec.graceful_timeout_s
    elif life in group.graceful_lives:
        reason, window_s = "reload", group.target.spec.eviction_timeout_s
    _leave(turn, record, lifecycle.Event(EventKind.WANT_DOWN, reason=reason, window_s=window_s))


def _leave(turn: Turn, record: Record, event: lifecycle.Event) -> None:
    """Have a life end. Options that only matter for leaving are live: the ones of today count."""
    group = turn.state.groups[record.group]
    record_now = replace(record, timings=replace(record.timings, shutdown_s=group.target.spec.shutdown_timeout_s))
    turn.put(group.with_record(record, record_now))
    _step(turn, record_now, event)
