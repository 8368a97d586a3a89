"""A world for the core: virtual time, fake spawners, daemons with moods. Driven by one seed.

The world delivers what the core asks for late, wrongly or never, checks the invariants after every step, and at the
end, with good daemons only, requires that everything asked for comes true and that commands then cease.
"""

from __future__ import annotations

import heapq
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from support.targets import small_spec

from wsgigroups.lifecycle.step import EXIT_S, Exit, Record
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import handling, model, proving, turn
from wsgigroups.manager.core.handling import handle
from wsgigroups.manager.store import LIFE_STEP
from wsgigroups.manager.supervision import kept_changes
from wsgigroups.manager.supervision.remembering import group_from_json, group_to_json
from wsgigroups.plan.desired import GroupTarget, ListenerTarget, SpawnerTarget
from wsgigroups.plan.rollout import LEAVING, LIVE, settled
from wsgigroups.runtime.wire.spec import Serving

MOODS = ("good", "good", "good", "slow", "never-ready", "fails", "deaf", "dies-later", "dies-soon", "refused")
ASKED = (model.Apply, model.Restart, model.Reload, model.Stop, model.Start, model.Scale, model.Return)
MOST_STARTS, STARTS_WINDOW_S = 10, 60.0  # of a slot that nobody asks for


def target(name: str, processes: int, version: int, *, shutdown_s: float = 5.0, startup_s: float = 0.0) -> GroupTarget:
    """A small target whose fingerprint is its version."""
    return GroupTarget(
        name=name,
        processes=processes,
        fingerprint=f"{name}-{version}",
        options={"threads": str(version), "shutdown-timeout": f"{shutdown_s:g}"},
        spec=small_spec(
            name,
            shutdown_timeout_s=shutdown_s,
            graceful_timeout_s=2.0,
            eviction_timeout_s=3.0,
            serving=Serving(threads=version),
        ),
        listeners=(ListenerTarget("127.0.0.1:0"),),
        spawner=SpawnerTarget("python", "/usr/bin/python3"),
        startup_timeout_s=startup_s,
    )


@dataclass
class FakeDaemon:
    """One process of the world."""

    life: int
    group: str
    mood: str
    alive: bool = False
    grace_until: float | None = None  # it has been told to leave, and may take that long
    over: bool = False
    lost: bool = False  # its manager died before it was forked


@dataclass
class World:
    """Everything outside the core."""

    seed: int
    now: float = 1000.0
    state: model.State = field(default_factory=model.State)
    daemons: dict[int, FakeDaemon] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    released: set[str] = field(default_factory=set)
    finished: set[int] = field(default_factory=set)
    moods: tuple[str, ...] = MOODS
    answers_tuning: bool = True
    deaths: int = 0  # of the manager
    stored: model.State = field(default_factory=model.State)  # as the state was when it was stored last
    starts: dict[tuple[str, int], list[float]] = field(default_factory=dict)  # since somebody asked: group, slot → when
    _queue: list[tuple[float, int, Callable[[], model.Event | None]]] = field(default_factory=list)
    _ticket: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def tell(self, event: model.Event) -> None:
        """Hand one event to the core, carry out its commands, check the invariants."""
        self.steps.append(f"{self.now:9.3f} {type(event).__name__} {event}")
        before = self.state
        asked = getattr(event, "targets", None) or getattr(event, "groups", ())
        self.starts = {key: times for key, times in self.starts.items() if key[0] not in asked}
        self.state, commands = handle(before, event, self.now)
        if isinstance(event, ASKED) or any(isinstance(c, (model.FinishChange, model.StoreState)) for c in commands):
            self.stored = self.state
        for command in commands:
            self.steps.append(f"{'':9} -> {command}"[:240])
            self._carry_out(command)
        self._check(commands, before)

    def repeat(self) -> None:
        """Messages come again, and some of lives that nobody knows: nothing may follow from them."""
        for daemon in list(self.daemons.values()):
            if daemon.over and self.random.random() < 0.5:
                self.tell(model.LifeExited(daemon.life, Exit(-1, 9)))
                self.tell(model.LifeRefused(daemon.life, "cannot fork"))
            if daemon.over and self.random.random() < 0.2:
                self.tell(model.LifeBecameReady(daemon.life))
                self.tell(model.LifeStalled(daemon.life, "deadlock-timeout"))
        self.tell(model.LifeTold(10**9, ()))
        self.tell(model.LifeRefused(10**9, "cannot fork"))

    def sleep(self, seconds: float) -> None:
        """The manager is stopped for so long; what happens meanwhile it hears of afterwards."""
        self.steps.append(f"{self.now:9.3f} the manager sleeps for {seconds} s")
        self.now += seconds
        self.state = handling.extend_deadlines(self.state, seconds)
        for daemon in self.daemons.values():
            if daemon.grace_until is not None:
                daemon.grace_until += seconds

    def die(self, away_s: float) -> None:
        """The manager is killed and another one comes after a time: it knows what was stored, and what lives."""
        self.steps.append(f"{self.now:9.3f} the manager dies, the next one comes after {away_s} s")
        self.deaths += 1
        former = {record.life: record for group in self.state.groups.values() for record in group.records}
        for life, daemon in self.daemons.items():
            if life in former and not daemon.alive and not daemon.over:
                daemon.lost = True  # its fork was asked for and not carried out: it sees the end of its channel
        told, self.state = self.state, model.State()
        self._queue, waiting = [], self._queue
        self.now += away_s
        for when, ticket, make in waiting:  # reports wait in their pipes, ends at the spawner
            heapq.heappush(self._queue, (max(when, self.now), ticket, make))
        self.state = self._recovered(self.stored, told)
        self.tell(model.Recovered())

    def _recovered(self, stored: model.State, told: model.State) -> model.State:
        groups = {}
        for name, group in stored.groups.items():
            if not group.removing and not group.bare:
                groups[name] = group_from_json(json.loads(json.dumps(group_to_json(group))))
        for daemon in self.daemons.values():
            found = told.find(daemon.life)
            group = groups.get(daemon.group)
            if not daemon.alive or found is None:
                continue
            if group is None:  # what it is is not known any more: it is left alone
                group = groups[daemon.group] = replace(model.GroupState(found[0].target), unknown=True)
            groups[daemon.group] = replace(group, records=(*group.records, self._adopted(found[1])))
        kept = kept_changes.to_json(stored)
        ceiling = max([(stored.next_life // LIFE_STEP + 1) * LIFE_STEP, told.next_life])
        state = model.State(groups, next_life=ceiling, next_change=stored.next_change, revision=stored.revision)
        return kept_changes.resumed(state, json.loads(json.dumps(kept)))

    def _adopted(self, record: Record) -> Record:
        tenancy = record.state if record.state in (Tenancy.STARTING, Tenancy.READY) else Tenancy.DRAINING
        deadline = None
        if tenancy is Tenancy.DRAINING:
            deadline = self.now + 3.0 + record.timings.shutdown_s + EXIT_S
        elif tenancy is Tenancy.STARTING and record.timings.startup_s:
            deadline = self.now + record.timings.startup_s
        return replace(
            Record(record.group, record.slot, record.life, record.fingerprint, tenancy, record.timings, deadline),
            pid=record.pid, spawned_at=record.spawned_at, ready_at=self.now if tenancy is Tenancy.READY else None,
        )  # fmt: skip

    def later(self, delay_s: float, make: Callable[[], model.Event | None]) -> None:
        """Something will happen."""
        self._ticket += 1
        heapq.heappush(self._queue, (self.now + delay_s, self._ticket, make))

    def run(self, until: float) -> None:
        """Let time pass."""
        while True:
            deadline = handling.next_deadline(self.state)
            nexts = [t for t in (deadline, self._queue[0][0] if self._queue else None) if t is not None]
            if not nexts or min(nexts) > until:
                self.now = until
                return
            self.now = max(self.now, min(nexts))
            if self._queue and self._queue[0][0] <= self.now:
                event = heapq.heappop(self._queue)[2]()
                if event:
                    self.tell(event)
            else:
                self.tell(model.Tick())

    # The world's side of the commands

    def _carry_out(self, command: model.Command) -> None:
        match command:
            case model.SpawnLife(record, group_target):
                times = self.starts.setdefault((record.group, record.slot), [])
                times.append(self.now)
                recent = [time for time in times if time > self.now - STARTS_WINDOW_S + 1e-6]
                assert len(recent) <= MOST_STARTS, f"{len(recent)} starts of {record.group}/{record.slot} in a minute"
                mood = self.random.choice(self.moods)
                daemon = FakeDaemon(record.life, record.group, mood)
                self.daemons[record.life] = daemon
                self.later(self.random.uniform(0.001, 0.05), lambda: self._forked(daemon))
            case model.DrainLife(record):
                daemon = self.daemons[record.life]
                until = self.now + record.window_s + record.timings.shutdown_s
                daemon.grace_until = until if daemon.grace_until is None else min(daemon.grace_until, until)
                if daemon.mood != "deaf":
                    self.later(self.random.uniform(0.0, record.window_s + 1.0), lambda: self._ended(daemon, Exit(0, 0)))
            case model.KillLife(record):
                if record.life in self.daemons:
                    daemon = self.daemons[record.life]
                    self._check_grace(daemon)
                    self.later(0.01, lambda: self._ended(daemon, Exit(-1, 9)))
            case model.ReleaseGroup(group):
                self.released.add(group)
            case model.FinishChange(change):
                assert change.id not in self.finished, "a change ended twice"
                self.finished.add(change.id)
            case model.Note(level, text, _group):
                assert "[BUG]" not in text, text
                assert level in ("info", "warning", "error")
            case model.TuneGroup(group_target, lives):
                if not self.answers_tuning:
                    return
                refused = {life: "cannot" for life in lives if self.random.random() < 0.1}
                told = model.GroupTuned(group_target.name, lives, refused)
                self.later(0.0, lambda: told)

    def _forked(self, daemon: FakeDaemon) -> model.Event | None:
        if daemon.lost:
            return None
        if daemon.mood == "refused":
            return model.LifeRefused(daemon.life, "cannot fork", permanent=self.random.random() < 0.2)
        daemon.alive = True
        if daemon.mood in ("good", "deaf", "dies-later", "dies-soon"):
            self.later(self.random.uniform(0.01, 0.3), lambda: self._ready(daemon))
        elif daemon.mood == "slow":
            self.later(self.random.uniform(1.0, 8.0), lambda: self._ready(daemon))
        elif daemon.mood == "fails":
            self.later(0.02, lambda: self._failed(daemon))
        return model.LifeSpawned(daemon.life, 10_000 + daemon.life)

    def _ready(self, daemon: FakeDaemon) -> model.Event | None:
        if not daemon.alive:
            return None
        if daemon.mood in ("dies-later", "dies-soon"):
            latest_s = 90.0 if daemon.mood == "dies-later" else 3.0
            self.later(self.random.uniform(0.1, latest_s), lambda: self._ended(daemon, Exit(-1, 11)))
        return model.LifeBecameReady(daemon.life)

    def _failed(self, daemon: FakeDaemon) -> model.Event | None:
        if not daemon.alive:
            return None
        self.later(0.001, lambda: self._ended(daemon, Exit(216, 0)))
        return model.LifeFailed(daemon.life, "import", "cannot import", "Traceback …")

    def _ended(self, daemon: FakeDaemon, status: Exit) -> model.Event | None:
        if not daemon.alive:
            return None
        daemon.alive, daemon.over = False, True
        return model.LifeExited(daemon.life, status)

    def end(self, life: int) -> None:
        """Somebody kills this process from outside."""
        daemon = self.daemons[life]
        self.later(0.0, lambda: self._ended(daemon, Exit(-1, 9)))

    # Invariants

    def _check_grace(self, daemon: FakeDaemon) -> None:
        if daemon.grace_until is not None:
            assert self.now >= daemon.grace_until, "killed before its grace was over"

    def _check(self, commands: tuple[model.Command, ...], before: model.State) -> None:
        known = {record.life for group in self.state.groups.values() for record in group.records}
        for daemon in self.daemons.values():
            assert not daemon.alive or daemon.life in known, f"life {daemon.life} runs and nobody knows it"
        for command in commands:
            if isinstance(command, model.SpawnLife):
                group = self.state.groups[command.record.group]
                # a tenancy that goes on after a crash does not wait for those that a scaling down still drains
                former = before.groups.get(command.record.group)
                again = former is not None and any(
                    r.slot == command.record.slot and r.state in (Tenancy.COOLING, Tenancy.FAILED)
                    for r in former.records
                )
                # a manager that follows does not know which tenancies waited for their next life
                counted = LIVE - LEAVING if again or self.deaths else LIVE
                live = sum(record.state in counted for record in group.records)
                assert live <= group.wanted + group.target.rollout.max_surge.up(group.wanted), "more than the surge"
            if isinstance(command, model.DrainLife) and command.record.reason == "replaced":
                group = self.state.groups[command.record.group]
                serving = [r for r in group.records if r.slot == command.record.slot and r.state is Tenancy.READY]
                missing = group.wanted - len({r.slot for r in group.records if r.state is Tenancy.READY})
                may_be = proving.budget(group, self.now).unavailable
                assert serving or missing <= may_be, "a ready process left before its successor was ready"
        assert len(self.state.changes) <= turn.KEPT_CHANGES + 1

    def settled(self) -> bool:
        """Whether all is as asked."""
        return all(
            settled(group.wanted, group.members()) if group.wanted else not group.records
            for group in self.state.groups.values()
        ) and not any(d.alive for d in self.daemons.values() if d.group not in self.state.groups)

    def calm(self) -> None:
        """From now on every new daemon is good; the bad ones that live go on until they are replaced."""
        self.moods = ("good",)
