"""No history makes a slot start a process more than ten times in a minute, and who asks does not wait."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tests.simulation.world import World, target
from wsgigroups.lifecycle.step import Record
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import handling, model, pace
from wsgigroups.plan.desired import RolloutTarget

BAD = ("fails", "dies-soon", "refused", "never-ready")


@pytest.mark.parametrize("seed", range(60))
def test_no_history_of_rollouts_is_a_storm(seed: int) -> None:
    """The world refuses an eleventh start of a slot within a minute that nobody asked for."""
    dice = random.Random(seed)
    world = World(seed, moods=("good", "fails"))
    world.tell(model.Apply({"a": target("a", 4, 1)}, 1))
    for version in range(2, dice.randint(3, 7)):
        world.run(world.now + dice.choice([0.0, 0.3, 2.0, 70.0]))
        world.moods = tuple(dice.sample(BAD, dice.randint(1, 3)))
        new = replace(
            target("a", dice.randint(1, 4), version, startup_s=1.0),
            rollout=RolloutTarget(min_ready_time_s=dice.choice([0.0, 1.0, 5.0])),
        )
        world.tell(model.Apply({"a": new}, version))
        for _each in range(dice.randint(0, 4)):
            world.run(world.now + dice.choice([0.1, 1.0, 5.0]))
            other: model.Event = model.Scale({"a": dice.randint(1, 4)})
            if dice.random() < 0.3:
                other = model.Restart(("a",))
            elif dice.random() < 0.2:
                # the manager dies: what its successor knows is what it stored, and who is ready
                group = world.state.groups["a"]
                kept = tuple(r for r in group.records if r.state is Tenancy.READY)
                known = model.GroupState(group.target, kept, group.proved, watched=group.fallback is not None)
                world.state = replace(world.state, groups={"a": known})
                world.daemons = {r.life: world.daemons[r.life] for r in kept}
                world.starts.clear()
                other = model.Recovered()
            world.tell(other)
    world.run(world.now + 300.0)


def test_a_rollout_is_no_way_around_the_backoff() -> None:
    world = World(1, moods=("good",))
    world.tell(model.Apply({"a": target("a", 1, 1)}, 1))
    world.run(world.now + 60.0)
    world.moods = ("fails",)
    world.end(1)
    world.run(world.now + 60.0)
    before = len(world.daemons)
    world.run(world.now + 60.0)
    assert len(world.daemons) - before <= 3


def test_the_eleventh_start_waits_until_the_first_is_a_minute_ago() -> None:
    group = model.GroupState(target("a", 1, 1))
    for moment in map(float, range(10)):
        assert pace.next_start(group, 1, moment) == moment
        group = pace.started(group, 1, moment)
    assert pace.next_start(group, 1, 10.0) == 60.0
    assert pace.next_start(group, 2, 10.0) == 10.0
    record = Record("a", 1, 11, "a-1")
    waiting = pace.held_back(group, record, 10.0)
    assert (waiting.state, waiting.deadline) == (Tenancy.COOLING, 60.0)
    assert pace.held_back(group, record, 60.0) is record


@pytest.mark.parametrize("event", [model.Restart(("a",)), model.Start(("a",))])
def test_who_asks_does_not_wait(event: model.Event) -> None:
    world = World(1, moods=("fails",))
    world.tell(model.Apply({"a": target("a", 1, 1)}, 1))
    world.run(world.now + 300.0)
    (record,) = world.state.groups["a"].records
    assert record.state is Tenancy.COOLING
    world.moods = ("good",)
    world.tell(event)
    (record,) = world.state.groups["a"].records
    assert record.state is Tenancy.SPAWNING


def test_after_long_health_the_first_restart_is_immediate() -> None:
    world = World(1, moods=("good",))
    world.tell(model.Apply({"a": target("a", 1, 1)}, 1))
    world.run(world.now + 3600.0)
    world.end(1)
    world.run(world.now + 0.001)
    (record,) = world.state.groups["a"].records
    assert (record.state, record.spawned_at is not None and world.now - record.spawned_at < 0.2) == (
        Tenancy.SPAWNING, True,
    )  # fmt: skip


def test_a_tenancy_that_begins_anew_waits_as_well() -> None:
    group = model.GroupState(target("a", 1, 1), starts={1: tuple(map(float, range(10)))})
    state, commands = handling.handle(model.State({"a": group}), model.Recovered(), 10.0)
    assert not [command for command in commands if isinstance(command, model.SpawnLife)]
    (record,) = state.groups["a"].records
    assert (record.state, record.deadline) == (Tenancy.COOLING, 60.0)
