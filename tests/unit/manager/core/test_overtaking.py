"""An apply that takes the place of another one and fails: its groups are what they were before both."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.simulation.applies import apply, fail, fingerprints, hold, lives, ready, tell, until_ready
from tests.simulation.world import World, target
from wsgigroups.lifecycle.step import Exit
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model


@pytest.fixture
def world() -> World:
    return World(seed=1, moods=("good",), refuses=0.0)


def revision_of(world: World, number: int) -> tuple[str, int]:
    """How a change has ended, and which revision is in force then."""
    world.run(world.now + 60)
    assert world.settled()
    assert world.state.transaction is None
    return world.state.changes[number].outcome, world.state.revision


def test_a_group_that_the_second_gives_back_what_it_was_stays_that(world: World) -> None:
    apply(world, target("a", 1, 1), target("b", 1, 1))
    tell(world, target("a", 1, 2), target("b", 1, 2))
    hold(world, "b")
    world.run(world.now + 20)
    assert fingerprints(world)["a"] == {"a-2"}
    number = tell(world, target("a", 1, 1), target("b", 1, 3))
    fail(world, "b")
    assert revision_of(world, number) == ("rolled-back", 1)
    assert fingerprints(world) == {"a": {"a-1"}, "b": {"b-1"}}


@pytest.mark.parametrize("again", [False, True])
def test_a_group_that_the_first_has_added_goes(world: World, again: bool) -> None:
    """Whether the second one has it, just as it is, or not."""
    apply(world, target("b", 1, 1))
    tell(world, target("b", 1, 2), target("new", 1, 1))
    hold(world, "b")
    world.run(world.now + 20)
    assert ready(world, "new")
    number = tell(world, target("b", 1, 3), *([target("new", 1, 1)] if again else []))
    fail(world, "b")
    assert not world.state.changes[number].finished, "one is on its way out"
    assert revision_of(world, number) == ("rolled-back", 1)
    assert fingerprints(world) == {"b": {"b-1"}}


def test_a_group_that_the_first_has_added_goes_when_the_second_is_done(world: World) -> None:
    apply(world, target("b", 1, 1))
    tell(world, target("b", 1, 2), target("new", 1, 1))
    hold(world, "b")
    world.run(world.now + 20)
    number = tell(world, target("b", 1, 3))
    assert revision_of(world, number) == ("done", 3)
    assert fingerprints(world) == {"b": {"b-3"}}


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("away", [0.0, 30.0])
def test_a_group_that_the_first_has_removed_comes_back(world: World, away: float, stopped: bool) -> None:
    """One that is on its way out, and one that is gone, beside another that takes its time."""
    apply(world, target("a", 1, 1), target("gone", 2, 1), target("slow", 1, 1, shutdown_s=0.0))
    world.tell(model.Scale({"gone": 3}))
    world.run(world.now + 30)
    if stopped:
        world.tell(model.Stop(("gone",)))
        world.run(world.now + 30)
    (slow,) = lives(world, "slow")
    world.daemons[slow].mood = "deaf"
    first = tell(world, target("a", 1, 1), target("more", 1, 1))
    while not world.state.groups["slow"].removing:
        world.run(world.now + 0.001)
    world.run(world.now + away)
    assert ("gone" in world.state.groups) == (not away and not stopped)
    number = tell(world, target("a", 1, 2), target("more", 1, 1))
    assert world.state.changes[first].outcome == "overtaken"
    fail(world, "a")
    assert not world.state.changes[number].finished
    world.end(slow)
    assert revision_of(world, number) == ("rolled-back", 1)
    wanted = {"a": {"a-1"}, "gone": set() if stopped else {"gone-1"}, "slow": {"slow-1"}}
    assert fingerprints(world) == wanted
    gone = world.state.groups["gone"]
    assert (gone.stopped, gone.processes_override, len(gone.records)) == (stopped, 3, 0 if stopped else 3)


@pytest.mark.parametrize("asked", [False, True])
def test_one_that_comes_back_has_the_starts_that_it_has_had(world: World, asked: bool) -> None:
    """Where somebody asks for it they are forgiven; a failure is nobody's asking."""
    apply(world, target("a", 1, 1), target("gone", 1, 1), target("slow", 1, 1, shutdown_s=0.0))
    (slow,) = lives(world, "slow")
    world.daemons[slow].mood = "deaf"
    many = {1: tuple(world.now + number for number in range(10))}
    gone = replace(world.state.groups["gone"], starts=many)
    world.state = replace(world.state, groups={**world.state.groups, "gone": gone})
    tell(world, target("a", 1, 1), target("more", 1, 1))
    world.run(world.now + 30.0)
    assert "gone" not in world.state.groups
    number = tell(world, target("a", 1, 2), target("more", 1, 1))
    if asked:
        world.tell(model.Return(number))
    else:
        fail(world, "a")
    held = [record for record in world.state.groups["gone"].records if record.state is Tenancy.COOLING]
    assert bool(held) == (not asked)
    world.end(slow)
    world.run(world.now + 120.0)
    assert len(ready(world, "gone")) == 1


def test_a_target_of_the_first_that_was_proved_is_no_end(world: World) -> None:
    """The group by itself goes back to that, and as a part of the whole to what was before."""
    apply(world, target("a", 1, 1), target("b", 1, 1))
    tell(world, target("a", 1, 2), target("b", 1, 2))
    hold(world, "b")
    world.run(world.now + 20)
    number = tell(world, target("a", 1, 3), target("b", 1, 1))
    fail(world, "a")
    assert revision_of(world, number) == ("rolled-back", 1)
    assert fingerprints(world) == {"a": {"a-1"}, "b": {"b-1"}}


def test_what_has_returned_goes_by_nothing_of_the_apply_any_more(world: World) -> None:
    apply(world, target("a", 1, 1), target("b", 1, 1))
    number = tell(world, target("a", 1, 2), target("b", 1, 2))
    hold(world, "b")
    world.run(world.now + 20)
    assert world.state.groups["a"].fallback is None, "it is proved"
    fail(world, "b")
    until_ready(world, "a", "a-1")
    (life,) = ready(world, "a", "a-1")
    world.daemons[life].alive = False
    world.tell(model.LifeExited(life, Exit(-1, 11)))
    assert revision_of(world, number) == ("rolled-back", 1)
    assert fingerprints(world) == {"a": {"a-1"}, "b": {"b-1"}}


def test_where_nothing_served_before_both_what_was_before_the_second_is_returned_to(world: World) -> None:
    tell(world, target("a", 1, 1), target("b", 1, 1))
    hold(world, "b")
    world.run(world.now + 20)
    before = ready(world, "a")
    number = tell(world, target("a", 1, 2), target("b", 1, 1), target("new", 1, 1))
    fail(world, "new")
    world.run(world.now + 60)
    assert world.state.changes[number].outcome == "rolled-back"
    assert (world.state.revision, ready(world, "a")) == (1, before)
    assert set(world.state.groups) == {"a", "b"}
