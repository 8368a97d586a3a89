"""What is measured for processes that are replaced, and what follows: too many errors, too little memory. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import lives, model, proving
from wsgigroups.manager.core.model import LastError
from wsgigroups.replacing import replace

if TYPE_CHECKING:
    from wsgigroups.lifecycle.step import Record
    from wsgigroups.manager.core.model import Answers
    from wsgigroups.manager.core.turn import Turn

_FEW = 3  # answers, all of them errors: below, one broken page that somebody asks for twice would decide
_CHANCE = 0.01  # that the processes before would have answered so, too


def wanting_room(state: model.State, event: model.Event, now: float) -> tuple[str, ...]:
    """Return the groups that may have a successor begin for this event: how much memory there is has to be known.

    Whatever begins beside the process that it follows asks here, the first attempt and those after a backoff alike.
    """
    match event:
        case model.Apply(targets):
            groups = state.groups
            return tuple(name for name, new in targets.items() if name in groups and groups[name].target != new)
        case model.Restart(names) | model.Reload(names):
            return tuple(names)
        case model.ScriptChanged(life) | model.LifeWorn(life):
            found = state.find(life)
            return (found[0].target.name,) if found else ()
        case model.Tick():
            return tuple(name for name, group in state.groups.items() if _has_successor_due(group, now))
        case _:
            return ()


def _has_successor_due(group: model.GroupState, now: float) -> bool:
    for record in group.records:
        due = record.state is Tenancy.COOLING and record.deadline is not None and record.deadline <= now
        if due and proving.follows(group, record):
            return True
    return False


def measured(turn: Turn, event: model.RolloutCounted | model.RoomFound) -> tuple[str, ...]:
    """Take in a measurement; return the groups to reconcile."""
    return _counted(turn, event) if isinstance(event, model.RolloutCounted) else _room_found(turn, event)


def _counted(turn: Turn, event: model.RolloutCounted) -> tuple[str, ...]:
    """End the rollout whose new processes answer with too many errors, and with more than those before."""
    group = turn.state.groups.get(event.group)
    if group is None or not group.rolling or group.stopped:
        return ()
    policy, new, old = group.target.rollout, event.new, event.old
    if not policy.abort_error_rate or not _tells(new, old, policy.abort_minimum_requests):
        return ()
    as_before = old.requests > 0 and new.errors * old.requests <= old.errors * new.requests
    if as_before or new.errors * 100 < policy.abort_error_rate * new.requests:
        return ()
    first = min((r for r in group.records if r.state is Tenancy.READY and group.is_new(r)), key=_by_life)
    text = f"abort-error-rate: {new.errors} of the first {new.requests} answers of the new processes are errors"
    error = LastError(first.slot, first.life, text)
    turn.note("warning", f"{event.group}: {text}", event.group)
    turn.put(replace(group, last_error=error))
    if group.fallback:
        lives.go_back(turn, event.group, error)
    else:
        lives.stop_replacing(turn, event.group, error)
    return (event.group,)


def _tells(new: Answers, old: Answers, enough: int) -> bool:
    """Whether the answers are enough to judge by.

    Fewer are where all of them are errors, and those of the processes before make that no chance.
    """
    if new.requests >= enough:
        return True
    if new.requests < _FEW or new.errors < new.requests or not old.requests:
        return False
    return (old.errors / old.requests) ** new.requests < _CHANCE


def _room_found(turn: Turn, event: model.RoomFound) -> tuple[str, ...]:
    """Take note of how many processes more than wanted there is memory for."""
    group = turn.state.groups.get(event.group)
    if group is None:
        return ()
    surge = group.target.rollout.max_surge.up(group.wanted)
    fits = max(0, sum(record.live for record in group.records) - group.wanted) + event.processes
    if fits == group.fits:
        return ()
    if fits < surge and (group.fits is None or group.fits >= surge):
        how = "as many at a time are replaced" if fits else "one at a time leaves before its successor begins"
        text = f"memory for {fits} processes more than {group.wanted}, max-surge is {surge}: {how}"
        turn.note("warning", f"{event.group}: {text}", event.group)
    turn.put(replace(group, fits=fits))
    return (event.group,) if group.rolling else ()


def _by_life(record: Record) -> int:
    return record.life
