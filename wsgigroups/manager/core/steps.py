"""Steps of one record through its table, and reconciling: what a group should do next, from what is. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.lifecycle import step as lifecycle
from wsgigroups.lifecycle.step import Record, Timings
from wsgigroups.lifecycle.table import Action, EventKind, Tenancy
from wsgigroups.manager.core import haste, leaving, model, pace, proving
from wsgigroups.manager.core.model import Progress
from wsgigroups.plan import rollout
from wsgigroups.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wsgigroups.manager.core.turn import Turn
    from wsgigroups.plan.desired import GroupTarget


def step(turn: Turn, record: Record, event: lifecycle.Event, *, last_words_s: float = 0.0) -> None:
    """Let one record meet one event and take over the result. last_words_s: what is killed may tell where it is."""
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
                turn.put(pace.started(turn.state.groups[record.group], record.slot, turn.now))
                turn.commands.append(model.SpawnLife(command.record, group.target))
            case Action.DRAIN:
                turn.commands.append(model.DrainLife(command.record))
            case Action.KILL:
                turn.commands.append(model.KillLife(command.record, last_words_s))


def reconcile(turn: Turn, name: str) -> None:
    group = turn.state.groups.get(name)
    if group is None:
        return
    if group.bare and group.wanted:
        # what runs is left alone, and nobody knows how to start another
        turn.settle(name, Progress("failed", error=model.LastError(0, 0, why_bare(group))))
        return
    if group.stopped or group.removing:
        end_windows(turn, name)
        group = turn.state.groups[name]
    budget = proving.budget(group, turn.now)
    if is_paused(turn.state, name):
        budget = replace(budget, slots=0)
    for intent in rollout.reconcile(group.wanted, proving.members(group, turn.now), budget):
        match intent:
            case rollout.Begin(slot):
                _begin(turn, name, slot)
            case rollout.End(life, followed, first):
                _end(turn, name, life, replaced=followed or first)
    _conclude(turn, name)
    group = turn.state.groups.get(name)
    if group is not None:
        looks = (proving.next_look(group, turn.now), leaving.next_look(group, turn.now))
        look_at = min((time for time in looks if time is not None), default=None)
        if look_at != group.look_at:
            turn.put(replace(group, look_at=look_at))


def is_paused(state: model.State, name: str) -> bool:
    """Whether a group is to have no process replaced, since the apply that changes it is paused."""
    transaction = state.transaction
    return transaction is not None and transaction.paused and name in transaction.former


def _conclude(turn: Turn, name: str) -> None:
    """End what the group has come to the end of."""
    group = turn.state.groups[name]
    if group.removing and not group.records:
        turn.drop(name)
        turn.commands.append(model.ReleaseGroup(name))
        turn.settle(name, Progress("done", "gone"))
        return
    transaction = turn.state.transaction
    if transaction is not None and name in transaction.later and not group.stopped:
        return  # it is what it was still
    pending = turn.pending(name)
    if group.untuned.intersection(r.life for r in group.records if r.state is Tenancy.READY):
        return
    if proving.came_up(group, turn.now):
        after = proving.concluded(group, turn.now)
        returned = pending is not None and pending.ends != "done"  # then the error tells why it is what it was
        if returned:
            after = replace(after, last_error=group.last_error)
        if after != group:
            turn.put(after)
        if after.proved is not group.proved:
            turn.commands.append(model.StoreState())
        if pending and pending.goal == "settled" and not leaving.may_accept(group, turn.now):
            turn.put(replace(after, last_error=group.last_error if returned else None))
            turn.settle(name, Progress("done"))
    elif pending and not group.records and not group.wanted:
        turn.settle(name, Progress("done", pending.goal))
    elif pending and pending.goal == "settled" and (error := _given_up(group)):
        turn.settle(name, Progress("failed", error=error))


def _given_up(group: model.GroupState) -> model.LastError | None:
    """Return why a slot has no process, and gets none until somebody asks again; None if there is no such slot."""
    for record in group.records:
        if record.state is Tenancy.FAILED and record.slot <= group.wanted and not group.outdated(record):
            return group.death_of(record) or model.LastError(record.slot, record.life, "its slot was given up")
    return None


def skip_backoff(turn: Turn, name: str) -> None:
    """Somebody asked for a start: slots that wait, or were given up, begin a life now."""
    group = haste.forgiven(turn.state.groups[name])
    turn.put(group)
    for record in group.records:
        wanted = record.slot <= group.wanted and record.fingerprint == group.target.fingerprint
        if wanted and record.state in (Tenancy.COOLING, Tenancy.FAILED):  # others are dropped, or follow
            step(turn, record, lifecycle.Event(EventKind.WANT_UP, new_life=turn.new_life()))


def why_bare(group: model.GroupState) -> str:
    """Return why no process of a group can be started."""
    return group.unresolved or "it was found running, and nothing is known of it that a process could be started with"


def with_code(target: GroupTarget, code: Mapping[str, Mapping[str, str]]) -> GroupTarget:
    """Return a target with the code that its next processes get, where that is known."""
    return replace(target, code=code[target.name]) if target.name in code else target


def _begin(turn: Turn, name: str, slot: int) -> None:
    group = turn.state.groups[name]
    target = group.target
    (record,) = retimed([Record(name, slot, turn.new_life(), target.fingerprint)], target)
    group, record = haste.begin(group, record, turn.now)
    later = pace.held_back(group, record, turn.now)
    turn.put(group.with_record(record, later))
    record = later
    if record.state is not Tenancy.COOLING:
        step(turn, record, lifecycle.Event(EventKind.WANT_UP, new_life=record.life))


def _end(turn: Turn, name: str, life: int, *, replaced: bool) -> None:
    group = turn.state.groups[name]
    record = next(r for r in group.records if r.life == life)
    reason, window_s = "replaced" if replaced else "stop", 0.0
    if group.stopped or group.removing:
        pass  # a window is for what comes, and nothing shall come
    elif life in group.recycle:
        reason = group.recycle[life]
        window_s = haste.window_s(group.target.spec, reason)
    elif life in group.graceful_lives:
        reason, window_s = "reload", group.target.spec.eviction_timeout_s
    stuck = record.state is Tenancy.READY and group.recycle.get(life) == haste.STUCK
    kind = EventKind.STALLED if stuck else EventKind.WANT_DOWN
    leave(turn, record, lifecycle.Event(kind, reason=reason, window_s=window_s))


def end_windows(turn: Turn, name: str) -> None:
    """What nobody wants any more takes no new requests: a stop ends the window in which a process leaves."""
    for record in turn.state.groups[name].records:
        if record.state is Tenancy.DRAINING and record.window_s > 0:
            leave(turn, record, lifecycle.Event(EventKind.WANT_DOWN, reason="stop"))


def leave(turn: Turn, record: Record, event: lifecycle.Event) -> None:
    """Have a life end. Options that only matter for leaving are live: the ones of today count."""
    group = turn.state.groups[record.group]
    record_now = lifecycle.retime(record, replace(record.timings, shutdown_s=group.target.spec.shutdown_timeout_s))
    turn.put(group.with_record(record, record_now))
    step(turn, record_now, event)


def retimed(records: Iterable[Record], target: GroupTarget) -> tuple[Record, ...]:
    """Give records the durations of a target: they are live, for the next life of a slot as for this one's end."""
    timings = Timings(target.startup_timeout_s, target.spec.shutdown_timeout_s)
    return tuple(lifecycle.retime(record, timings) for record in records)
