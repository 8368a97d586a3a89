"""The state of the manager's core. Pure data; nothing here does anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.manager.core.changes import (
    APPLYING,
    DEPLOY,
    START_UP,
    Change,
    Former,
    LastError,
    Progress,
    Proved,
    Transaction,
)
from wsgigroups.manager.core.commands import (
    Command,
    DrainLife,
    FinishChange,
    KillLife,
    Note,
    PartFromClients,
    ReleaseGroup,
    ServeOn,
    SpawnLife,
    StoreState,
    TuneGroup,
)
from wsgigroups.manager.core.events import (
    Answers,
    Apply,
    CodeKnown,
    Event,
    GroupTuned,
    LifeBecameReady,
    LifeExited,
    LifeFailed,
    LifeLetGo,
    LifeOverdue,
    LifeRefused,
    LifeSpawned,
    LifeStalled,
    LifeTold,
    LifeWorn,
    ListenersRenewed,
    Pause,
    Recovered,
    Reload,
    Rerouted,
    Resolved,
    Restart,
    Return,
    RolloutCounted,
    RoomFound,
    Scale,
    Scaled,
    ScriptChanged,
    Shutdown,
    Start,
    StillQueued,
    StillUnresolved,
    Stop,
    Tick,
    Unresolved,
)
from wsgigroups.plan.rollout import Member
from wsgigroups.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.lifecycle.step import Record
    from wsgigroups.plan.desired import GroupTarget

KEPT_HOMES = 16384  # lives of which it is remembered where they are found

# commands, events and changes are known by this module as well, so that whoever speaks with the core needs one name
__all__ = [
    "APPLYING",
    "DEPLOY",
    "START_UP",
    "Answers",
    "Apply",
    "Change",
    "CodeKnown",
    "Command",
    "DrainLife",
    "Event",
    "FinishChange",
    "Former",
    "GroupTuned",
    "KillLife",
    "LastError",
    "LifeBecameReady",
    "LifeExited",
    "LifeFailed",
    "LifeLetGo",
    "LifeOverdue",
    "LifeRefused",
    "LifeSpawned",
    "LifeStalled",
    "LifeTold",
    "LifeWorn",
    "ListenersRenewed",
    "Note",
    "PartFromClients",
    "Pause",
    "Progress",
    "Proved",
    "Recovered",
    "ReleaseGroup",
    "Reload",
    "Rerouted",
    "Resolved",
    "Restart",
    "Return",
    "RolloutCounted",
    "RoomFound",
    "Scale",
    "Scaled",
    "ScriptChanged",
    "ServeOn",
    "Shutdown",
    "SpawnLife",
    "Start",
    "StillQueued",
    "StillUnresolved",
    "Stop",
    "StoreState",
    "Tick",
    "Transaction",
    "TuneGroup",
    "Unresolved",
]


@dataclass(frozen=True, slots=True)
class Held:
    """A wish for a successor that came too soon. until: on the monotonic clock."""

    reason: str
    until: float


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
    automatic: int | None = None  # what the load has come to, where the number follows it; None: nothing yet
    stopped: bool = False
    removing: bool = False
    unknown: bool = False  # found running, and nothing says what it should be: the target only describes it
    unresolved: str = ""  # why the configuration in force could not be made into a target on this host
    restart_before: int = 0  # lives below this number were asked to be replaced
    restart_slots: frozenset[int] = frozenset()  # those of these slots alone; empty: of all
    recycle: Mapping[int, str] = field(default_factory=dict)  # life → the option that wants it replaced
    graceful_lives: frozenset[int] = frozenset()  # leave in their eviction window: `reload`
    restarts: int = 0  # lives that followed one that was not asked to end
    ended: Mapping[str, int] = field(default_factory=dict)  # what processes that have ended have counted: totals.py
    last_error: LastError | None = None
    # slot → why the last life ended that was not asked to
    deaths: Mapping[int, LastError] = field(default_factory=dict)
    starved: Mapping[int, int] = field(default_factory=dict)  # slot → starts in a row that found no memory
    # slot → lives in a row that left or stalled soon after ready
    haste: Mapping[int, int] = field(default_factory=dict)
    held: Mapping[int, Held] = field(default_factory=dict)  # life → its wish for a successor that has to wait
    waits: Mapping[int, float] = field(default_factory=dict)  # slot → when its next life may begin
    untuned: frozenset[int] = frozenset()  # lives that have not been given the live options of the target yet

    @property
    def wanted(self) -> int:
        """How many processes there should be now."""
        if self.stopped or self.removing:
            return 0
        return self.wanted_if_started

    @property
    def wanted_if_started(self) -> int:
        """How many there should be if the group were not stopped, or about to be removed."""
        if self.processes_override is not None:
            return self.processes_override
        limits, number = self.target.scaling, self.automatic
        return self.target.processes if limits is None or number is None else limits.within(number)

    @property
    def asleep(self) -> bool:
        """Whether no process is wanted for as long as nobody asks for anything."""
        return self.target.scaling is not None and not (self.wanted or self.stopped or self.removing)

    @property
    def shut(self) -> bool:
        """Whether nobody is to be served: who connects is refused."""
        return not (self.wanted or self.asleep)

    @property
    def follows_load(self) -> bool:
        """Whether the number of processes is the load's to say now."""
        pinned = self.processes_override is not None
        return self.target.scaling is not None and not (pinned or self.stopped or self.removing or self.bare)

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
        return record.fingerprint != self.target.fingerprint or self.asked_to_go(record) or record.life in self.recycle

    def is_new(self, record: Record) -> bool:
        """Whether it stays, and is not one that a restart of other slots leaves alone."""
        return not self.outdated(record) and (not self.restart_slots or record.life >= self.restart_before)

    def asked_to_go(self, record: Record) -> bool:
        """Whether a restart is to replace this life."""
        meant = not self.restart_slots or record.slot in self.restart_slots
        return meant and 0 < record.life < self.restart_before

    def restarting(self, before: int, slots: frozenset[int] = frozenset()) -> GroupState:
        """Return the group with lives below this number to be replaced: those of these slots, all where none is named.

        What an earlier restart has not replaced yet stays to be replaced.
        """
        whole = not slots or (self.restart_before and not self.restart_slots)
        return replace(self, restart_before=before, restart_slots=frozenset() if whole else self.restart_slots | slots)

    def restarted(self) -> GroupState:
        """Return the group with no restart under way."""
        return replace(self, restart_before=0, restart_slots=frozenset())

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

    def find(self, life: int) -> tuple[GroupState, Record] | None:
        """The record of a life that is one of its own, with itself."""
        return next(((self, record) for record in self.records if record.life == life), None)

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
    stopping: bool = False  # everything was asked to end
    drains_at: float | None = None  # when that begins, where it is put off (drain-delay)
    transaction: Transaction | None = None  # of the apply under way
    touched: frozenset[str] = field(default=frozenset(), compare=False)  # groups that the last turn has changed
    # Where lives were last: what `find` has learned, and nothing else. One for a state and all that follow from it.
    homes: dict[int, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def draining(self) -> bool:
        """Whether everything is on its way out: until then all serve on."""
        return self.stopping and self.drains_at is None

    @property
    def open_apply(self) -> int | None:
        """The number of the apply, or rollback, that is under way: others wait for its end."""
        kinds = [kind for kind in APPLYING if kind != START_UP]
        return next((c.id for c in self.changes.values() if c.kind in kinds and not c.finished), None)

    @property
    def paused(self) -> bool:
        """Whether the apply under way is paused: it does not end by itself."""
        return self.transaction is not None and self.transaction.paused

    def find(self, life: int) -> tuple[GroupState, Record] | None:
        """The group and record of a life, while it lasts."""
        home = self.groups.get(self.homes.get(life, ""))
        found = home and home.find(life)
        if found:
            return found
        for name, group in self.groups.items():
            found = group.find(life)
            if found:
                self.settle(name, group)
                return found
        return None

    def settle(self, name: str, group: GroupState) -> None:
        """Note where the lives of a group are found: a look at each of a thousand groups takes its time."""
        if len(self.homes) > KEPT_HOMES:
            self.homes.clear()
        for record in group.records:
            self.homes[record.life] = name
