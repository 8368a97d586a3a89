"""A world for the core: virtual time, fake spawners, daemons with moods. Driven by one seed.

The world delivers what the core asks for late, wrongly or never, checks the invariants after every step, and at the
end, with good daemons only, requires that everything asked for comes true and that commands then cease.
"""

from __future__ import annotations

import heapq
import json
import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from support.targets import small_spec

from tests.simulation import invariants
from tests.simulation.moods import MOODS, FakeDaemon, begin, drain, ended, kill
from wsgigroups.lifecycle.step import Exit, Record, Timings
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import adopting, handling, model
from wsgigroups.manager.core.deadlines import GroupDeadlines, earliest
from wsgigroups.manager.core.handling import handle
from wsgigroups.manager.store import LIFE_STEP
from wsgigroups.manager.supervision import kept_changes
from wsgigroups.manager.supervision.remembering import group_from_json
from wsgigroups.manager.supervision.state_texts import StateTexts
from wsgigroups.plan.desired import GroupTarget, ListenerTarget, RolloutTarget, SpawnerTarget
from wsgigroups.plan.rollout import settled
from wsgigroups.runtime.wire.spec import Serving

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from tests.simulation.causes import Causes

ASKED = (
    model.Apply, model.Restart, model.Reload, model.Stop, model.Start, model.Scale, model.Return, model.Resolved,
)  # fmt: skip
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
            script_reloading="wait",
            serving=Serving(threads=version),
        ),
        listeners=(ListenerTarget("127.0.0.1:0"),),
        spawner=SpawnerTarget("python", "/usr/bin/python3"),
        startup_timeout_s=startup_s,
    )


@dataclass
class World:
    """Everything outside the core."""

    seed: int
    now: float = 1000.0
    state: model.State = field(default_factory=model.State)
    causes: Causes | None = None  # kept only by histories in which all that happens is told
    daemons: dict[int, FakeDaemon] = field(default_factory=dict)
    forked: dict[int, FakeDaemon] = field(default_factory=dict)  # those that have begun
    history: list[tuple[float | None, object]] = field(default_factory=list)  # when and event, or None and command
    released: set[str] = field(default_factory=set)
    finished: set[int] = field(default_factory=set)
    moods: tuple[str, ...] = MOODS
    answers_tuning: bool = True
    refuses: float = 0.1  # how likely a process cannot have a live change
    limits_fail: float = 0.0  # how often what a group is tuned to cannot be had
    routes_fail: float = 0.1  # how likely a process cannot go by its new routes
    tuning_s: tuple[float, ...] = (0.0,)  # how long that may take
    most_slots: int = 0
    deaths: int = 0  # of the manager
    stored: model.State = field(default_factory=model.State)  # as the state was when it was stored last
    starts: dict[tuple[str, int], list[float]] = field(default_factory=dict)  # since somebody asked: group, slot → when
    _queue: list[tuple[float, int, Callable[[], model.Event | None], bool]] = field(default_factory=list)
    _ticket: int = 0
    _deadlines: GroupDeadlines = field(default_factory=GroupDeadlines)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    @property
    def steps(self) -> list[str]:
        """What has happened, a line for each event and each command."""
        return [_line(*step) for step in self.history]

    def tell(self, event: model.Event) -> None:
        """Hand one event to the core, carry out its commands, check the invariants."""
        self.history.append((self.now, event))
        before = self.state
        if isinstance(event, model.LifeLetGo) and event.life in self.daemons:
            self.daemons[event.life].let_go = True
        if isinstance(event, ASKED):
            asked = _groups_of(before, event)
            self.starts = {key: times for key, times in self.starts.items() if key[0] not in asked}
        if self.causes:
            if isinstance(event, model.Tick):
                for group in before.groups.values():
                    for record in group.records:
                        if record.deadline is not None and record.deadline <= self.now:
                            self.causes.late(record)
            self.causes.hear(before, event)
        self.state, commands = handle(before, event, self.now)
        remembered = self._deadlines.next(self.state.groups, before.groups, self.state.touched)
        if len(self.history) % 16 == 0:
            assert remembered == GroupDeadlines().next(self.state.groups), "a turn does not tell whom it has touched"
        if isinstance(event, ASKED) or any(isinstance(c, (model.FinishChange, model.StoreState)) for c in commands):
            self.stored = self.state
        if len(self.history) % 64 == 0:
            assert handle(before, event, self.now) == (self.state, commands), "the core remembers, or changes its past"
        for command in commands:
            self.history.append((None, command))
            self._carry_out(command)
        invariants.check(self, before, event, commands)
        if self.causes:
            self.causes.judge(before, self.state, commands)

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
        self.history.append((self.now, f"the manager sleeps for {seconds} s"))
        self.now += seconds
        self.state = handling.extend_deadlines(self.state, seconds)
        for daemon in self.forked.values():
            if daemon.drained_at is not None:
                daemon.drained_at += seconds

    def lag(self, seconds: float) -> None:
        """The clock is ahead: everything that was due meanwhile is handled late."""
        self.history.append((self.now, f"the clock jumps by {seconds} s"))
        self.now += seconds

    def lose_spawner(self) -> None:
        """The spawner dies: what it was asked for does not come, and how its daemons end nobody can tell."""
        self.history.append((self.now, "the spawner dies"))
        for daemon in list(self.daemons.values()):
            daemon.orphan = True
            if not daemon.alive and not daemon.over and not daemon.lost:
                daemon.lost = daemon.over = True
                self.tell(model.LifeRefused(daemon.life, "the spawner has died", accident=True))

    def die(self, away_s: float, *, forget: bool = False) -> None:
        """The manager is killed and another one comes after a time: it knows what was stored, and what lives.

        forget: what was stored is lost as well.
        """
        how = ", nothing is stored" if forget else ""
        self.history.append((self.now, f"the manager dies{how}, the next one comes after {away_s} s"))
        self.deaths += 1
        self.starts = {}
        if forget:
            self.finished.clear()  # changes are counted anew
        former = {record.life: record for group in self.state.groups.values() for record in group.records}
        for life, daemon in self.daemons.items():
            if life in former and not daemon.alive and not daemon.over:
                daemon.lost = True  # its fork was asked for and not carried out: it sees the end of its channel
        told, self.state = self.state, model.State()
        self._queue, waiting = [], self._queue
        self.now += away_s
        for when, ticket, make, lasts in waiting:  # reports wait in their pipes, ends at the spawner
            if lasts:
                heapq.heappush(self._queue, (max(when, self.now), ticket, make, lasts))
        self.state = self._recovered(model.State() if forget else self.stored, told)
        if self.causes:
            self.causes.follow(self.state)
        self.tell(model.Recovered())

    def _recovered(self, stored: model.State, told: model.State) -> model.State:
        groups = {}
        for name, group in stored.groups.items():
            if not group.removing and not group.bare:
                groups[name] = group_from_json(json.loads("".join(StateTexts().group(name, group, "/run", ()))))
        for daemon in self.forked.values():
            found = told.find(daemon.life)
            group = groups.get(daemon.group)
            if not daemon.alive or found is None:
                continue
            if group is None:  # what it is is not known any more: it is left alone
                group = groups[daemon.group] = model.GroupState(_described(found[0].target), unknown=True)
            groups[daemon.group] = replace(
                group, records=(*group.records, self._adopted(found[1], daemon, group.target))
            )
        kept = kept_changes.to_json(stored)
        ceiling = max([(stored.next_life // LIFE_STEP + 1) * LIFE_STEP, told.next_life])
        state = model.State(groups, next_life=ceiling, next_change=stored.next_change, revision=stored.revision)
        return kept_changes.resumed(state, json.loads(json.dumps(kept)))

    def _adopted(self, record: Record, daemon: FakeDaemon, target: GroupTarget) -> Record:
        tenancy = record.state if record.state in (Tenancy.STARTING, Tenancy.READY) else Tenancy.DRAINING
        timings = Timings(target.startup_timeout_s, target.spec.shutdown_timeout_s)
        # those of today count; 0 is no limit
        daemon.shutdown_s = min((s for s in (daemon.shutdown_s, timings.shutdown_s) if s), default=0.0)
        return replace(
            Record(record.group, record.slot, record.life, record.fingerprint, tenancy, timings),
            deadline=adopting.deadline(tenancy, target, self.now),
            pid=record.pid, spawned_at=record.spawned_at,
            ready_at=record.spawned_at if tenancy is Tenancy.READY else None,
        )  # fmt: skip

    def later(self, delay_s: float, make: Callable[[], model.Event | None], *, lasts: bool = True) -> None:
        """Something will happen. lasts: whichever manager there is then."""
        self._ticket += 1
        heapq.heappush(self._queue, (self.now + delay_s, self._ticket, make, lasts))

    def run(self, until: float) -> None:
        """Let time pass."""
        while True:
            deadline = earliest(self._deadlines.next(self.state.groups), self.state.drains_at)
            nexts = [t for t in (deadline, self._queue[0][0] if self._queue else None) if t is not None]
            if not nexts or min(nexts) > until:
                self.now = max(self.now, until)
                return
            self.now = max(self.now, min(nexts))
            if self._queue and self._queue[0][0] <= self.now:
                event = heapq.heappop(self._queue)[2]()
                if event:
                    self.tell(event)
            else:
                self.tell(model.Tick())

    def end(self, life: int) -> None:
        """Somebody kills this process from outside."""
        daemon = self.daemons[life]
        self.later(0.0, lambda: ended(daemon, Exit(-1, 9)))

    def _carry_out(self, command: model.Command) -> None:
        match command:
            case model.SpawnLife(record, group_target):
                times = self.starts.setdefault((record.group, record.slot), [])
                times.append(self.now)
                recent = [time for time in times if time > self.now - STARTS_WINDOW_S + 1e-6]
                assert len(recent) <= MOST_STARTS, f"{len(recent)} starts of {record.group}/{record.slot} in a minute"
                assert record.life not in self.daemons, f"life {record.life} has been before"
                self.most_slots = max(self.most_slots, record.slot)
                self.daemons[record.life] = begin(self, record, group_target.spec.shutdown_timeout_s)
            case model.DrainLife(record):
                drain(self, self.daemons[record.life], record)
            case model.KillLife(record, after_s):
                if record.life in self.daemons:
                    self._check_grace(self.daemons[record.life])
                    kill(self, self.daemons[record.life], after_s)
            case model.ReleaseGroup(group):
                self.released.add(group)
            case model.FinishChange(change):
                assert change.id not in self.finished, "a change ended twice"
                self.finished.add(change.id)
            case model.Note(level, text, _group):
                assert "[BUG]" not in text, text
                assert level in ("info", "warning", "error")
            case model.TuneGroup(group_target, lives):
                if self.answers_tuning:
                    self._tune(group_target, lives)

    def _tune(self, target: GroupTarget, lives: tuple[int, ...]) -> None:
        group = target.name
        refused = {life: "cannot" for life in lives if self.random.random() < self.refuses}
        failed = "no such controller" if self.limits_fail and self.random.random() < self.limits_fail else ""
        unusable = {}
        if target.routing is not None and self.routes_fail:
            unusable = {life: "no such directory" for life in lives if self.random.random() < self.routes_fail}
        told = model.GroupTuned(group, lives, refused, failed, unusable)
        delay_s = self.random.choice(self.tuning_s) if len(self.tuning_s) > 1 else self.tuning_s[0]
        self.later(delay_s, lambda: told, lasts=False)

    def _check_grace(self, daemon: FakeDaemon) -> None:
        assert not daemon.over, f"a signal to life {daemon.life}, which is over"
        if daemon.drained_at is not None and not (self.causes and self.causes.hasty):
            assert self.now >= daemon.drained_at + daemon.window_s + daemon.shutdown_s, (
                "killed before its grace was over"
            )
            limited = daemon.shutdown_s or not self.causes or daemon.life in self.causes.ended
            assert limited, f"life {daemon.life} is killed, and nothing limits its time"

    def settled(self, groups: Iterable[model.GroupState] | None = None) -> bool:
        """Whether all is as asked; of these groups, or all."""
        return all(
            settled(group.wanted, group.members()) if group.wanted else not group.records
            for group in (self.state.groups.values() if groups is None else groups)
        ) and not any(d.alive for d in self.forked.values() if d.group not in self.state.groups)

    def calm(self) -> None:
        """From now on every new daemon is good; the bad ones that live go on until they are replaced."""
        self.moods, self.limits_fail, self.routes_fail = ("good",), 0.0, 0.0


def _groups_of(state: model.State, event: model.Event) -> Collection[str]:
    """The groups that somebody asks for with an event."""
    match event:
        case model.Apply(targets):
            return targets
        case model.Scale(processes):
            return processes
        case model.Resolved(resolved):
            return (resolved.name,)
        case model.Return():
            return state.groups
        case _:
            return getattr(event, "groups", ())


def _described(target: GroupTarget) -> GroupTarget:
    """What can be known of a group that is found running and of which nothing is stored."""
    return replace(target, options={}, code={}, startup_timeout_s=0.0, rollout=RolloutTarget())


def _line(when: float | None, what: object) -> str:
    return f"{'':9} -> {what}"[:240] if when is None else f"{when:9.3f} {what}"
