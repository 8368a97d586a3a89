"""What holds after every step of every history, whatever the world does. Looks only at what the step has touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.lifecycle.step import EXIT_S, STALLED_SHUTDOWN_S
from wsgigroups.lifecycle.table import TIMER, Tenancy, Timer
from wsgigroups.manager.core import model, proving, turn
from wsgigroups.plan.rollout import LEAVING, LIVE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.world import World
    from wsgigroups.lifecycle.step import Record

LONGEST_WAIT_S = 300.0  # of one deadline: backoffs, spawn limits, windows and shutdown-timeouts of these worlds
TIMED = frozenset(state for state, timer in TIMER.items() if timer in (Timer.SPAWN, Timer.KILL, Timer.BACKOFF))
UNTIMED = frozenset(state for state, timer in TIMER.items() if timer is Timer.NONE)


def check(world: World, before: model.State, event: model.Event, commands: tuple[model.Command, ...]) -> None:
    """Raise AssertionError for what must not be."""
    for name, former, group in touched(before, world.state):
        known = {record.life for record in group.records} if group else set()
        for record in former.records if former else ():
            if record.life not in known:
                daemon = world.forked.get(record.life)
                assert daemon is None or not daemon.alive, f"life {record.life} runs and nobody knows it"
        if group:
            assert name == group.target.name
            _check_deadlines(world, group)
            if not group.bare and not world.deaths:
                _check_slots(group)
    if world.state.changes is not before.changes:
        _check_done(world, before)
    for command in commands:
        match command:
            case model.SpawnLife(record):
                _check_surge(world, before, record)
            case model.DrainLife(record) if _waited(world, before, event, record):
                _check_succession(world, record)
            case model.ReleaseGroup(name):
                assert name not in world.state.groups, f"{name} has lost its listeners and is still wanted"
                left = [d.life for d in world.forked.values() if d.group == name and d.alive]
                assert not left, f"{name} has lost its listeners while {left} serve"
    assert len(world.state.changes) <= turn.KEPT_CHANGES + 1


def touched(
    before: model.State, after: model.State
) -> Iterator[tuple[str, model.GroupState | None, model.GroupState | None]]:
    """Yield name, former and present state of each group that a step has changed."""
    for name, group in after.groups.items():
        former = before.groups.get(name)
        if former is not group:
            yield name, former, group
    for name, former in before.groups.items():
        if name not in after.groups:
            yield name, former, None


def check_memory(world: World) -> None:
    """Nothing is remembered of lives that are over, and nothing grows with the length of a history."""
    for group in world.state.groups.values():
        lives = {record.life for record in group.records}
        for what in ("recycle", "graceful_lives", "untuned", "held"):
            kept = set(getattr(group, what)) - lives
            assert not kept, f"{group.target.name} remembers {what} of {kept}, which are over"
        for what in ("starts", "haste", "waits", "starved", "deaths"):
            assert len(getattr(group, what)) <= world.most_slots, f"{what} of {group.target.name} grows"


def _check_deadlines(world: World, group: model.GroupState) -> None:
    """One deadline for each life, that of its state: none forgotten, none of an earlier state."""
    for record in group.records:
        if record.state in UNTIMED:
            assert record.deadline is None, f"{record} has a deadline of an earlier state"
        elif record.state in TIMED:
            assert record.deadline is not None, f"{record} waits for ever"
        if record.deadline is not None:
            assert record.deadline <= world.now + LONGEST_WAIT_S, f"{record} waits for too long"


def _check_slots(group: model.GroupState) -> None:
    """One tenancy in each slot, and one that it follows."""
    held = set()
    for record in group.records:
        if record.state not in LEAVING and not group.outdated(record):
            assert record.slot not in held, f"two tenancies hold slot {record.slot} of {group.target.name}"
            held.add(record.slot)


def _check_done(world: World, before: model.State) -> None:
    """What is done is so for whoever asks now: none that was told to leave at once takes requests any more."""
    for number, change in world.state.changes.items():
        former = before.changes.get(number)
        for name, part in change.groups.items() if change is not former else ():
            was = former.groups.get(name) if former else None
            group = world.state.groups.get(name)
            if part.state != "done" or (was and was.state == "done") or part.goal != "settled" or group is None:
                continue
            for record in group.records if not world.deaths else ():
                daemon = world.daemons[record.life]
                if record.state is not Tenancy.DRAINING or record.window_s > 0 or not daemon.alive or daemon.let_go:
                    continue
                assert daemon.drained_at is not None
                limit_s = (daemon.shutdown_s or STALLED_SHUTDOWN_S) + EXIT_S
                assert world.now >= daemon.drained_at + limit_s, f"change {number} is done, and {record} still accepts"


def _check_surge(world: World, before: model.State, record: Record) -> None:
    """Never more processes than the surge allows."""
    group = world.state.groups[record.group]
    # a tenancy that goes on after a crash does not wait for those that a scaling down still drains
    former = before.groups.get(record.group)
    again = former is not None and any(
        r.slot == record.slot and r.state in (Tenancy.COOLING, Tenancy.FAILED) for r in former.records
    )
    # a manager that follows does not know which tenancies waited for their next life
    counted = LIVE - LEAVING if again or world.deaths else LIVE
    live = sum(r.state in counted for r in group.records)
    surge = group.target.rollout.max_surge.up(group.wanted)
    if again:  # nor for a surge that has become smaller since it began
        serving = {r.slot for r in group.records if r.state is Tenancy.READY and group.outdated(r)}
        surge = max(surge, sum(r.slot in serving and not group.outdated(r) for r in group.records))
    assert live <= group.wanted + surge, "more than the surge"


def _waited(world: World, before: model.State, event: model.Event, record: Record) -> bool:
    """Whether a process that is told to leave had to wait for its successor: nobody wants it to be less, or stuck."""
    if isinstance(event, model.LifeStalled) and event.life == record.life:
        return False
    found = before.find(record.life)
    wish = found[0].recycle.get(record.life) if found and found[1].state is Tenancy.READY else None
    recycled = record.reason == wish and record.slot <= world.state.groups[record.group].wanted
    return record.reason == "replaced" or recycled


def _check_succession(world: World, record: Record) -> None:
    """A ready process leaves after its successor is ready, unless as many may be missing."""
    group = world.state.groups[record.group]
    serving = [r for r in group.records if r.slot == record.slot and r.state is Tenancy.READY]
    missing = group.wanted - len({r.slot for r in group.records if r.state is Tenancy.READY})
    may_be = proving.budget(group, world.now).unavailable
    assert serving or missing <= may_be, "a ready process left before its successor was ready"
