"""`handle(state, event, now)`: everything the manager decides. Pure: no clock, no process, no socket.

The shell calls it for each event and carries out the commands. After every event the groups it touched are
reconciled, so that the next steps follow from what is, not from what was once intended.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.lifecycle import step as lifecycle
from wsgigroups.lifecycle.step import Record, Timings
from wsgigroups.lifecycle.table import Action, EventKind, Tenancy
from wsgigroups.manager import model
from wsgigroups.manager.blame import did_not_start, judged
from wsgigroups.manager.model import Change, GroupState, LastError, Note, Progress, State
from wsgigroups.manager.totals import added
from wsgigroups.plan import rollout
from wsgigroups.plan.planner import needs_replacement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsgigroups.plan.desired import GroupTarget

KEPT_CHANGES = 50
LAST_WORDS_S = 0.2  # for a process that is to be killed, to tell what it is doing


@dataclass(slots=True)
class _Turn:
    """One call of handle: the state being built and the commands so far. Never leaves this module."""

    state: State
    now: float
    commands: list[model.Command] = field(default_factory=list)

    def put(self, group: GroupState) -> None:
        self.state = replace(self.state, groups={**self.state.groups, group.target.name: group})

    def drop(self, name: str) -> None:
        self.state = replace(self.state, groups={k: v for k, v in self.state.groups.items() if k != name})

    def note(self, level: str, text: str) -> None:
        self.commands.append(Note(level, text))

    def new_life(self) -> int:
        life = self.state.next_life
        self.state = replace(self.state, next_life=life + 1)
        return life

    def begin_change(self, kind: str, groups: dict[str, Progress], revision: int | None = None) -> None:
        change = Change(self.state.next_change, kind, groups, revision)
        kept = dict(list(self.state.changes.items())[-KEPT_CHANGES + 1 :])
        # a group's part of an older change is superseded, else two changes would wait for different ends
        for key, other in kept.items():
            overtaken = {
                name: replace(p, state="failed", error=LastError(0, 0, f"overtaken by change {change.id}"))
                for name, p in other.groups.items()
                if p.state == "pending" and name in groups
            }
            if overtaken:
                kept[key] = replace(other, groups={**other.groups, **overtaken})
                if kept[key].finished:
                    self.commands.append(model.FinishChange(kept[key]))
        self.state = replace(self.state, changes={**kept, change.id: change}, next_change=change.id + 1)

    def settle(self, name: str, progress: Progress) -> None:
        """Set the outcome of a group's part in the change that is pending for it."""
        for change in self.state.changes.values():
            if change.groups.get(name, progress).state == "pending" and name in change.groups:
                after = replace(change, groups={**change.groups, name: progress})
                self.state = replace(self.state, changes={**self.state.changes, change.id: after})
                if after.finished:
                    self.commands.append(model.FinishChange(after))

    def pending(self, name: str) -> Progress | None:
        for change in self.state.changes.values():
            progress = change.groups.get(name)
            if progress is not None and progress.state == "pending":
                return progress
        return None


def handle(state: State, event: model.Event, now: float) -> tuple[State, tuple[model.Command, ...]]:
    """Return the next state and what to do. now: seconds on the monotonic clock."""
    turn = _Turn(state, now)
    touched = _dispatch(turn, event)
    for name in touched:
        _reconcile(turn, name)
    return turn.state, tuple(turn.commands)


def next_deadline(state: State) -> float | None:
    """When Tick should be sent at the latest, on the monotonic clock."""
    deadlines = [r.deadline for g in state.groups.values() for r in g.records if r.deadline is not None]
    return min(deadlines, default=None)


def extend_deadlines(state: State, late_s: float) -> State:
    """Return the state with every deadline moved by the time the manager itself was not running."""
    groups = {
        name: replace(
            group,
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


def _dispatch(turn: _Turn, event: model.Event) -> tuple[str, ...]:
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
            return _script_changed(turn, event.group)
        case model.Recovered():
            return tuple(sorted(turn.state.groups))
        case model.LifeFailed() | model.LifeWorn() | model.LifeOverdue() | model.LifeTold():
            return _told(turn, event)
        case _:
            return _lived(turn, event)


# What people ask


def _apply(turn: _Turn, event: model.Apply) -> tuple[str, ...]:
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


def _retarget(turn: _Turn, group: GroupState, target: GroupTarget) -> GroupState:
    """Give a group a new target; what is live goes to the running processes, the rest to their successors."""
    live = tuple(record.life for record in group.records if record.live)
    if live:
        turn.commands.append(model.TuneGroup(target, live))
    replaced = needs_replacement(target, group.target.options, group.target.fingerprint)
    raised = replaced and target.fingerprint == group.target.fingerprint
    return replace(
        group,
        target=target,
        records=_retimed(group.records, target),
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


def _replace_all(turn: _Turn, event: model.Restart | model.Reload) -> tuple[str, ...]:
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


def _stop(turn: _Turn, names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        turn.put(replace(turn.state.groups[name], stopped=True, fallback=None))
    turn.begin_change("stop", {name: Progress(goal="gone") for name in names})
    return names


def _start(turn: _Turn, names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        turn.put(replace(turn.state.groups[name], stopped=False, last_error=None))
        _skip_backoff(turn, name)
    turn.begin_change("start", {name: Progress() for name in names})
    return names


def _scale(turn: _Turn, event: model.Scale) -> tuple[str, ...]:
    for name, processes in event.processes.items():
        group = turn.state.groups[name]
        override = None if processes == group.target.processes else processes
        turn.put(replace(group, processes_override=override, stopped=False))
    turn.begin_change("scale", {name: Progress() for name in event.processes})
    return tuple(event.processes)


def _shutdown(turn: _Turn, event: model.Shutdown) -> tuple[str, ...]:
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


def _script_changed(turn: _Turn, name: str) -> tuple[str, ...]:
    group = turn.state.groups.get(name)
    if group is None or group.stopped or group.removing:
        return ()
    turn.note("info", f"{name}: a script file changed, replacing its processes")
    turn.put(replace(group, restart_before=turn.state.next_life))
    return (name,)


def _skip_backoff(turn: _Turn, name: str) -> None:
    for record in turn.state.groups[name].records:
        if record.state in (Tenancy.COOLING, Tenancy.FAILED):
            _step(turn, record, lifecycle.Event(EventKind.WANT_UP, new_life=turn.new_life()))


# What processes do


def _tick(turn: _Turn) -> tuple[str, ...]:
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
    return tuple(sorted(touched))


def _told(
    turn: _Turn, event: model.LifeFailed | model.LifeWorn | model.LifeOverdue | model.LifeTold
) -> tuple[str, ...]:
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
                turn.note("warning", f"{record}: {event.reason}, {event.detail}")
                turn.put(group.blamed(judged(record, event)))
                turn.commands.append(model.KillLife(record, LAST_WORDS_S))
            return ()
    if record.state is not Tenancy.READY or record.life in group.recycle:
        return ()
    turn.note("info", f"{record}: {event.reason}, a successor starts")
    turn.put(replace(group, recycle={**group.recycle, record.life: event.reason}))
    return (group.target.name,)


def _lived(
    turn: _Turn,
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
            turn.note("error", f"{record}: {event.reason}")
            kind = EventKind.GAVE_UP if event.permanent else EventKind.REFUSED
            _step(turn, record, lifecycle.Event(kind))
            _did_not_come_up(turn, name, record)
        case model.LifeExited():
            _exited(turn, group, record, event)
        case model.LifeStalled():
            turn.note("warning", f"{record}: {event.reason}, {event.detail}")
            turn.put(replace(group.blamed(judged(record, event)), restarts=group.restarts + 1))
            window_s = group.target.spec.graceful_timeout_s if event.graceful else 0.0
            _leave(turn, record, lifecycle.Event(EventKind.STALLED, reason=event.reason, window_s=window_s))
        case model.LifeSpawned():
            _step(turn, record, lifecycle.Event(EventKind.SPAWNED, pid=event.pid))
        case model.LifeBecameReady():
            turn.put(replace(group, starved={k: v for k, v in group.starved.items() if k != record.slot}))
            _step(turn, record, lifecycle.Event(EventKind.BECAME_READY))
    return (name,)


def _exited(turn: _Turn, group: GroupState, record: Record, event: model.LifeExited) -> None:
    name = group.target.name
    worn = record.life in group.recycle  # it was to be followed anyway, and may leave before it is told to
    unasked = not worn and record.state in (Tenancy.READY, Tenancy.STARTING, Tenancy.SPAWNING, Tenancy.ABORTING)
    if unasked:
        phase = "" if record.state is Tenancy.READY else " before it was ready"
        turn.note("warning", f"{record}: {event.exit}{phase}")
        group = replace(group, restarts=group.restarts + 1)
        if group.last_error is None or group.last_error.life != record.life:
            group = group.blamed(LastError(record.slot, record.life, f"{event.exit}{phase}"))
    else:
        turn.note("info", f"{record}: {event.exit}")
    turn.put(
        replace(
            group,
            recycle={life: why for life, why in group.recycle.items() if life != record.life},
            graceful_lives=group.graceful_lives - {record.life},
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


def _did_not_come_up(turn: _Turn, name: str, record: Record) -> None:
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
        turn.note("error", f"{name}: the successor did not come up, the processes in place stay")
        kept = _retimed((r for r in group.records if r.live), before)
        turn.put(replace(group, target=before, fallback=None, restart_before=0, records=kept))
        if group.fallback:
            turn.commands.append(model.TuneGroup(before, tuple(r.life for r in kept)))
        turn.settle(name, Progress("rolled-back" if group.fallback else "failed", error=error))
    elif not serving:
        turn.settle(name, Progress("failed", error=error))


# Steps and what follows from them


def _step(turn: _Turn, record: Record, event: lifecycle.Event) -> None:
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


def _reconcile(turn: _Turn, name: str) -> None:
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
    if rollout.settled(group.wanted, group.members()) and group.wanted:
        if group.fallback or group.restart_before:
            turn.put(replace(group, fallback=None, restart_before=0, last_error=None))
        if pending and pending.goal == "settled":
            turn.put(replace(turn.state.groups[name], last_error=None))
            turn.settle(name, Progress("done"))
    elif pending and not group.records and not group.wanted:
        turn.settle(name, Progress("done", pending.goal))


def _begin(turn: _Turn, name: str, slot: int) -> None:
    group = turn.state.groups[name]
    target = group.target
    (record,) = _retimed([Record(name, slot, 0, target.fingerprint)], target)
    turn.put(replace(group, records=(*group.records, record)))
    _step(turn, record, lifecycle.Event(EventKind.WANT_UP, new_life=turn.new_life()))


def _end(turn: _Turn, name: str, life: int, *, followed: bool) -> None:
    group = turn.state.groups[name]
    record = next(r for r in group.records if r.life == life)
    window_s = 0.0
    reason = "stop" if not followed else "replaced"
    if life in group.recycle:
        reason, window_s = group.recycle[life], group.target.spec.graceful_timeout_s
    elif life in group.graceful_lives:
        reason, window_s = "reload", group.target.spec.eviction_timeout_s
    _leave(turn, record, lifecycle.Event(EventKind.WANT_DOWN, reason=reason, window_s=window_s))


def _leave(turn: _Turn, record: Record, event: lifecycle.Event) -> None:
    """Have a life end. Options that only matter for leaving are live: the ones of today count."""
    group = turn.state.groups[record.group]
    record_now = replace(record, timings=replace(record.timings, shutdown_s=group.target.spec.shutdown_timeout_s))
    turn.put(group.with_record(record, record_now))
    _step(turn, record_now, event)
