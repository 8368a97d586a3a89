"""`step`: one event meets one record. Pure; the manager's core calls it for every event of every life."""

from __future__ import annotations

from dataclasses import dataclass

from wsgigroups.lifecycle import backoff
from wsgigroups.lifecycle.table import IGNORE, IMPOSSIBLE, TABLE, TIMER, Action, EventKind, Tenancy, Timer, Transition
from wsgigroups.replacing import replace

SPAWN_S = 30.0  # from the request to the spawner's answer; it may have to start an interpreter first
KILL_RETRY_S = 1.0
EXIT_S = 1.0  # after the window and shutdown-timeout, which the daemon ends itself: for its exit, not for requests
STALLED_SHUTDOWN_S = 5.0


@dataclass(frozen=True, slots=True)
class Timings:
    """The durations of a life, from its group's options. Seconds; startup 0 is no limit."""

    startup_s: float = 0.0
    shutdown_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended. exit_code -1: a signal did it; both unknown (-1, 0): nobody could reap it."""

    exit_code: int
    signal: int

    def __str__(self) -> str:
        if self.signal:
            return f"killed by signal {self.signal}"
        return f"exit code {self.exit_code}" if self.exit_code >= 0 else "ended, status unknown"


@dataclass(frozen=True, slots=True)
class Record:
    """What the manager knows of one tenancy. Never mutated; `step` returns the next one."""

    group: str
    slot: int
    life: int
    fingerprint: str
    state: Tenancy = Tenancy.ABSENT
    timings: Timings = Timings()
    deadline: float | None = None
    pid: int | None = None
    spawned_at: float | None = None
    ready_at: float | None = None
    failures: int = 0  # in a row, without 60 healthy seconds between
    last_exit: Exit | None = None
    window_s: float = 0.0  # of the drain under way: still accepting for that long
    accepts_until: float | None = None  # told to leave at once, and may take requests still: until then at the latest
    window_ends: float | None = None  # of that drain
    reason: str = ""  # why it drains or is killed

    @property
    def live(self) -> bool:
        """Whether a process exists or may exist."""
        return self.state in (
            Tenancy.SPAWNING,
            Tenancy.STARTING,
            Tenancy.READY,
            Tenancy.DRAINING,
            Tenancy.KILLING,
            Tenancy.ABORTING,
        )

    def postponed(self, late_s: float) -> Record:
        """Return the record with all that it waits for moved."""
        if self.deadline is None and self.accepts_until is None and self.window_ends is None:
            return self
        return replace(
            self,
            deadline=_later(self.deadline, late_s),
            accepts_until=_later(self.accepts_until, late_s),
            window_ends=_later(self.window_ends, late_s),
        )

    def __str__(self) -> str:
        pid = "-" if self.pid is None else self.pid
        return f"{self.group}/{self.slot} life={self.life} pid={pid} {self.state.name}"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. Each kind uses only its own fields."""

    kind: EventKind
    pid: int | None = None  # SPAWNED
    exit: Exit | None = None  # EXITED
    new_life: int = 0  # WANT_UP, OVERDUE: the number for the next life, should one begin
    reason: str = ""  # WANT_DOWN, STALLED
    window_s: float = 0.0  # WANT_DOWN, STALLED


@dataclass(frozen=True, slots=True)
class Command:
    """One thing to do about one life."""

    action: Action
    record: Record


@dataclass(frozen=True, slots=True)
class Impossible(Exception):  # noqa: N818  (a verdict on our own code, not an error of the world)
    """An event that this state cannot meet; the record is unchanged."""

    record: Record
    event: Event

    def __str__(self) -> str:
        return f"{self.event.kind.name} is impossible for {self.record}"


def step(record: Record, event: Event, now: float) -> tuple[Record, tuple[Command, ...]]:
    """Return the record after the event, and what to do. Raises Impossible."""
    cell = TABLE[record.state][event.kind]
    if cell == IGNORE:
        return record, ()
    if cell == IMPOSSIBLE:
        raise Impossible(record, event)
    assert isinstance(cell, Transition)
    if record.state is Tenancy.DRAINING and event.kind is EventKind.WANT_DOWN:
        return _end_window(record, event, now)
    after = _enter(_absorb(record, event, now), cell.state, event, now)
    return after, (Command(cell.action, after),) if cell.action else ()


def _end_window(record: Record, event: Event, now: float) -> tuple[Record, tuple[Command, ...]]:
    """A window is set once: it may be ended before its time, by a wish without one, and nothing makes it longer."""
    if event.window_s > 0 or record.window_s <= 0:
        return record, ()
    ends = now if record.window_ends is None else min(record.window_ends, now)
    ended = replace(record, window_s=0.0, window_ends=ends, accepts_until=_accepts_until(record, now))
    if record.deadline is not None:
        ended = replace(ended, deadline=min(record.deadline, now + record.timings.shutdown_s + EXIT_S))
    return ended, (Command(Action.DRAIN, ended),)


def retime(record: Record, timings: Timings) -> Record:
    """Return the record with the durations of today. A longer shutdown-timeout holds for who leaves already, too."""
    shutdown_s, deadline = timings.shutdown_s, record.deadline
    if record.state is Tenancy.DRAINING and deadline is not None and record.window_ends is not None and shutdown_s:
        deadline = max(deadline, record.window_ends + shutdown_s + EXIT_S)
    return replace(record, timings=timings, deadline=deadline)


def _later(when: float | None, late_s: float) -> float | None:
    return None if when is None else when + late_s


def _absorb(record: Record, event: Event, now: float) -> Record:
    """Take over the facts an event carries."""
    match event.kind:
        case EventKind.SPAWNED:
            return replace(record, pid=event.pid)
        case EventKind.BECAME_READY:
            return replace(record, ready_at=now)
        case EventKind.EXITED | EventKind.REFUSED:
            healthy = record.ready_at is not None and now - record.ready_at >= backoff.HEALTHY_S
            return replace(record, last_exit=event.exit, pid=None, failures=1 if healthy else record.failures + 1)
        case EventKind.WANT_DOWN | EventKind.STALLED:
            return replace(record, reason=event.reason, window_s=event.window_s)
        case EventKind.WANT_UP:
            return replace(record, failures=0)
        case _:
            return record


def _enter(record: Record, state: Tenancy, event: Event, now: float) -> Record:
    """Set state and its one deadline."""
    if state is Tenancy.SPAWNING:
        record = replace(
            record,
            life=event.new_life,
            spawned_at=now,
            ready_at=None,
            pid=None,
            reason="",
            window_s=0.0,
            window_ends=None,
        )
    duration_s: float | None
    match TIMER[state]:
        case Timer.NONE:
            duration_s = None
        case Timer.SPAWN:
            duration_s = SPAWN_S
        case Timer.STARTUP:
            duration_s = record.timings.startup_s or None
        case Timer.DRAIN:
            shutdown_s = record.timings.shutdown_s
            if event.kind is EventKind.STALLED:
                # shutdown-timeout 0 waits for ever for what runs, but what is stuck never comes to an end
                shutdown_s = shutdown_s or STALLED_SHUTDOWN_S
            duration_s = record.window_s + shutdown_s + EXIT_S if shutdown_s else None
            record = replace(record, window_ends=now + record.window_s)
        case Timer.KILL:
            duration_s = KILL_RETRY_S
        case Timer.BACKOFF:
            healthy_s = now - record.ready_at if record.ready_at is not None else 0.0
            duration_s = backoff.delay_s(record.failures, record.life, healthy_s)
    at_once = state is Tenancy.DRAINING and record.window_s <= 0
    return replace(
        record,
        state=state,
        deadline=None if duration_s is None else now + duration_s,
        accepts_until=_accepts_until(record, now) if at_once else None,
    )


def _accepts_until(record: Record, now: float) -> float:
    """Until when a process that is told to leave at once may take requests: it hangs if it has not heard by then."""
    return now + (record.timings.shutdown_s or STALLED_SHUTDOWN_S) + EXIT_S
