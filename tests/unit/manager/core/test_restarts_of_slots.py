"""A restart of some processes of a group: the others stay, and the new ones have to last all the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.simulation.world import World, target
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model
from wsgigroups.plan.desired import GroupTarget, RolloutTarget, Share


def blog(version: int = 1, processes: int = 4, **rollout: Any) -> GroupTarget:
    return replace(target("blog", processes, version), rollout=RolloutTarget(**rollout))


@pytest.fixture
def world() -> World:
    """A group of four that has been ready for a minute."""
    world = World(seed=1, moods=("good",), refuses=0.0)
    world.tell(model.Apply({"blog": blog()}, 1))
    world.run(world.now + 60.0)
    return world


def restart(world: World, *slots: int) -> int:
    number = world.state.next_change
    world.tell(model.Restart(("blog",), slots={"blog": frozenset(slots)} if slots else {}))
    return number


def lives(world: World) -> dict[int, list[int]]:
    """Slot → lives that are ready, the oldest first."""
    found: dict[int, list[int]] = {}
    for record in sorted(world.state.groups["blog"].records, key=lambda record: record.life):
        if record.state is Tenancy.READY:
            found.setdefault(record.slot, []).append(record.life)
    return found


def outcome(world: World, number: int) -> str:
    return world.state.changes[number].outcome


@pytest.mark.parametrize("slots", [{2}, {1, 4}, {1, 2, 3, 4}])
@pytest.mark.parametrize("rollout", [{}, {"canary": Share(50, percent=True)}, {"max_surge": Share(0)}])
def test_only_those_are_replaced(world: World, slots: set[int], rollout: dict[str, Any]) -> None:
    world.tell(model.Apply({"blog": blog(**rollout)}, 2))
    world.run(world.now + 60.0)
    before = lives(world)
    number = restart(world, *slots)
    world.run(world.now + 60.0)
    after = lives(world)
    assert {slot for slot in before if after[slot] != before[slot]} == slots
    assert outcome(world, number) == "done"
    assert (world.state.groups["blog"].restart_before, world.state.groups["blog"].restart_slots) == (0, frozenset())


def test_the_new_one_has_to_last_before_the_old_one_goes(world: World) -> None:
    (old,) = lives(world)[2]
    number = restart(world, 2)
    while lives(world)[2] == [old]:
        world.run(world.now + 0.01)
    assert outcome(world, number) == "pending"
    world.end(lives(world)[2][1])  # soon after it was ready
    world.run(world.now + 0.01)
    assert (outcome(world, number), lives(world)[2]) == ("rolled-back", [old])


def test_the_death_of_one_that_stays_is_not_that_of_the_new_one(world: World) -> None:
    (old,), (stays,) = lives(world)[2], lives(world)[3]
    number = restart(world, 2)
    while lives(world)[2] == [old]:
        world.run(world.now + 0.01)
    world.end(stays)
    world.run(world.now + 60.0)
    assert (outcome(world, number), old in lives(world)[2]) == ("done", False)


def test_what_a_restart_has_not_replaced_yet_is_replaced_by_it_still(world: World) -> None:
    before = lives(world)
    whole = restart(world)
    some = restart(world, 2)
    world.run(world.now + 60.0)
    assert not {life for each in before.values() for life in each} & {x for each in lives(world).values() for x in each}
    assert {outcome(world, whole), outcome(world, some)} <= {"done", "overtaken"}
    first, second = restart(world, 1), restart(world, 3)
    before = lives(world)
    world.run(world.now + 60.0)
    after = lives(world)
    assert {slot for slot in before if after[slot] != before[slot]} == {1, 3}
    assert outcome(world, second) == "done"
    assert outcome(world, first) in ("done", "overtaken")


def test_a_slot_that_goes_meanwhile_does_not_keep_the_restart_from_its_end(world: World) -> None:
    number = restart(world, 4)
    world.tell(model.Scale({"blog": 2}))
    world.run(world.now + 60.0)
    assert set(lives(world)) == {1, 2}
    assert outcome(world, number) == "done"


def test_a_graceful_one_leaves_in_its_window(world: World) -> None:
    (old,) = lives(world)[2]
    world.tell(model.Reload(("blog",), slots={"blog": frozenset({2})}))
    assert world.state.groups["blog"].graceful_lives == {old}
