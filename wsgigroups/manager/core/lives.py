"""What processes do, and what follows for their group: deadlines, wishes for a successor, deaths. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.lifecycle import step as lifecycle
from wsgigroups.lifecycle.table import EventKind, Tenancy
from wsgigroups.manager.core import deaths, ending, haste, model, pace, proving, returning, steps
from wsgigroups.manager.core.blame import did_not_start, judged, out_of_memory, too_large_at_start
from wsgigroups.manager.core.deadlines import deadline_of
from wsgigroups.manager.core.exit_words import of_step
from wsgigroups.manager.core.model import GroupState, LastError, Progress
from wsgigroups.manager.core.totals import added, of_end
from wsgigroups.plan.rollout import LEAVING
from wsgigroups.replacing import replace

if TYPE_CHECKING:
    from wsgigroups.lifecycle.step import Record
    from wsgigroups.manager.core.turn import Turn

LAST_WORDS_S = 0.2  # for a process that is to be killed, to tell what it is doing
_LEFT_ALONE = "it is left alone, as unknown"


def tick(turn: Turn) -> tuple[str, ...]:
    touched = set()
    for name, group in turn.state.groups.items():
        until = deadline_of(group)
        if until is not None and until <= turn.now:
            _due(turn, name, group)
            touched.add(name)
    return tuple(sorted(touched))


def _due(turn: Turn, name: str, group: GroupState) -> None:
    for record in group.records:
        if record.deadline is not None and record.deadline <= turn.now:
            if record.state is Tenancy.STARTING:
                limit_s = group.target.startup_timeout_s
                error = LastError(record.slot, record.life, f"not ready within startup-timeout ({limit_s:g} s)")
                turn.put(turn.state.groups[name].blamed(error))
            _overdue(turn, record)
    before = turn.state.groups[name]
    after = haste.due(before, turn.now, turn.state.next_life)
    if after is not before:
        turn.put(after)


def _overdue(turn: Turn, record: Record) -> None:
    """The deadline of a record has passed; one that waits for its next life may have to wait on."""
    group = turn.state.groups[record.group]
    if record.state is Tenancy.COOLING:
        later = pace.held_back(group, record, turn.now)
        if later is not record:
            turn.put(group.with_record(record, later))
            return
        if proving.lacks_room(group, record, turn.now):  # then the one that it follows leaves first: rollout.py
            steps.step(turn, record, lifecycle.Event(EventKind.WANT_DOWN))
            return
    last_words_s = LAST_WORDS_S if record.state is Tenancy.STARTING else 0.0
    event = lifecycle.Event(EventKind.OVERDUE, new_life=turn.new_life())
    steps.step(turn, record, event, last_words_s=last_words_s)


def queued(turn: Turn, event: model.StillQueued) -> tuple[str, ...]:
    """Nobody has asked a spawner for these lives before now."""
    for life in event.lives:
        found = turn.state.find(life)
        if found and found[1].state is Tenancy.SPAWNING:
            group, record = found
            later = replace(record, spawned_at=turn.now, deadline=turn.now + lifecycle.SPAWN_S)
            turn.put(group.with_record(record, later))
    return ()


def worn(turn: Turn, event: model.LifeWorn | model.ScriptChanged) -> tuple[str, ...]:
    """A process wants a successor, or it is time for one."""
    reason = haste.SCRIPT if isinstance(event, model.ScriptChanged) else event.reason
    found = turn.state.find(event.life)
    if found is None or found[0].stopped or found[0].removing or found[0].bare:
        return ()
    if reason == haste.TERMINATED and turn.state.stopping:
        return ()  # whoever has told it has told the manager: it leaves when all do
    group, record = found
    after, delay_s = haste.worn(group, record, reason, turn.now, turn.state.next_life)
    if after is group:
        return ()
    when = f"a successor starts in {delay_s:.2g} s, it was ready for a moment only" if delay_s else "a successor starts"
    turn.note("info", f"{record}: {reason}, {when}", group.target.name)
    if isinstance(event, model.LifeWorn) and event.start_bytes:
        error = too_large_at_start(after, record, event.start_bytes)
        turn.note("warning", f"{record}: {error.message}", group.target.name)
        after = after.blamed(error)
    turn.put(after)
    return (group.target.name,)


def tuned(turn: Turn, event: model.GroupTuned) -> tuple[str, ...]:
    """Replace the processes of a group when one of them cannot be what was asked for: nothing is done by halves."""
    group = turn.state.groups.get(event.group)
    if group is None:
        return ()
    staying = {r.life for r in group.records if r.live and r.state not in LEAVING and not group.outdated(r)}
    refused = {life: why for life, why in event.refused.items() if life in staying}  # of the others nobody asks it
    unusable = {life: why for life, why in event.unusable.items() if life in staying}
    if not returning.returns_if_failed(turn.state, event.group):
        refused, unusable = {**unusable, **refused}, {}  # there is nothing else to go by
    on_the_way = {record.life for record in group.records if record.state in (Tenancy.SPAWNING, Tenancy.STARTING)}
    untuned = group.untuned.difference(set(event.lives) - on_the_way)
    turn.put(replace(group.restarting(turn.state.next_life) if refused else group, untuned=untuned))
    for life, detail in refused.items():
        turn.note("warning", f"{event.group} life={life}: {detail}; its successor starts", event.group)
    for life, detail in sorted(unusable.items()):
        turn.note("error", f"{event.group} life={life}: {detail}", event.group)
        slot = next(record.slot for record in group.records if record.life == life)
        turn.settle(event.group, Progress("failed", error=LastError(slot, life, detail)))
    if event.failed:
        turn.note("error", f"{event.group}: not in force: {event.failed}", event.group)
        turn.settle(event.group, Progress("failed", error=LastError(0, 0, f"not in force: {event.failed}")))
    return (event.group,)


def told(turn: Turn, event: model.LifeFailed | model.LifeOverdue | model.LifeTold) -> tuple[str, ...]:
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
            if group.unknown:
                turn.note("warning", f"{record}: {event.reason}, {event.detail}; {_LEFT_ALONE}", group.target.name)
            elif record.state is Tenancy.READY:
                turn.note("warning", f"{record}: {event.reason}, {event.detail}", group.target.name)
                turn.put(group.blamed(judged(record, event)))
                turn.commands.append(model.KillLife(record, LAST_WORDS_S))
    return ()


def lived(
    turn: Turn,
    event: model.LifeSpawned
    | model.LifeRefused
    | model.LifeBecameReady
    | model.LifeExited
    | model.LifeStalled
    | model.LifeLetGo,
) -> tuple[str, ...]:
    if isinstance(event, model.LifeExited) and event.group in turn.state.groups:
        of = turn.state.groups[event.group]
        turn.put(replace(of, ended=added(of.ended, event.counted)))
    found = turn.state.find(event.life)
    if found is None:
        return ()  # a message of a life that is over
    group, record = found
    name = group.target.name
    if not record.live and not isinstance(event, model.LifeSpawned):
        return ()  # it is over, and was told before: the record stays for the life that follows
    match event:
        case model.LifeRefused():
            blamed = group.blamed(LastError(record.slot, record.life, event.reason))
            turn.put(_without_wishes_of(blamed, record.life))
            turn.note("error", f"{record}: {event.reason}", name)
            kind = EventKind.GAVE_UP if event.permanent else EventKind.REFUSED
            steps.step(turn, record, lifecycle.Event(kind))
            if not event.accident:
                _did_not_come_up(turn, name, record)
        case model.LifeExited():
            _exited(turn, group, record, event)
            _count_end(turn, group, record, event)
        case model.LifeStalled() if group.unknown:
            turn.note("warning", f"{record}: {event.reason}, {event.detail}; {_LEFT_ALONE}", name)
        case model.LifeStalled():
            _stalled(turn, group, record, event)
        case model.LifeSpawned():
            steps.step(turn, record, lifecycle.Event(EventKind.SPAWNED, pid=event.pid))
        case model.LifeLetGo():
            turn.put(group.with_record(record, replace(record, accepts_until=None)))
        case model.LifeBecameReady():
            turn.put(replace(group, starved={k: v for k, v in group.starved.items() if k != record.slot}))
            if (
                record.life in group.untuned and record.state is Tenancy.STARTING
            ):  # its limits could be set from outside only now
                turn.commands.append(model.TuneGroup(group.target, (record.life,)))
            steps.step(turn, record, lifecycle.Event(EventKind.BECAME_READY))
            ending.became_ready(turn, record.life)
    return (name,)


def _stalled(turn: Turn, group: GroupState, record: Record, event: model.LifeStalled) -> None:
    """Have a life followed that was judged. The next one begins at once, or when the slot's wait is over.

    One that serves, with threads that are not stuck, serves on until then, as any that is recycled.
    """
    name = group.target.name
    serves = event.serves and record.state is Tenancy.READY
    known = group.recycle.get(record.life) == haste.STUCK  # it served until now, or does still
    if serves and known:
        return
    turn.note("warning", f"{record}: {event.reason}, {event.detail}", name)
    group = group.blamed(judged(record, event))
    if not known:
        group = haste.stalled(group, record, turn.now)
        group = replace(group, restarts=group.restarts + (record.state is Tenancy.READY))
    turn.put(group)
    if not serves:
        window_s = group.target.spec.graceful_timeout_s if event.graceful else 0.0
        steps.leave(turn, record, lifecycle.Event(EventKind.STALLED, reason=event.reason, window_s=window_s))
    decides = group.rolling and group.is_new(record)
    if record.state is Tenancy.READY and (decides or haste.hopeless(group, record)):
        _did_not_come_up(turn, name, record)
    if serves:
        turn.put(haste.stuck(turn.state.groups[name], record))


def _exited(turn: Turn, group: GroupState, record: Record, event: model.LifeExited) -> None:
    name = group.target.name
    group, record = haste.ended(group, record)
    worn = record.life in group.recycle  # it was to be followed anyway, and may leave before it is told to
    unasked = not worn and record.state in (Tenancy.READY, Tenancy.STARTING, Tenancy.SPAWNING, Tenancy.ABORTING)
    if unasked:
        phase = "" if record.state is Tenancy.READY else " before it was ready"
        how = f"{event.exit}{phase}{of_step(event.exit)}{out_of_memory(group, event)}"
        turn.note("warning", f"{record}: {how}", name)
        group = replace(group, restarts=group.restarts + (not _is_successor(group, record)))
        if group.death_of(record) is None:
            group = group.blamed(LastError(record.slot, record.life, how))
    else:
        how = "drained and exited" if event.exit.exit_code == 0 else f"stopped: {event.exit}"
        turn.note("info", f"{name}/{record.slot} (pid {record.pid}) {how}", name)
    turn.put(_without_wishes_of(group, record.life))
    steps.step(turn, record, lifecycle.Event(EventKind.EXITED, exit=event.exit))
    if worn or group.bare:
        for cooling in turn.state.groups[name].records:
            if cooling.life == record.life and cooling.state is Tenancy.COOLING:
                steps.step(turn, cooling, lifecycle.Event(EventKind.WANT_DOWN))
    newcomer = (group.fallback is not None or group.restart_before > 0) and group.is_new(record)
    if unasked and (record.ready_at is None or newcomer):
        _did_not_come_up(turn, name, record)


def _count_end(turn: Turn, before: GroupState, record: Record, event: model.LifeExited) -> None:
    """Count why the life ended; before: as its group was then."""
    group = turn.state.groups.get(before.target.name)
    if group is None:
        return
    cause, _reason = deaths.cause_of(
        *(before, record, event.exit, event.signal, group.death_of(record)), out_of_memory=event.out_of_memory
    )
    end = of_end(deaths.cut_off(cause) if event.cut else cause, event.cpu_s)
    turn.put(replace(group, ended=added(group.ended, end)))


def _without_wishes_of(group: GroupState, life: int) -> GroupState:
    """Return the group without what was to be done about a life that is over."""
    if life not in group.recycle and life not in group.graceful_lives and life not in group.untuned:
        return group
    return replace(
        group,
        recycle={key: why for key, why in group.recycle.items() if key != life},
        graceful_lives=group.graceful_lives - {life},
        untuned=group.untuned - {life},
    )


def _is_successor(group: GroupState, record: Record) -> bool:
    """Whether a life was to follow one that serves: its failure costs nobody a process."""
    serving = any(r.slot == record.slot and r.state is Tenancy.READY and group.outdated(r) for r in group.records)
    return record.ready_at is None and serving


def _did_not_come_up(turn: Turn, name: str, record: Record) -> None:
    """A life ended before it was ready, or soon after: end its rollout, or report a first start that fails."""
    group = turn.state.groups[name]
    if group.removing or group.stopped:
        return
    error = group.death_of(record) or group.last_error
    if group.fallback and not group.outdated(record):
        go_back(turn, name, error)
        return
    serving = any(r.state is Tenancy.READY and group.outdated(r) for r in group.records)
    # one that is to be recycled has to be followed in the end: a restart of all is given up, its successor is not
    if serving and (group.restart_before or not group.recycle):
        stop_replacing(turn, name, error)
    elif not serving:
        turn.settle(name, Progress("failed", error=error))


def stop_replacing(turn: Turn, name: str, error: LastError | None) -> None:
    """Give up what was to follow processes, where there is no target to return to: those that serve stay."""
    group = turn.state.groups[name]
    turn.note("error", f"{name}: the successor did not come up or did not last, the processes in place stay", name)
    turn.put(replace(group.restarted(), watched=False, fits=None))
    if group.target.spec.script_reloading == "wait":
        turn.commands.append(model.ServeOn(tuple(r.life for r in group.records if r.state is Tenancy.READY)))
    turn.settle(name, Progress("rolled-back", error=error))


def go_back(turn: Turn, name: str, error: LastError | None) -> None:
    """Give up a target that is not proved: the one before it is in force again, and its processes that serve stay."""
    group = turn.state.groups[name]
    assert group.proved is not None
    before, override = group.proved.target, group.proved.processes_override
    turn.note("error", f"{name}: the successor did not come up or did not last, the processes in place stay", name)
    kept = steps.retimed((r for r in group.records if r.live), before)
    after = replace(
        group.restarted(), target=before, processes_override=override, watched=False, fits=None, records=kept
    )
    turn.put(after)
    turn.commands += [model.TuneGroup(before, tuple(r.life for r in kept)), model.StoreState()]
    turn.settle(name, Progress("rolled-back", error=error))
