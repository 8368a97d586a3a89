"""The state, events and commands of the manager's core. Pure data; nothing here does anything."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from wsgigroups.manager.core.changes import (
    APPLYING,
    START_UP,
    Change,
    Former,
    LastError,
    Progress,
    Transaction,
)
from wsgigroups.manager.core.commands import (
    Command,
    DrainLife,
    FinishChange,
    KillLife,
    Note,
    ReleaseGroup,
    ServeOn,
    SpawnLife,
    StoreState,
    TuneGroup,
)
from wsgigroups.plan.rollout import Member

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.lifecycle.step import Exit, Record
    from wsgigroups.plan.desired import GroupTarget

# commands and changes are known by this module as well, so that whoever speaks with the core needs one name
__all__ = [
    "APPLYING",
    "START_UP",
    "Change",
    "Command",
    "DrainLife",
    "FinishChange",
    "Former",
    "KillLife",
    "LastError",
    "Note",
    "Progress",
    "ReleaseGroup",
    "ServeOn",
    "SpawnLife",
    "StoreState",
    "Transaction",
    "TuneGroup",
]


@dataclass(frozen=True, slots=True)
class Held:
    """A wish for a successor that came too soon. until: on the monotonic clock."""

    reason: str
    until: float


@dataclass(frozen=True, slots=True)
class Proved:
    """A target that came up and lasted, with the number of processes that was given by hand."""

    target: GroupTarget
    processes_override: int | None = None


@dataclass(frozen=True, slots=True)
class GroupState:
    """One group: what it should be and what exists of it."""

    target: GroupTarget
    records: tuple[Record, ...] = ()
    proved: Proved | None = None  # the last one; before there is one, what served when it was replaced
    watched: bool = False  # what is new has to last before it replaces everything: proving.py
    look_at: float | None = None  # when time alone changes what the group may do
    fits: int | None = None  # processes more than wanted for which there is memory; None: not known
    starts: Mapping[int, tuple[float, ...]] = field(default_factory=dict)  # slot → its last starts: pace.py
    processes_override: int | None = None  # by scale
    stopped: bool = False
    removing: bool = False
    unknown: bool = False  # found running, and nothing says what it should be: the target only describes it
    unresolved: str = ""  # why the configuration in force could not be made into a target on this host
    restart_before: int = 0  # lives below this number were asked to be replaced
    recycle: Mapping[int, str] = field(default_factory=dict)  # life → the option that wants it replaced
    graceful_lives: frozenset[int] = frozenset()  # leave in their eviction window: `reload`
    restarts: int = 0  # lives that followed one that was not asked to end
    ended: Mapping[str, int] = field(default_factory=dict)  # what processes that have ended have counted: totals.py
    last_error: LastError | None = None
    deaths: Mapping[int, LastError] = field(
        default_factory=dict
    )  # slot → why the last life ended that was not asked to
    starved: Mapping[int, int] = field(default_factory=dict)  # slot → starts in a row that found no memory
    haste: Mapping[int, int] = field(
        default_factory=dict
    )  # slot → lives in a row that left or stalled soon after ready
    held: Mapping[int, Held] = field(default_factory=dict)  # life → its wish for a successor that has to wait
    waits: Mapping[int, float] = field(default_factory=dict)  # slot → when its next life may begin
    untuned: frozenset[int] = frozenset()  # lives that have not been given the live options of the target yet

    @property
    def wanted(self) -> int:
        """How many processes there should be now."""
        if self.stopped or self.removing:
            return 0
        return self.target.processes if self.processes_override is None else self.processes_override

    @property
    def unproved(self) -> bool:
        """Whether the target has still to show that it comes up and lasts."""
        proved = self.proved.target if self.proved else None
        return proved is not self.target and proved != self.target

    @property
    def rolling(self) -> bool:
        """Whether processes are replaced by what has still to show that it lasts."""
        return self.watched and (self.fallback is not None or self.restart_before > 0)

    @property
    def fallback(self) -> GroupTarget | None:
        """What to return to when the target fails; None when it is proved, or nothing was before it."""
        return self.proved.target if self.proved and self.unproved and not self.removing else None

    @property
    def bare(self) -> bool:
        """Whether no process can be started with its target, which only describes the group."""
        return self.unknown or bool(self.unresolved and not self.target.spawner.executable)

    def outdated(self, record: Record) -> bool:
        """Whether another process should take this record's slot."""
        return (
            record.fingerprint != self.target.fingerprint
            or 0 < record.life < self.restart_before
            or record.life in self.recycle
        )

    def members(self) -> tuple[Member, ...]:
        """The records as the rollout sees them."""
        return tuple(Member(r.slot, r.life, r.state, self.outdated(r)) for r in self.records)

    def blamed(self, error: LastError) -> GroupState:
        """Return the group with this as its last error, and as the slot's."""
        return replace(self, last_error=error, deaths={**self.deaths, error.slot: error})

    def death_of(self, record: Record) -> LastError | None:
        """Return what is on record of this life's end: of several that end at once each has its own."""
        error = self.deaths.get(record.slot)
        return error if error and error.life == record.life else None

    def told(self, life: int, requests: tuple[str, ...], stacks: str) -> GroupState:
        """Return the group with what a life that was judged had under way, wherever its end is on record."""

        text = "".join(f"in flight: {request}\n" for request in requests) + stacks

        def more(error: LastError) -> LastError:
            return replace(error, requests=requests, traceback=text) if error.life == life else error

        return replace(
            self,
            last_error=self.last_error and more(self.last_error),
            deaths={slot: more(error) for slot, error in self.deaths.items()},
        )

    def with_record(self, before: Record, after: Record | None) -> GroupState:
        """Return the group with one record replaced, or dropped."""
        kept = [after if record is before else record for record in self.records]
        return replace(self, records=tuple(record for record in kept if record is not None))


@dataclass(frozen=True, slots=True)
class State:
    """Everything the core knows. revision: whose configuration runs, or is being rolled out."""

    groups: Mapping[str, GroupState] = field(default_factory=dict)
    changes: Mapping[int, Change] = field(default_factory=dict)
    next_life: int = 1
    next_change: int = 1
    revision: int = 0
    stopping: bool = False
    transaction: Transaction | None = None  # of the apply under way

    @property
    def open_apply(self) -> int | None:
        """The number of the apply, or rollback, that is under way: others wait for its end."""
        kinds = [kind for kind in APPLYING if kind != START_UP]
        return next((c.id for c in self.changes.values() if c.kind in kinds and not c.finished), None)

    def find(self, life: int) -> tuple[GroupState, Record] | None:
        """The group and record of a life, while it lasts."""
        for group in self.groups.values():
            for record in group.records:
                if record.life == life:
                    return group, record
        return None


# Events: what the shell tells the core. Past tense for what happened, imperative for what people ask.


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A group that the configuration asks for and this host cannot have at present. described: see GroupState.bare."""

    reason: str
    described: GroupTarget


@dataclass(frozen=True, slots=True)
class Apply:
    """A new desired state; groups that are not in it are removed, unknown ones only when their address is wanted.

    Those that are not ready are tried again. unresolved: what could not be made into a target, and why; a target that
    only describes it where there is no other.
    """

    targets: Mapping[str, GroupTarget]
    revision: int
    kind: str = "apply"
    unresolved: Mapping[str, Unresolved] = field(default_factory=dict)
    renewed: frozenset[str] = frozenset()  # groups whose processes are replaced for new code, whatever else is equal


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a group of the configuration in force is on this host, which could not be had before."""

    target: GroupTarget


@dataclass(frozen=True, slots=True)
class Return:
    """Undo the apply under way; another change's number does nothing."""

    change: int


@dataclass(frozen=True, slots=True)
class StillUnresolved:
    """A group could not be had again, and why."""

    group: str
    reason: str


@dataclass(frozen=True, slots=True)
class CodeKnown:
    """What the processes of groups have loaded, of which nobody knew it: nothing is replaced for that."""

    code: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Restart:
    """Replace these groups' processes, successor first."""

    groups: tuple[str, ...]
    kind: str = "restart"
    code: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # group → what the new processes get


@dataclass(frozen=True, slots=True)
class Reload:
    """The graceful signal: recycle in the eviction window."""

    groups: tuple[str, ...]
    kind: str = "reload"
    code: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # group → what the new processes get


@dataclass(frozen=True, slots=True)
class Stop:
    """Drain these groups and keep them stopped."""

    groups: tuple[str, ...]
    kind: str = "stop"


@dataclass(frozen=True, slots=True)
class Start:
    """Start stopped groups; ends a backoff at once."""

    groups: tuple[str, ...]
    kind: str = "start"
    code: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # group → what the new processes get


@dataclass(frozen=True, slots=True)
class Scale:
    """Another number of processes until the next apply."""

    processes: Mapping[str, int]
    kind: str = "scale"


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Drain everything; now skips the windows and the waiting."""

    now: bool = False
    kind: str = "shutdown"


@dataclass(frozen=True, slots=True)
class StillQueued:
    """It is not yet the turn of these lives to be forked, or has just come: the limit on that begins anew."""

    lives: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LifeSpawned:
    """The spawner forked."""

    life: int
    pid: int


@dataclass(frozen=True, slots=True)
class LifeRefused:
    """No process came to be. permanent: no attempt can succeed until somebody changes something.

    accident: it says nothing about the target, whose rollout goes on with the next attempt.
    """

    life: int
    reason: str
    permanent: bool = False
    accident: bool = False


@dataclass(frozen=True, slots=True)
class LifeBecameReady:
    """The daemon said so."""

    life: int


@dataclass(frozen=True, slots=True)
class LifeFailed:
    """The daemon's last words; its exit follows."""

    life: int
    step: str
    message: str
    traceback: str
    reason: str = ""  # the option behind it, where the daemon knows


@dataclass(frozen=True, slots=True)
class LifeExited:
    """The process is gone. counted: totals.counters of its board; group: whose it was, record or not.

    out_of_memory: the kernel killed in its cgroup for want of memory.
    """

    life: int
    exit: Exit
    counted: Mapping[str, int] = field(default_factory=dict)
    group: str = ""
    out_of_memory: bool = False


@dataclass(frozen=True, slots=True)
class LifeStalled:
    """Judged from outside; it is drained at once, or in its graceful window, and killed at shutdown-timeout."""

    life: int
    reason: str
    detail: str = ""
    graceful: bool = False


@dataclass(frozen=True, slots=True)
class LifeOverdue:
    """Ready, but it does not come up: it is killed, and what follows waits for its backoff."""

    life: int
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class LifeTold:
    """What a life that was judged had under way."""

    life: int
    requests: tuple[str, ...]
    stacks: str = ""


@dataclass(frozen=True, slots=True)
class LifeWorn:
    """It should be followed by a fresh one: maximum-requests, restart-interval, memory-soft-limit …"""

    life: int
    reason: str
    start_bytes: int = 0  # of a process that was above memory-soft-limit when it was ready: how large it was


@dataclass(frozen=True, slots=True)
class ScriptChanged:
    """A script file is newer than this process of the group: roll the group."""

    life: int


@dataclass(frozen=True, slots=True)
class Answers:
    """How many requests processes have answered, and how many of those with a status of 500 or more."""

    requests: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True)
class RolloutCounted:
    """What the processes of a rollout have answered so far: those that are new, and those that they replace."""

    group: str
    new: Answers
    old: Answers


@dataclass(frozen=True, slots=True)
class RoomFound:
    """For how many processes more than there are now the machine has memory, by what those take that run."""

    group: str
    processes: int


@dataclass(frozen=True, slots=True)
class GroupTuned:
    """The running processes were given their live options. refused: life → what could not be changed, and why.

    failed: what could not be changed for the group as a whole, and would not be with other processes.
    """

    group: str
    lives: tuple[int, ...]
    refused: Mapping[int, str] = field(default_factory=dict)
    failed: str = ""


@dataclass(frozen=True, slots=True)
class ListenersRenewed:
    """The group has a socket that its processes do not have: nobody reaches them by the one that they have."""

    group: str


@dataclass(frozen=True, slots=True)
class Recovered:
    """The state was put together from what lives; look at every group once."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; deadlines are looked at."""


Event = (
    Apply
    | Return
    | Resolved
    | CodeKnown
    | StillUnresolved
    | Restart
    | Reload
    | Stop
    | Start
    | Scale
    | Shutdown
    | StillQueued
    | LifeSpawned
    | LifeRefused
    | LifeBecameReady
    | LifeFailed
    | LifeExited
    | LifeStalled
    | LifeOverdue
    | LifeTold
    | LifeWorn
    | ScriptChanged
    | RolloutCounted
    | RoomFound
    | GroupTuned
    | ListenersRenewed
    | Recovered
    | Tick
)
