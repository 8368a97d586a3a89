"""What a life that leaves or stalls soon after it was ready costs its slot: the waiting of a crash loop.

Pure; called by the core. A process that says at once that it wants a successor, again and again, would else be given
one as fast as the machine forks. It serves on while its wish waits, until it was ready for SERVED_S. After a life that
stalls its slot waits as after a crash, until one was ready for `backoff.HEALTHY_S`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.lifecycle import backoff
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core.model import GroupState, Held
from wsgigroups.replacing import replace

if TYPE_CHECKING:
    from wsgigroups.lifecycle.step import Record
    from wsgigroups.runtime.wire.spec import Spec

SERVED_S = 10.0  # ready for this long: its wish is granted at once, whatever the lives before it did
PACED = frozenset({"restart-interval", "inactivity-timeout"})  # the manager's own judgements, which take their time
SCRIPT = "script-reloading"  # the wish that is for the whole group
MEMORY = "memory-soft-limit"  # what a fresh process exceeds again is not helped by another one
EVICTION = "signal"  # SIGUSR1: the wish of a person, whose window is that of a reload
TERMINATED = "terminated"  # SIGTERM, which asks for no window
STUCK = "request-timeout"  # what does not end by itself, however long it is waited for
STALLS = 3  # so many in a row are no accident: what was to follow is given up


def worn(group: GroupState, record: Record, reason: str, now: float, next_life: int) -> tuple[GroupState, float]:
    """Return the group with the wish granted, or held, and for how many seconds it is."""
    if record.state is not Tenancy.READY or record.life in group.held or group.outdated(record):
        return group, 0.0
    served_s = now - record.ready_at if record.ready_at is not None else 0.0
    if reason in PACED or served_s >= SERVED_S:
        return _granted(group, record.life, reason, next_life), 0.0
    group, backoff_s = _counted(group, record, now)
    delay_s = backoff_s if reason == MEMORY else min(backoff_s, SERVED_S - served_s)
    if delay_s > 0:
        return replace(group, held={**group.held, record.life: Held(reason, now + delay_s)}), delay_s
    return _granted(group, record.life, reason, next_life), 0.0


def window_s(spec: Spec, reason: str) -> float:
    """For how long a process that leaves for this reason goes on, still accepting, once its successor is ready."""
    if reason == TERMINATED:
        return 0.0
    return spec.eviction_timeout_s if reason == EVICTION else spec.graceful_timeout_s


def stalled(group: GroupState, record: Record, now: float) -> GroupState:
    """Return the group with the wait of the slot's next life on record; it begins now."""
    if record.state is not Tenancy.READY:
        return group
    group, delay_s = _counted(group, record, now)
    return replace(group, waits={**group.waits, record.slot: now + delay_s}) if delay_s > 0 else group


def stuck(group: GroupState, record: Record) -> GroupState:
    """Return the group with a life to be followed for what does not end in it, whatever else it is to be followed for.

    It does not wait: its slot does (`stalled`).
    """
    held = {life: value for life, value in group.held.items() if life != record.life}
    return replace(group, held=held, recycle={**group.recycle, record.life: STUCK})


def hopeless(group: GroupState, record: Record) -> bool:
    """Whether the lives of this slot have stalled too often in a row."""
    return group.haste.get(record.slot, 0) >= STALLS


def due(group: GroupState, now: float, next_life: int) -> GroupState:
    """Return the group with the wishes granted that have been held for long enough."""
    for life, held in group.held.items():
        if held.until <= now:
            group = replace(group, held={key: value for key, value in group.held.items() if key != life})
            record = next((r for r in group.records if r.life == life and r.state is Tenancy.READY), None)
            if record and not group.outdated(record):
                group = _granted(group, life, held.reason, next_life)
    return group


def ended(group: GroupState, record: Record) -> tuple[GroupState, Record]:
    """A life has ended: forget its wish. It left in spite of it, so its slot waits as for a crash."""
    if record.life not in group.held:
        return group, record
    failures = max(record.failures, group.haste.get(record.slot, 1) - 1)
    after = replace(record, failures=failures)
    held = {life: value for life, value in group.held.items() if life != record.life}
    return replace(group.with_record(record, after), held=held), after


def forgiven(group: GroupState) -> GroupState:
    """Return the group with nothing to wait for: somebody asked for a start."""
    return replace(group, haste={}, waits={}, starts={})


def begin(group: GroupState, record: Record, now: float) -> tuple[GroupState, Record]:
    """Return the group with a new record of a slot: one that waits, if the slot has to."""
    until = group.waits.get(record.slot, 0.0)
    waits = {slot: when for slot, when in group.waits.items() if slot != record.slot}
    if until > now:
        failures = group.haste.get(record.slot, 1) - 1
        record = replace(record, state=Tenancy.COOLING, deadline=until, failures=failures)
    return replace(group, waits=waits, records=(*group.records, record)), record


def next_wish(group: GroupState) -> tuple[float, ...]:
    """When held wishes are due."""
    return tuple(held.until for held in group.held.values())


def postponed(group: GroupState, late_s: float) -> GroupState:
    """Return the group with everything that waits moved."""
    held = {life: replace(value, until=value.until + late_s) for life, value in group.held.items()}
    waits = {slot: until + late_s for slot, until in group.waits.items()}
    look_at = None if group.look_at is None else group.look_at + late_s
    return replace(group, held=held, waits=waits, look_at=look_at)


def _counted(group: GroupState, record: Record, now: float) -> tuple[GroupState, float]:
    healthy_s = max(0.0, now - record.ready_at) if record.ready_at is not None else 0.0
    count = 1 if healthy_s >= backoff.HEALTHY_S else group.haste.get(record.slot, 0) + 1
    delay_s = backoff.delay_s(count, record.life, healthy_s)
    return replace(group, haste={**group.haste, record.slot: count}), delay_s


def _granted(group: GroupState, life: int, reason: str, next_life: int) -> GroupState:
    if reason == SCRIPT:
        return group.restarting(next_life)
    return replace(group, recycle={**group.recycle, life: reason})
