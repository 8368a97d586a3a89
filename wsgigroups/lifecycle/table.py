"""The total table of a slot's tenancy: every state, every event, what follows.

Pure data; read by `step`. A cell is a transition, IGNORE or IMPOSSIBLE (logged as a bug, record unchanged). One
deadline per life, owned by the state: entering a state sets it or clears it, so no timer of an earlier state can fire.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class State(Enum):
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

    state: State
    action: Action | None = None


IGNORE: Final = "ignore"
IMPOSSIBLE: Final = "impossible"
Cell = Transition | str

# Each state's one deadline. Timer.NONE: OVERDUE cannot happen there.
TIMER: dict[State, Timer] = {
    State.ABSENT: Timer.NONE,
    State.SPAWNING: Timer.SPAWN,
    State.STARTING: Timer.STARTUP,
    State.READY: Timer.NONE,
    State.DRAINING: Timer.DRAIN,
    State.KILLING: Timer.KILL,
    State.ABORTING: Timer.KILL,
    State.COOLING: Timer.BACKOFF,
    State.FAILED: Timer.NONE,
}

_SPAWN = Transition(State.SPAWNING, Action.SPAWN)
_DRAIN = Transition(State.DRAINING, Action.DRAIN)
_KILL = Transition(State.KILLING, Action.KILL)
_ABORT = Transition(State.ABORTING, Action.KILL)
_COOL = Transition(State.COOLING)
_ABSENT = Transition(State.ABSENT)
_FAILED = Transition(State.FAILED)

_E = EventKind
TABLE: dict[State, dict[EventKind, Cell]] = {
    State.ABSENT: {
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
    State.SPAWNING: {
        _E.WANT_UP: IGNORE,
        _E.WANT_DOWN: _KILL,
        _E.SPAWNED: Transition(State.STARTING),
        _E.REFUSED: _COOL,
        _E.BECAME_READY: IMPOSSIBLE,
        _E.STALLED: IGNORE,
        _E.OVERDUE: _ABORT,
        _E.EXITED: _COOL,
        _E.GAVE_UP: _FAILED,
    },
    State.STARTING: {
        _E.WANT_UP: IGNORE,
        _E.WANT_DOWN: _DRAIN,
        _E.SPAWNED: IMPOSSIBLE,
        _E.REFUSED: IMPOSSIBLE,
        _E.BECAME_READY: Transition(State.READY),
        _E.STALLED: _ABORT,
        _E.OVERDUE: _ABORT,
        _E.EXITED: _COOL,
        _E.GAVE_UP: IMPOSSIBLE,
    },
    State.READY: {
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
    State.DRAINING: {
        _E.WANT_UP: IGNORE,
        _E.WANT_DOWN: IGNORE,
        _E.SPAWNED: IMPOSSIBLE,
        _E.REFUSED: IMPOSSIBLE,
        _E.BECAME_READY: IGNORE,
        _E.STALLED: IGNORE,
        _E.OVERDUE: _KILL,
        _E.EXITED: _ABSENT,
        _E.GAVE_UP: IMPOSSIBLE,
    },
    State.KILLING: {
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
    State.ABORTING: {
        _E.WANT_UP: IGNORE,
        _E.WANT_DOWN: Transition(State.KILLING),
        _E.SPAWNED: _ABORT,
        _E.REFUSED: _COOL,
        _E.BECAME_READY: IGNORE,
        _E.STALLED: IGNORE,
        _E.OVERDUE: _ABORT,
        _E.EXITED: _COOL,
        _E.GAVE_UP: _FAILED,
    },
    State.COOLING: {
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
    State.FAILED: {
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
