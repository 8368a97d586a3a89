"""New code in the core: what is told to be renewed is replaced, what is only learned replaces nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.simulation.world import World, target
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model
from wsgigroups.plan.desired import GroupTarget

OLD, NEW = {"application": "old"}, {"application": "new"}


def blog(code: dict[str, str]) -> GroupTarget:
    return replace(target("blog", 2, 1), code=code)


@pytest.fixture
def world() -> World:
    """A group of two that has been ready for a minute."""
    world = World(seed=1, moods=("good",))
    world.tell(model.Apply({"blog": blog(OLD)}, 1))
    world.run(world.now + 60.0)
    return world


def ready(world: World) -> set[int]:
    return {r.life for r in world.state.groups["blog"].records if r.state is Tenancy.READY}


def test_a_group_that_is_renewed_is_replaced(world: World) -> None:
    before = ready(world)
    world.tell(model.Apply({"blog": blog(NEW)}, 2, renewed=frozenset({"blog"})))
    world.run(world.now + 60.0)
    assert world.state.changes[2].outcome == "done"
    assert len(ready(world)) == 2
    assert ready(world).isdisjoint(before)


def test_a_group_whose_target_has_that_code_already_is_replaced_too(world: World) -> None:
    """After a restart that failed its processes are older than its target."""
    before = ready(world)
    world.tell(model.Apply({"blog": blog(OLD)}, 2, renewed=frozenset({"blog"})))
    world.run(world.now + 60.0)
    assert ready(world).isdisjoint(before)


def test_new_code_that_does_not_come_up_leaves_the_old_one_known(world: World) -> None:
    before = ready(world)
    world.moods = ("fails",)
    world.tell(model.Apply({"blog": blog(NEW)}, 2, renewed=frozenset({"blog"})))
    world.run(world.now + 10.0)
    assert world.state.changes[2].outcome == "rolled-back"
    assert ready(world) == before
    assert world.state.groups["blog"].target.code == OLD


def test_what_is_learned_replaces_nobody(world: World) -> None:
    before = ready(world)
    world.tell(model.CodeKnown({"blog": NEW, "gone": NEW}))
    world.run(world.now + 60.0)
    group = world.state.groups["blog"]
    assert ready(world) == before
    assert group.target.code == NEW
    assert not group.unproved


@pytest.mark.parametrize(
    "event", [model.Restart(("blog",), code={"blog": NEW}), model.Reload(("blog",), code={"blog": NEW})]
)
def test_what_is_restarted_has_the_code_of_now(world: World, event: model.Restart | model.Reload) -> None:
    world.tell(event)
    world.run(world.now + 60.0)
    assert world.state.groups["blog"].target.code == NEW


def test_a_start_brings_the_code_of_now_only_where_nothing_runs(world: World) -> None:
    world.tell(model.Start(("blog",), code={"blog": NEW}))
    world.run(world.now + 10.0)
    assert world.state.groups["blog"].target.code == OLD
    world.tell(model.Stop(("blog",)))
    world.run(world.now + 60.0)
    world.tell(model.Start(("blog",), code={"blog": NEW}))
    world.run(world.now + 10.0)
    assert world.state.groups["blog"].target.code == NEW
