"""Nothing that runs is ended unless somebody asked for it, and nothing runs that nobody asked for.

What people asked for and what went wrong is written down here a second time, by other rules than the core's: every
end of a life, every start, and what each group is to be has to follow from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.simulation.invariants import touched
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.lifecycle.step import Record
    from wsgigroups.plan.desired import GroupTarget

ALL = "*"  # as a group's name: something that concerns all of them


@dataclass
class Before:
    """What groups were before an apply began, or before the one that it overtook."""

    targets: dict[str, GroupTarget]  # of those that are known to come up
    others: set[str]  # of which nothing is certain
    revision: int

    @classmethod
    def of(cls, state: model.State) -> Before:
        """Take note of what is in force."""
        staying = {name: group for name, group in state.groups.items() if not group.removing}
        targets = {name: g.target for name, g in staying.items() if not (g.bare or g.unproved or g.unresolved)}
        return cls(targets, set(state.groups) - targets.keys(), state.revision)

    def judge(self, after: model.State) -> None:
        """Raise AssertionError for what an apply that was taken back has left behind."""
        there = {name: group for name, group in after.groups.items() if not group.removing}
        assert after.revision == self.revision, f"revision {after.revision} is in force, not {self.revision}"
        for name, target in self.targets.items():
            assert name in there, f"{name} has not come back"
            assert there[name].target.fingerprint == target.fingerprint, f"{name} is not what it was"
        added = there.keys() - self.targets.keys() - self.others
        assert not added, f"{added} are left of an apply that failed"


@dataclass
class Causes:
    """What a history has had so far that may explain what the core does."""

    asked: dict[str, GroupTarget] = field(default_factory=dict)  # the last that each group should be
    ever: set[tuple[str, str]] = field(default_factory=set)  # group and fingerprint of all that was asked for
    addresses: set[str] = field(default_factory=set)  # that are asked for
    scaled: dict[str, set[int]] = field(default_factory=dict)  # numbers of processes given by hand
    stopped: set[str] = field(default_factory=set)
    replaced_before: dict[str, int] = field(default_factory=dict)  # lives below were asked to be followed
    ended: dict[int, str] = field(default_factory=dict)  # life → why it alone may end
    trouble: set[str] = field(default_factory=set)  # groups that failed since the last apply: all of it may return
    going: set[int] = field(default_factory=set)  # lives whose end has begun
    found: dict[str, set[int]] = field(default_factory=dict)  # the lives of groups that were unknown when it began
    stopping: bool = False
    followed: bool = False  # there was another manager before: two processes of one slot may have been found
    hasty: bool = False  # shutdown --now: no window counts any more
    before: Before | None = None  # what there was before the applies under way; None: not known

    def hear(self, state: model.State, event: model.Event) -> None:
        """Take note of what the core is about to be told. state: as it is before."""
        match event:
            case model.Apply():
                self._applied(state, event)
            case model.Resolved(target):
                self._wanted(target)
                if self.before:
                    self.before.targets.pop(target.name, None)
            case model.Rerouted(target) if state.transaction is None:
                group = state.groups.get(target.name)
                if group and not group.removing:  # else it is over already
                    self._wanted(target)
            case model.Restart(names) | model.Reload(names):
                self._replaced(state, *names)
                self._begun(names)
            case model.Start(names):
                self._begun(names)
            case model.Stop(names):
                self.stopped.update(names)
                for name in [name for name in names if state.groups[name].unknown]:
                    self.asked.pop(name, None)
            case model.Scale(processes):
                self._begun(processes)
                for name, number in processes.items():
                    self.scaled.setdefault(name, set()).add(number)
            case model.Shutdown(now):
                self.stopping, self.hasty = True, self.hasty or now
                self.asked.clear()
            case model.Return():
                self.trouble.add(ALL)
            case _:
                self._happened(state, event)

    def _happened(self, state: model.State, event: model.Event) -> None:
        """Take note of what no person did."""
        found = state.find(getattr(event, "life", 0))
        match event:
            case model.ListenersRenewed(name):
                self._replaced(state, name)
            case model.ScriptChanged() if found:
                self._replaced(state, found[0].target.name)
                self.ended[event.life] = "script"
            case model.LifeWorn() | model.LifeStalled() | model.LifeOverdue():
                self.ended[event.life] = type(event).__name__
            case model.GroupTuned(name, _lives, refused, failed, unusable):
                if refused or unusable:
                    self._replaced(state, name)
                if failed or unusable:
                    self.trouble.add(name)
            case model.RolloutCounted(name, new):
                if new.errors:
                    self.trouble.add(name)
        if found and isinstance(event, (model.LifeRefused, model.LifeExited, model.LifeStalled, model.LifeOverdue)):
            self.trouble.add(found[0].target.name)

    def late(self, record: Record) -> None:
        """The deadline of a record has passed."""
        if record.state in (Tenancy.STARTING, Tenancy.SPAWNING):
            self.trouble.add(record.group)
            self.ended[record.life] = "not ready in time"

    def follow(self, state: model.State) -> None:
        """Another manager has taken over: what was not stored is forgotten."""
        self.trouble.add(ALL)
        self.followed = True
        if state.transaction is None:
            self.before = None
        self.stopped = {name for name, group in state.groups.items() if group.stopped}
        self.found.update((name, {r.life for r in g.records}) for name, g in state.groups.items() if g.unknown)

    def judge(self, before: model.State, after: model.State, commands: tuple[model.Command, ...]) -> None:
        """Raise AssertionError for what follows from nothing."""
        for name, former, group in touched(before, after):
            if group is None:
                if after.transaction is None:  # otherwise it may come back, as it was
                    self.stopped.discard(name)
            else:
                waits = after.transaction is not None and name in after.transaction.later
                self._judge_group(name, group, waits=waits)
                if group.removing and not (former and former.removing):  # what has begun goes on
                    self._judge_removal(name, group)
        if after.changes is not before.changes:
            self._judge_changes(before, after)
        if self.before and after.transaction is None and _has_returned(before, after):
            self.before.judge(after)
        dropped = {command.record.life for command in commands if isinstance(command, model.KillLife)}
        for command in commands:
            match command:
                case model.SpawnLife(record) if record.life in dropped and (
                    after.groups[record.group].removing or _waited(before, record.group)
                ):
                    pass  # the last that it was wanted for came true in the same moment
                case model.SpawnLife(record, target):
                    group = after.groups[record.group]
                    assert not group.bare, f"{record} begins, and nobody knows with what"
                    assert record.group not in self.stopped, f"{record} begins in a group that was stopped"
                    assert not (self.stopping and after.draining), f"{record} begins after the shutdown"
                    assert record.fingerprint == target.fingerprint == group.target.fingerprint
                    assert record.slot <= group.wanted, f"{record} is one too many"
                case model.DrainLife(record) | model.KillLife(record) if record.life not in self.going:
                    self.going.add(record.life)
                    why = self._why(before, after, record)
                    assert why, f"{record} is ended and nobody asked for it"

    def _judge_group(self, name: str, group: model.GroupState, *, waits: bool) -> None:
        """What a group should be is what was asked for last, or was before, when something failed since.

        waits: it is to be that when what it leads to is ready.
        """
        assert group.stopped == (name in self.stopped), f"{name} is {'' if group.stopped else 'not '}stopped"
        assert not group.removing or self.trouble or name not in self.asked, f"{name} goes for no reason"
        if group.bare or group.removing:
            return
        assert (name, group.target.fingerprint) in self.ever, f"nobody asked for this {name}"
        if not self.trouble and name in self.asked and not group.unresolved and not waits:
            assert _same(group.target, self.asked[name]), f"{name} is not what was asked for, and nothing failed"
        if group.processes_override is not None:
            assert group.processes_override in self.scaled.get(name, ()), f"nobody scaled {name}"

    def _judge_removal(self, name: str, group: model.GroupState) -> None:
        """What nobody knows goes only if somebody asks for that, or for its address."""
        in_the_way = any(listener.address in self.addresses for listener in group.target.listeners)
        asked = self.stopping or name in self.stopped or ALL in self.trouble  # or an apply that goes on asks for it
        assert asked or in_the_way or not group.unknown, f"{name} is unknown, and in nobody's way"

    def _judge_changes(self, before: model.State, after: model.State) -> None:
        """What is told to be done is as it was asked for."""
        for number, change in after.changes.items():
            former = before.changes.get(number)
            for name, part in change.groups.items() if change is not former else ():
                was = former.groups[name].state if former and name in former.groups else "pending"
                group = after.groups.get(name)
                if was != "pending" or part.state != "done":
                    continue
                if part.goal == "gone" or group is None:
                    assert group is None or not group.records, f"{name} is told to be gone and has {group.records}"
                    continue
                ready = [r.slot for r in group.records if r.state is Tenancy.READY and self._is_current(group, r)]
                assert sorted(ready) == list(range(1, group.wanted + 1)), f"{name} is told to be done: {group.records}"

    def _is_current(self, group: model.GroupState, record: Record) -> bool:
        """Whether nobody has asked for another process in this one's place."""
        return record.fingerprint == group.target.fingerprint and not 0 < record.life < group.restart_before

    def _why(self, before: model.State, after: model.State, record: Record) -> str:
        """Return what the end of a life follows from; "" if it follows from nothing."""
        name = record.group
        group = after.groups.get(name)
        if self.stopping or name in self.stopped or group is None:
            return "stopped, or removed"
        if group.removing and (self.trouble or name not in self.asked):
            return "removed"
        if group.unknown:
            newcomer = self.trouble and record.life not in self.found.get(name, {record.life})
            return "it was to take over what is unknown" if newcomer else ""
        if record.life in self.ended:
            return self.ended[record.life]
        if record.life < self.replaced_before.get(name, 0):
            return "replaced as asked"
        if record.fingerprint != group.target.fingerprint:
            return "another target"
        if record.slot > group.wanted:
            return "scaled"
        found = before.find(record.life)
        others = [r for r in after.groups[name].records if r.slot == record.slot and r.life != record.life]
        if others and (self.trouble or self.followed or found is None or found[1].state is not Tenancy.READY):
            return "its slot is another's"
        return ""

    def _wanted(self, target: GroupTarget) -> None:
        self.asked[target.name] = target
        self.ever.add((target.name, target.fingerprint))

    def _begun(self, names: Mapping[str, object] | tuple[str, ...]) -> None:
        self.stopped.difference_update(names)

    def _replaced(self, state: model.State, *names: str) -> None:
        for name in names:
            self.replaced_before[name] = state.next_life

    def _applied(self, state: model.State, event: model.Apply) -> None:
        if event.kind == model.START_UP:
            self.before = None
        elif state.transaction is None or not state.transaction.returns:
            self.before = Before.of(state)
        self.trouble.clear()
        self.found.update((name, {r.life for r in g.records}) for name, g in state.groups.items() if g.unknown)
        self.addresses = {listener.address for target in event.targets.values() for listener in target.listeners}
        for name in [name for name in self.asked if name not in {*event.targets, *event.unresolved}]:
            del self.asked[name]
        self.stopped.difference_update(event.targets.keys() - state.groups.keys())  # those that are new
        for target in event.targets.values():
            self._wanted(target)
        self._replaced(state, *event.renewed)


def _has_returned(before: model.State, after: model.State) -> bool:
    """Whether the apply under way has ended, and all that it had changed was taken back; nobody has interfered."""
    transaction = before.transaction
    if transaction is None or not transaction.returns or after.stopping:
        return False
    change = after.changes[transaction.change]
    return change.outcome == "rolled-back" and all(part.state != "overtaken" for part in change.groups.values())


def _waited(state: model.State, name: str) -> bool:
    return state.transaction is not None and name in state.transaction.later


def _same(first: GroupTarget, second: GroupTarget) -> bool:
    """Whether two targets are one, whatever is known of their code."""
    return (first.fingerprint, first.processes, first.options, first.rollout, first.routing, first.scaling) == (
        second.fingerprint, second.processes, second.options, second.rollout, second.routing, second.scaling,
    )  # fmt: skip
