"""The total table of a slot's tenancy: every state, every event, what follows.

Pure data; read by `step`. A cell is a transition, IGNORE or IMPOSSIBLE (logged as a bug, record unchanged). One
deadline per life, owned by the state: entering a state sets it or clears it, so no timer of an earlier state can fire.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Tenancy(Enum):
    """Where a tenancy stands."""

    ABSENT = "absent"  # nothing runs and nothing is wanted; the record is dropped
    SPAWNING = "spawning"  # the spawner was asked
    STARTING = "starting"  # a process exists and has not said that it is ready
    READY = "ready"
    DRAINING = "draining"  # asked to finish and leave
    KILLING = "killing"  # SIGKILL was sent and nothing shall follow
    ABORTING = "aborting"  # SIGKILL was sent because it did not come up; another life shall follow
    COOLING = "cooling"  # waiting before the next life
    FAILED = "failed"  # given up until somebody asks again

    __hash__ = object.__hash__  # there is one of each: no need to go by its name, in Python, for each look into a table


class EventKind(Enum):
    """What can happen to it."""

    WANT_UP = "want-up"
    WANT_DOWN = "want-down"
    SPAWNED = "spawned"
    REFUSED = "refused"  # the spawner could not fork
    BECAME_READY = "became-ready"
    STALLED = "stalled"  # judged from outside: deadlock, request-timeout, what it reports
    OVERDUE = "overdue"  # the deadline of this state has passed
    EXITED = "exited"
    GAVE_UP = "gave-up"  # no attempt can succeed: the interpreter cannot be started

    __hash__ = object.__hash__


class Action(Enum):
    """What the shell is told to do."""

    SPAWN = "spawn"
    DRAIN = "drain"
    KILL = "kill"


class Timer(Enum):
    """Which duration a state's deadline comes from."""

    NONE = "none"
    SPAWN = "spawn"
    STARTUP = "startup"
    DRAIN = "drain"
    KILL = "kill"
    BACKOFF = "backoff"


@dataclass(frozen=True, slots=True)
class Transition:
    """Where to go and what to do."""

    state: Tenancy
    action: Action | None = None


IGNORE: Final = "ignore"
IMPOSSIBLE: Final = "impossible"
Cell = Transition | str

# Each state's one deadline. Timer.NONE: OVERDUE cannot happen there.
TIMER: dict[Tenancy, Timer] = {
    Tenancy.ABSENT: Timer.NONE,
    Tenancy.SPAWNING: Timer.SPAWN,
    Tenancy.STARTING: Timer.STARTUP,
    Tenancy.READY: Timer.NONE,
    Tenancy.DRAINING: Timer.DRAIN,
    Tenancy.KILLING: Timer.KILL,
    Tenancy.ABORTING: Timer.KILL,
    Tenancy.COOLING: Timer.BACKOFF,
    Tenancy.FAILED: Timer.NONE,
}

_SPAWN = Transition(Tenancy.SPAWNING, Action.SPAWN)
_DRAIN = Transition(Tenancy.DRAINING, Action.DRAIN)
_KILL = Transition(Tenancy.KILLING, Action.KILL)
_ABORT = Transition(Tenancy.ABORTING, Action.KILL)
_COOL = Transition(Tenancy.COOLING)
_ABSENT = Transition(Tenancy.ABSENT)
_FAILED = Transition(Tenancy.FAILED)

_E = EventKind
TABLE: dict[Tenancy, dict[EventKind, Cell]] = {
    Tenancy.ABSENT: {
        _E.WANT_UP: _SPAWN,
        _E.WANT_DOWN: IGNORE,
        _E.SPAWNED: IMPOSSIBLE,
        _E.REFUSED: IMPOSSIBLE,
        _E.BECAME_READY: IMPOSSIBLE,
        _E.STALLED: IGNORE,
        _E.OVERDUE: IMPOSSIBLE,
        _E.EXITED: IMPOSSIBLE,
        _E.GAVE_UP: IMPOSSIBLE,
    },
    Tenancy.SPAWNING: {
        _E.WANT_UP: IGNORE,
        _E.WANT_DOWN: _KILL,
        _E.SPAWNED: Transition(Tenancy.STARTING),
        _E.REFUSED: _COOL,
        _E.BECAME_READY: IMPOSSIBLE,
        _E.STALLED: IGNORE,
        _E.OVERDUE: _ABORT,
        _E.EXITED: _COOL,
        _E.GAVE_UP: _FAILED,
    },
    Tenancy.STARTING: {
        _E.WANT_UP: IGNORE,
        _E.WANT_DOWN: _DRAIN,
        _E.SPAWNED: IMPOSSIBLE,
        _E.REFUSED: IMPOSSIBLE,
        _E.BECAME_READY: Transition(Tenancy.READY),
        _E.STALLED: _ABORT,
        _E.OVERDUE: _ABORT,
        _E.EXITED: _COOL,
        _E.GAVE_UP: IMPOSSIBLE,
    },
    Tenancy.READY: {
        _E.WANT_UP: IGNORE,
        _E.WANT_DOWN: _DRAIN,
        _E.SPAWNED: IMPOSSIBLE,
        _E.REFUSED: IMPOSSIBLE,
        _E.BECAME_READY: IGNORE,  # an adopted process whose board said so before its message was read
        _E.STALLED: _DRAIN,
        _E.OVERDUE: IMPOSSIBLE,
        _E.EXITED: _COOL,
        _E.GAVE_UP: IMPOSSIBLE,
    },
    Tenancy.DRAINING: {
        _E.WANT_UP: IGNORE,
        _E.WANT_DOWN: _DRAIN,  # without a window, which ends the one that is open (`step`); with one, nothing happens
        _E.SPAWNED: IMPOSSIBLE,
        _E.REFUSED: IMPOSSIBLE,
        _E.BECAME_READY: IGNORE,
        _E.STALLED: IGNORE,
        _E.OVERDUE: _KILL,
        _E.EXITED: _ABSENT,
        _E.GAVE_UP: IMPOSSIBLE,
    },
    Tenancy.KILLING: {
        _E.WANT_UP: IGNORE,
        _E.WANT_DOWN: IGNORE,
        _E.SPAWNED: _KILL,
        _E.REFUSED: _ABSENT,
        _E.BECAME_READY: IGNORE,
        _E.STALLED: IGNORE,
        _E.OVERDUE: _KILL,
        _E.EXITED: _ABSENT,
        _E.GAVE_UP: _ABSENT,
    },
    Tenancy.ABORTING: {
        _E.WANT_UP: IGNORE,
        _E.WANT_DOWN: Transition(Tenancy.KILLING),
        _E.SPAWNED: _ABORT,
        _E.REFUSED: _COOL,
        _E.BECAME_READY: IGNORE,
        _E.STALLED: IGNORE,
        _E.OVERDUE: _ABORT,
        _E.EXITED: _COOL,
        _E.GAVE_UP: _FAILED,
    },
    Tenancy.COOLING: {
        _E.WANT_UP: _SPAWN,
        _E.WANT_DOWN: _ABSENT,
        _E.SPAWNED: IMPOSSIBLE,
        _E.REFUSED: IMPOSSIBLE,
        _E.BECAME_READY: IMPOSSIBLE,
        _E.STALLED: IGNORE,
        _E.OVERDUE: _SPAWN,
        _E.EXITED: IMPOSSIBLE,
        _E.GAVE_UP: _FAILED,
    },
    Tenancy.FAILED: {
        _E.WANT_UP: _SPAWN,
        _E.WANT_DOWN: _ABSENT,
        _E.SPAWNED: IMPOSSIBLE,
        _E.REFUSED: IMPOSSIBLE,
        _E.BECAME_READY: IMPOSSIBLE,
        _E.STALLED: IGNORE,
        _E.OVERDUE: IMPOSSIBLE,
        _E.EXITED: IMPOSSIBLE,
        _E.GAVE_UP: IGNORE,
    },
}
