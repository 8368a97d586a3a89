"""One history from one seed: a few things that people do, what goes wrong meanwhile, and how it has to end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.simulation.causes import Causes
from tests.simulation.invariants import check_memory
from tests.simulation.moods import MOODS
from tests.simulation.people import People
from tests.simulation.world import World
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wsgigroups.plan.desired import GroupTarget

PAUSES_S = (0.0, 0.05, 0.5, 4.0, 40.0)
WITH_GATEWAY = 1_000_000  # the first seed of histories in which one group leads to the others
WITH_LOAD = 2_000_000  # … and of those in which processes follow a load
FRIENDLY_S = 600.0  # more than all timeouts of a world come to
QUIET_S = 3600.0
STUCK = ("never-ready", "deaf", "undying", "slow")  # some do not end, or do not get ready, without a timeout


@dataclass
class History:
    """The life of one manager, or of several after each other, with all that it had to do with."""

    seed: int
    world: World = field(init=False)
    people: People = field(init=False)

    def __post_init__(self) -> None:
        self.world = World(self.seed, causes=Causes())
        gateway = WITH_GATEWAY <= self.seed < WITH_LOAD
        self.people = People(self.world, "d" if gateway else "", loaded=self.seed >= WITH_LOAD)

    def live(self) -> None:
        """From the first to the last step. Raises AssertionError, with the seed and the last steps."""
        try:
            self.trouble()
            self.calm()
            dice = self.world.random.random()
            end: Callable[[], None] = self.left_alone if dice < 0.4 else self.as_asked if dice < 0.8 else self.shut_down
            end()
        except Exception as error:
            last = "\n".join(self.world.steps[-30:])
            again = f"WSGIGROUPS_SEEDS={self.seed} python -m pytest tests/simulation/test_seeds.py"
            raise AssertionError(f"seed {self.seed}: {error!r}; again: {again}; the last steps:\n{last}") from error

    def trouble(self) -> None:
        """Everybody acts and everything may go wrong. Each history has its own kinds of trouble."""
        world, dice = self.world, self.world.random
        kinds = tuple(mood for mood in dict.fromkeys(MOODS) if dice.random() < 0.3)
        world.moods = ("good",) * dice.choice([0, 1, 3, 6]) + kinds or ("good",)
        world.limits_fail = dice.choice([0.0, 0.0, 0.2])
        world.tuning_s = dice.choice([(0.0,), (0.0, 0.1, 2.0)])
        often = dice.choice([0.0, 0.1, 0.3, 0.5])
        if dice.random() < 0.3:
            self.people.apply(model.START_UP)
        for _ in range(dice.randint(2, 9)):
            self.people.act()
            world.run(world.now + dice.choice(PAUSES_S))
            if dice.random() < often:
                dice.choice([self._new_manager, self._late, world.repeat, world.lose_spawner, self._kill_one])()

    def calm(self) -> None:
        """From now on the world is friendly: new processes are good, bad ones end, what is missing is there."""
        world = self.world
        world.calm()
        self.people.go_on()
        self.people.resolve(likely=1.0)
        for life, daemon in world.daemons.items():
            if daemon.alive and daemon.mood in STUCK:
                world.end(life)
            elif not daemon.alive and not daemon.over:
                daemon.mood = "good"
        world.run(world.now + FRIENDLY_S)

    def left_alone(self) -> None:
        """Nobody asks for anything any more, but for what the manager has given up for good."""
        world = self.world
        given_up = [
            name
            for name, group in sorted(world.state.groups.items())
            if not group.bare and any(record.state is Tenancy.FAILED for record in group.records)
        ]
        if given_up:
            world.tell(model.Start(tuple(given_up)))
            world.run(world.now + FRIENDLY_S)
        self._check_end(world.state.groups)

    def as_asked(self) -> None:
        """A last configuration comes true, whatever was before."""
        world = self.world
        for name in list(self.people.versions):
            self.people.versions[name] += world.random.randint(0, 1)
        targets = {name: self.people.target(name, version) for name, version in self.people.versions.items()}
        stopped = tuple(
            name for name in sorted(targets) if name in world.state.groups and world.state.groups[name].stopped
        )
        number = world.state.next_change
        world.tell(model.Apply(targets, world.state.revision + 1))
        world.run(world.now + FRIENDLY_S)
        assert world.state.changes[number].outcome == "done", world.state.changes[number]
        for name in stopped:
            world.tell(model.Start((name,)))
        world.run(world.now + FRIENDLY_S)
        for name, wanted in targets.items():
            self._check_group(name, wanted)
        others = {name for name, group in world.state.groups.items() if name not in targets and not group.unknown}
        assert not others, f"{others} are left"
        self._check_end(targets)

    def shut_down(self) -> None:
        """Everything ends, soon if it has to."""
        world, dice = self.world, self.world.random
        world.tell(model.Shutdown(now=dice.random() < 0.3, delay_s=dice.choice((0.0, 0.0, 3.0, 20.0))))
        if dice.random() < 0.5:
            world.run(world.now + dice.choice(PAUSES_S))
            world.tell(model.Shutdown(now=True))
        world.run(world.now + FRIENDLY_S)
        assert not world.state.groups, f"{set(world.state.groups)} did not end"
        left = [daemon.life for daemon in world.forked.values() if daemon.alive]
        assert not left, f"{left} are left running"
        self._check_end(())

    def _check_group(self, name: str, wanted: GroupTarget) -> None:
        """A group is what was asked for, process for process."""
        group = self.world.state.groups[name]
        assert group.target == wanted, f"{name} is not what was asked for"
        ready = [r.fingerprint for r in group.records if r.state is Tenancy.READY]
        number, limits = wanted.processes, wanted.scaling
        if limits is not None:
            number = group.wanted
            assert limits.minimum <= number <= limits.maximum, f"{number} processes of {name}"
        assert ready == [wanted.fingerprint] * number, f"{name}: {group.records}"
        alive = sum(daemon.alive for daemon in self.world.forked.values() if daemon.group == name)
        assert alive == number, f"{alive} processes of {name} are there"

    def _check_end(self, names: Iterable[str]) -> None:
        world = self.world
        known = [group for name, group in world.state.groups.items() if name in names and not group.unknown]
        assert world.settled(known), "not as asked"
        pending = [change for change in world.state.changes.values() if not change.finished]
        assert not pending, f"changes without an end: {pending}"
        check_memory(world)
        quiet = len(world.history)
        world.run(world.now + QUIET_S)
        assert len(world.history) == quiet, "commands did not cease"

    def _new_manager(self) -> None:
        dice = self.world.random
        self.world.die(dice.choice([0.0, 5.0, 60.0]), forget=dice.random() < 0.15)
        if dice.random() < 0.5:
            self.people.apply(model.START_UP)

    def _late(self) -> None:
        seconds = self.world.random.choice([1.0, 30.0, 86_400.0])
        if self.world.random.random() < 0.5:
            self.world.sleep(seconds)
        else:
            self.world.lag(seconds)

    def _kill_one(self) -> None:
        alive = [life for life, daemon in self.world.forked.items() if daemon.alive]
        if alive:
            self.world.end(self.world.random.choice(alive))
