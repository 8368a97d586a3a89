"""An apply that is about some groups: the others stay, and it neither waits for them nor fails with them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.simulation.world import World, target
from wsgigroups.manager.core import model


@pytest.fixture
def world() -> World:
    """Two groups, of two processes each; one is scaled by hand, and is not ready."""
    made = World(seed=1, moods=("good",))
    made.tell(model.Apply({"a": target("a", 2, 1), "b": target("b", 2, 1)}, 1))
    made.run(made.now + 30.0)
    made.tell(model.Scale({"a": 3}))
    made.run(made.now + 30.0)
    made.tell(model.Stop(("a",)))
    made.run(made.now + 30.0)
    return made


def only(world: World, event: model.Apply) -> model.Change:
    before, number = world.state.groups["a"], world.state.next_change
    world.tell(replace(event, only=frozenset({"b"})))
    world.run(world.now + 60.0)
    assert world.state.groups["a"] == before
    return world.state.changes[number]


def test_the_others_stay_as_they_are(world: World) -> None:
    change = only(world, model.Apply({"b": target("b", 2, 2)}, 2))
    assert (change.outcome, set(change.groups)) == ("done", {"b"})
    assert world.state.groups["b"].target.fingerprint == target("b", 2, 2).fingerprint


def test_what_is_not_in_it_any_more_goes_alone(world: World) -> None:
    change = only(world, model.Apply({}, 2))
    assert (change.outcome, set(change.groups)) == ("done", {"b"})
    assert set(world.state.groups) == {"a"}


def test_one_that_fails_returns_alone(world: World) -> None:
    world.moods = ("fails",)
    number = world.state.next_change
    before = world.state.groups["a"]
    world.tell(model.Apply({"b": target("b", 2, 2)}, 2, only=frozenset({"b"})))
    world.run(world.now + 60.0)
    change = world.state.changes[number]
    assert (change.outcome, set(change.groups)) == ("rolled-back", {"b"})
    assert world.state.revision == 1
    assert world.state.groups["a"] == before
