"""What leads to other groups: it waits for them, goes before them, and what it cannot use is taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.simulation.world import World, target
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model
from wsgigroups.manager.supervision import kept_changes
from wsgigroups.plan.desired import GroupTarget
from wsgigroups.plan.routing import RoutingTarget


@pytest.fixture
def world() -> World:
    return World(seed=1, moods=("good",), refuses=0.0, routes_fail=0.0)


def gateway(routes: str, version: int = 1) -> GroupTarget:
    return replace(target("@gateway", 1, version), routing=RoutingTarget(routes, (), (), (), "/run"))


def tell(world: World, *targets: GroupTarget, kind: str = "apply") -> int:
    number = world.state.next_change
    world.tell(model.Apply({item.name: item for item in targets}, world.state.revision + 1, kind))
    return number


def apply(world: World, *targets: GroupTarget) -> model.Change:
    number = tell(world, *targets)
    world.run(world.now + 30.0)
    return world.state.changes[number]


def routes(world: World) -> str:
    routing = world.state.groups["@gateway"].target.routing
    assert routing
    return routing.text


def ready(world: World, group: str) -> bool:
    return any(record.state is Tenancy.READY for record in world.state.groups[group].records)


def lives(world: World) -> set[int]:
    return {record.life for record in world.state.groups["@gateway"].records}


def test_a_route_waits_for_the_group_that_it_leads_to(world: World) -> None:
    apply(world, gateway("a"), target("a", 1, 1))
    before = lives(world)
    number = tell(world, gateway("a, b"), target("a", 1, 1), target("b", 1, 1))
    while not ready(world, "b"):
        assert routes(world) == "a"
        world.run(world.now + 0.001)
    world.run(world.now + 30.0)
    assert routes(world) == "a, b"
    assert world.state.changes[number].outcome == "done"
    assert lives(world) == before, "no process was touched"


def test_a_route_is_gone_before_its_group(world: World) -> None:
    apply(world, gateway("a, b"), target("a", 1, 1), target("b", 1, 1))
    world.tuning_s = (3.0,)  # until it goes by what it was told
    number = tell(world, gateway("a"), target("a", 1, 1))
    assert routes(world) == "a"
    world.run(world.now + 2.9)
    assert ready(world, "b")
    world.run(world.now + 30.0)
    assert "b" not in world.state.groups
    assert world.state.changes[number].outcome == "done"


def test_a_group_that_fails_gets_no_route(world: World) -> None:
    apply(world, gateway("a"), target("a", 1, 1))
    world.moods = ("fails",)
    number = tell(world, gateway("a, b"), target("a", 1, 1), target("b", 1, 1))
    world.run(world.now + 300.0)
    change = world.state.changes[number]
    assert change.outcome == "rolled-back"
    assert change.groups["@gateway"].state == "rolled-back"
    assert routes(world) == "a"
    assert "b" not in world.state.groups


def test_routes_that_cannot_be_used_take_all_of_the_change_back(world: World) -> None:
    apply(world, gateway("a"), target("a", 1, 1))
    before = lives(world)
    world.answers_tuning = False
    number = tell(world, gateway("a, b"), target("a", 1, 1), target("b", 1, 1))
    while routes(world) == "a":
        world.run(world.now + 0.001)
    (life,) = before
    world.tell(model.GroupTuned("@gateway", (life,), unusable={life: "no such directory"}))
    assert routes(world) == "a"
    world.tell(model.GroupTuned("@gateway", (life,)))
    world.run(world.now + 30.0)
    change = world.state.changes[number]
    assert change.outcome == "rolled-back"
    error = change.groups["@gateway"].error
    assert error
    assert error.message == "no such directory"
    assert (routes(world), "b" in world.state.groups) == ("a", False)
    assert lives(world) == before, "the process in place went by its old routes all the time"


def test_the_next_manager_goes_on_to_the_routes(world: World) -> None:
    apply(world, gateway("a"), target("a", 1, 1))
    number = tell(world, gateway("a, b"), target("a", 1, 1), target("b", 1, 1))
    kept = kept_changes.to_json(world.state)
    resumed = kept_changes.resumed(replace(world.state, changes={}, transaction=None), kept)
    assert resumed.transaction == world.state.transaction
    assert resumed.transaction
    assert resumed.transaction.later == {"@gateway": gateway("a, b")}
    world.die(0.0)
    world.run(world.now + 60.0)
    assert routes(world) == "a, b"
    assert world.state.changes[number].outcome == "done"


def test_at_a_start_nobody_waits(world: World) -> None:
    apply(world, gateway("a"), target("a", 1, 1))
    tell(world, gateway("a, b"), target("a", 1, 1), target("b", 1, 1), kind=model.START_UP)
    assert routes(world) == "a, b"


def test_a_renewed_certificate_is_told_while_nothing_else_goes_on(world: World) -> None:
    apply(world, gateway("old"), target("a", 1, 1))
    before, revision = lives(world), world.state.revision
    world.tell(model.Rerouted(gateway("new")))
    world.run(world.now + 30.0)
    assert routes(world) == "new"
    assert (lives(world), world.state.revision) == (before, revision)
    tell(world, gateway("new"), target("a", 1, 2))
    world.tell(model.Rerouted(gateway("newer")))
    assert routes(world) == "new", "the apply under way counts"
    world.run(world.now + 30.0)
    world.tell(model.Rerouted(gateway("other", version=2)))
    assert routes(world) == "new", "that would take new processes"
