"""How often a slot may have a process started: a bound that holds whatever happens and whatever is forgotten. Pure.

A backoff counts failures of a tenancy, and a tenancy can end: by a rollout that is given up, a scaling, a stop. This
bound is the slot's own. A start that somebody asks for begins the count anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.replacing import replace

if TYPE_CHECKING:
    from wsgigroups.lifecycle.step import Record
    from wsgigroups.manager.core.model import GroupState

MOST = 10
WINDOW_S = 60.0


def next_start(group: GroupState, slot: int, now: float) -> float:
    """When the slot may have its next start, on the monotonic clock; not before now."""
    times = group.starts.get(slot, ())
    return now if len(times) < MOST else max(now, times[-MOST] + WINDOW_S)


def started(group: GroupState, slot: int, now: float) -> GroupState:
    """Return the group with a start on record."""
    kept = tuple(time for time in group.starts.get(slot, ()) if time > now - WINDOW_S)[-MOST + 1 :]
    return replace(group, starts={**group.starts, slot: (*kept, now)})


def held_back(group: GroupState, record: Record, now: float) -> Record:
    """Return a record that is to start, as one that waits if its slot has had too many starts."""
    until = next_start(group, record.slot, now)
    if until <= now:
        return record
    return replace(record, state=Tenancy.COOLING, deadline=max(until, record.deadline or until))
