"""What people and programs ask of a manager in a history, and what its own judges tell it. All chosen by the seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tests.simulation.world import World, target
from wsgigroups.errors import WsgigroupsError
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import handling, model
from wsgigroups.plan.desired import GroupTarget, ListenerTarget, RolloutTarget, Share, SpawnerTarget
from wsgigroups.plan.routing import RoutingTarget
from wsgigroups.plan.scaling import ScalingTarget

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ("a", "b", "c", "d")
ADDRESSES = {"a": "127.0.0.1:1", "b": "127.0.0.1:2", "c": "127.0.0.1:3", "d": "127.0.0.1:3"}  # c and d: the same
WISHES = ("maximum-requests", "restart-interval", "inactivity-timeout", "memory-soft-limit")


def _routes(text: str) -> RoutingTarget:
    return RoutingTarget(text, (), (), (), "/run")


def policy(dice: random.Random) -> RolloutTarget:
    """Any way to replace processes."""
    surge = dice.choice([Share(0), Share(1), Share(25, percent=True), Share(100, percent=True)])
    unavailable = dice.choice([Share(0), Share(1), Share(50, percent=True)])
    return RolloutTarget(
        surge, unavailable, dice.choice([0.0, 1.0, 5.0]), dice.choice([Share(1), Share(2), Share(50, percent=True)]),
        dice.choice([0.0, 3.0]), abort_minimum_requests=5,
    )  # fmt: skip


@dataclass
class People:
    """Those who use one manager, and the configuration that they have in mind."""

    world: World
    gateway: str = ""  # the group that leads to the others; "": there is none
    loaded: bool = False  # whether the numbers of processes follow a load
    versions: dict[str, int] = field(default_factory=dict)
    unresolved: dict[str, GroupTarget] = field(default_factory=dict)  # that this host cannot have at present

    @property
    def _dice(self) -> random.Random:
        return self.world.random

    def act(self) -> None:
        """One of them does one thing."""
        if random.Random(self.world.state.next_life).random() < 0.5:
            self.go_on()
        names = sorted(name for name, group in self.world.state.groups.items() if not group.removing)
        if not names:
            return self.apply()
        acts: list[tuple[float, Callable[[tuple[str, ...]], None]]] = [
            (4.0, lambda _some: self.apply()),
            (1.2, lambda some: self._order(model.Restart(some, code=self._code(some), slots=self._slots(some)))),
            (0.8, lambda some: self._order(model.Reload(some))),
            (0.8, lambda some: self._order(model.Stop(some))),
            (1.0, lambda some: self._order(model.Start(some, code=self._code(some)))),
            (0.9, lambda some: self._order(model.Scale({some[0]: self._dice.randint(1, 6)}))),
            (0.9, lambda _some: self._give_up()),
            (1.5, lambda _some: self._judge()),
            (0.6, self._notice),
            (1.2, lambda _some: self._look_again()),
        ]
        if self.loaded:
            acts.append((3.0, lambda some: self._load(some)))
        some = tuple(name for name in names if self._dice.random() < 0.5) or tuple(names[:1])
        (chosen,) = self._dice.choices([act for _weight, act in acts], [weight for weight, _act in acts])
        return chosen(some)

    def apply(self, kind: str = "apply") -> None:
        """Another configuration, or the same again; at a start some of it may not be had."""
        dice, state = self._dice, self.world.state
        for name in NAMES:
            chance = dice.random()
            if chance < 0.15:
                self.versions.pop(name, None)
            elif chance < 0.6:
                self.versions[name] = self.versions.get(name, 0) + dice.randint(0, 1)
        targets = {name: self.target(name, version) for name, version in self.versions.items()}
        self.unresolved = {}
        if kind == model.START_UP:
            self.unresolved = {name: targets.pop(name) for name in list(targets) if dice.random() < 0.4}
        described = {
            name: model.Unresolved("no such user", replace(new, spawner=SpawnerTarget("", "")))
            for name, new in self.unresolved.items()
        }
        renewed = frozenset(name for name in targets if name in state.groups and dice.random() < 0.1)
        self._measure(targets)
        self.world.tell(model.Apply(targets, state.revision + 1, kind, described, renewed))
        if random.Random(self.world.state.next_life).random() < 0.2:  # of its own, as for _slots
            self.world.tell(model.Pause(state.next_change))

    def go_on(self) -> None:
        """What was paused goes on."""
        transaction = self.world.state.transaction
        if transaction and transaction.paused:
            self.world.tell(model.Pause(transaction.change, paused=False))

    def target(self, name: str, version: int) -> GroupTarget:
        """What a group should be."""
        dice = self._dice
        startup_s, shutdown_s = dice.choice([0.0, 2.0, 5.0]), dice.choice([0.0, 5.0, 5.0, 9.0])
        new = target(name, dice.randint(1, 4), version, startup_s=startup_s, shutdown_s=shutdown_s)
        if self.loaded and dice.random() < 0.7:
            new = replace(new, scaling=ScalingTarget(dice.choice([0, 0, 1]), max(new.processes, dice.randint(1, 6))))
        if name == self.gateway:  # every other version is one of its routes alone
            new = replace(target(name, new.processes, version // 2), routing=_routes(str(version)))
        return replace(new, rollout=policy(dice), listeners=(ListenerTarget(ADDRESSES[name]),), code={"script": "1"})

    def _order(self, event: model.Restart | model.Reload | model.Stop | model.Start | model.Scale) -> None:
        """What the control API lets through."""
        names = event.processes if isinstance(event, model.Scale) else event.groups
        check = handling.check_groups if isinstance(event, model.Stop) else handling.check_startable
        try:
            check(self.world.state, names)
        except WsgigroupsError:
            return
        if isinstance(event, (model.Restart, model.Reload)):
            self._measure(names)
        self.world.tell(event)

    def _slots(self, names: tuple[str, ...]) -> dict[str, frozenset[int]]:
        """Of some groups only some processes, as the control API lets it through."""
        dice = random.Random(self.world.state.next_life)  # of its own: histories of before stay what they are
        groups = {name: self.world.state.groups[name] for name in names}
        able = [name for name, group in groups.items() if group.wanted and dice.random() < 0.4]
        return {name: frozenset({dice.randint(1, groups[name].wanted)}) for name in able}

    def _load(self, names: tuple[str, ...]) -> None:
        """The load of groups asks for other numbers, sometimes for what cannot be."""
        for name in names:
            self.world.tell(model.Scaled(name, self._dice.choice([0, 0, 1, 2, 4, 9]), "busy"))

    def _code(self, names: tuple[str, ...]) -> dict[str, dict[str, str]]:
        return {name: {"script": str(self._dice.randint(1, 3))} for name in names if self._dice.random() < 0.5}

    def _measure(self, names: tuple[str, ...] | dict[str, GroupTarget]) -> None:
        """How much memory there is, before processes are replaced."""
        for name in names:
            if name in self.world.state.groups and self._dice.random() < 0.3:
                self.world.tell(model.RoomFound(name, self._dice.randint(0, 3)))

    def _give_up(self) -> None:
        transaction = self.world.state.transaction
        self.world.tell(model.Return(transaction.change if transaction else self.world.state.next_change - 1))

    def _judge(self) -> None:
        """A process is judged, or says that it is worn."""
        ready = [r for g in self.world.state.groups.values() for r in g.records if r.ready_at is not None and r.live]
        if not ready:
            return
        life = self._dice.choice(ready).life
        events: list[model.Event] = [
            self._stalled(life),
            model.LifeOverdue(life, "startup-timeout"),
            model.LifeWorn(life, self._dice.choice(WISHES)),
            model.ScriptChanged(life),
        ]
        event = self._dice.choice(events)
        self.world.tell(event)
        if isinstance(event, (model.LifeStalled, model.LifeOverdue)):
            self.world.tell(model.LifeTold(life, ("GET /",), "stack"))

    def _stalled(self, life: int) -> model.LifeStalled:
        """A process hangs as a whole; or some of its requests do, or all."""
        kind = self._dice.random()
        if kind >= 0.4:
            return model.LifeStalled(life, "deadlock-timeout")
        return model.LifeStalled(life, "request-timeout", graceful=True, serves=kind < 0.3)

    def _notice(self, some: tuple[str, ...]) -> None:
        """Somebody has removed a socket file; new code is known of what runs, or a certificate is another one."""
        gateway = self.world.state.groups.get(self.gateway)
        if gateway and gateway.target.routing and self._dice.random() < 0.3:
            text = gateway.target.routing.text
            self.world.tell(model.Rerouted(replace(gateway.target, routing=_routes(f"{text}, renewed"))))
        elif self._dice.random() < 0.5:
            self.world.tell(model.ListenersRenewed(some[0]))
        else:
            self.world.tell(model.CodeKnown(self._code(some)))

    def _look_again(self) -> None:
        """What goes on is measured once a second, and what could not be had is tried again."""
        for name, group in list(self.world.state.groups.items()):
            if group.rolling:
                self._count(group)
                self._measure((name,))
        self.resolve(likely=0.5)

    def _count(self, group: model.GroupState) -> None:
        current = [r for r in group.records if r.state is Tenancy.READY and group.is_new(r)]
        new = self._dice.randint(0, 20) if current else 0
        errors = new if self._dice.random() < 0.3 else 0
        old = model.Answers(100, self._dice.choice([0, 100]))
        self.world.tell(model.RolloutCounted(group.target.name, model.Answers(new, errors), old))

    def resolve(self, *, likely: float) -> None:
        """Try again what could not be had."""
        for name, group in list(self.world.state.groups.items()):
            if not group.unresolved or group.removing:
                continue
            wanted = self.unresolved.get(name)
            if wanted is not None and self._dice.random() < likely:
                self.world.tell(model.Resolved(wanted))
            else:
                self.world.tell(model.StillUnresolved(name, self._dice.choice(["no such user", "no such directory"])))
