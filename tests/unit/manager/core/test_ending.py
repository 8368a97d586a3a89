"""The end of everything: put off for drain-delay, skipped, hastened; the gateway first, then whom it asks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.simulation.world import World, target
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import handling, haste, model
from wsgigroups.manager.observing import probes
from wsgigroups.plan.desired import GroupTarget, ListenerTarget
from wsgigroups.plan.routing import RoutingTarget, is_link

DELAY_S = 10.0


@pytest.fixture
def world() -> World:
    made = World(seed=1, moods=("good",), refuses=0.0, routes_fail=0.0)
    made.tell(model.Apply({"a": target("a", 2, 1), "b": target("b", 1, 1)}, 1))
    made.run(made.now + 30.0)
    return made


def states(world: World, group: str) -> list[Tenancy]:
    return [record.state for record in world.state.groups[group].records]


def commands(world: World, kind: type) -> list[object]:
    return [what for when, what in world.history if when is None and isinstance(what, kind)]


def test_all_serve_on_until_the_delay_is_over(world: World) -> None:
    lives = {record.life for group in world.state.groups.values() for record in group.records}
    world.tell(model.Shutdown(delay_s=DELAY_S))
    (part,) = commands(world, model.PartFromClients)
    assert isinstance(part, model.PartFromClients)
    assert set(part.lives) == lives
    assert probes.not_ready(world.state, begun=True) == ["everything is being stopped"]
    assert probes.not_serving(world.state, lambda _life: False) == []
    assert handling.next_deadline(world.state) == world.now + DELAY_S
    world.run(world.now + DELAY_S - 0.001)
    assert states(world, "a") == [Tenancy.READY] * 2
    assert not commands(world, model.DrainLife)
    world.run(world.now + 0.001)
    assert states(world, "a") == [Tenancy.DRAINING] * 2
    assert probes.not_serving(world.state, lambda _life: False) == ["no process takes requests"]
    world.run(world.now + 10.0)
    assert not world.state.groups
    assert world.state.changes[world.state.next_change - 1].outcome == "done"


def test_what_dies_meanwhile_is_followed_and_its_successor_does_as_the_others(world: World) -> None:
    world.tell(model.Shutdown(delay_s=DELAY_S))
    world.end(world.state.groups["b"].records[0].life)
    world.run(world.now + DELAY_S / 2)
    assert states(world, "b") == [Tenancy.READY]
    assert commands(world, model.PartFromClients)[-1] == model.PartFromClients(
        (world.state.groups["b"].records[0].life,)
    )


@pytest.mark.parametrize("asked", [model.Shutdown(), model.Shutdown(now=True), model.Shutdown(True, DELAY_S)])
def test_one_without_a_delay_skips_what_is_left_of_it(world: World, asked: model.Shutdown) -> None:
    world._check_grace = lambda _daemon: None  # type: ignore[method-assign]  # now means now
    world.tell(model.Shutdown(delay_s=DELAY_S))
    world.tell(asked)
    assert {state for name in world.state.groups for state in states(world, name)} <= (
        {Tenancy.KILLING} if asked.now else {Tenancy.DRAINING}
    )
    assert world.state.drains_at is None


def test_one_with_a_delay_neither_prolongs_one_nor_begins_it_anew(world: World) -> None:
    world.tell(model.Shutdown(delay_s=DELAY_S))
    begun = world.now
    world.run(begun + 4.0)
    world.tell(model.Shutdown(delay_s=DELAY_S))
    assert world.state.drains_at == begun + DELAY_S
    world.tell(model.Shutdown(delay_s=1.0))
    assert world.state.drains_at == begun + 5.0
    world.run(begun + 5.0)
    assert world.state.draining
    world.tell(model.Shutdown(delay_s=DELAY_S))
    assert world.state.draining
    assert len(commands(world, model.PartFromClients)) == 1


def test_who_serves_nobody_waits_for_nothing() -> None:
    world = World(seed=1)
    world.tell(model.Shutdown(delay_s=DELAY_S))
    assert world.state.draining


def test_a_wish_of_a_process_that_was_signalled_is_not_granted_at_the_end(world: World) -> None:
    (record,) = world.state.groups["b"].records
    world.tell(model.Shutdown(delay_s=DELAY_S))
    world.tell(model.LifeWorn(record.life, haste.TERMINATED))
    world.run(world.now + DELAY_S / 2)
    assert world.state.groups["b"].records == (record,)


def test_a_process_that_was_signalled_leaves_when_its_successor_is_ready(world: World) -> None:
    (record,) = world.state.groups["b"].records
    world.tell(model.LifeWorn(record.life, haste.TERMINATED))
    while record.life in {r.life for r in world.state.groups["b"].records if r.state is Tenancy.READY}:
        world.run(world.now + 0.01)
    assert Tenancy.READY in states(world, "b")
    (drain,) = commands(world, model.DrainLife)
    assert isinstance(drain, model.DrainLife)
    assert (drain.record.life, drain.record.reason, drain.record.window_s) == (record.life, "terminated", 0.0)


def test_the_next_manager_has_connections_kept_again(world: World) -> None:
    lives = {record.life for group in world.state.groups.values() for record in group.records}
    world.tell(model.Recovered())
    (serve_on,) = commands(world, model.ServeOn)[-1:]
    assert isinstance(serve_on, model.ServeOn)
    assert set(serve_on.lives) == lives


def asked_by_gateway(name: str) -> GroupTarget:
    listener = ListenerTarget(f"unix:/run/gateway/sockets/{name}.sock", 100)
    return replace(target(name, 1, 1), listeners=(listener,))


def gateway() -> GroupTarget:
    return replace(target("@gateway", 1, 1), routing=RoutingTarget("a", (), (), (), "/run/gateway"))


def test_the_gateway_leaves_before_whom_it_asks() -> None:
    world = World(seed=1, moods=("good",), refuses=0.0, routes_fail=0.0)
    targets = (gateway(), asked_by_gateway("a"), target("alone", 1, 1))
    world.tell(model.Apply({item.name: item for item in targets}, 1))
    world.run(world.now + 30.0)
    world.tell(model.Shutdown())
    assert states(world, "@gateway") == states(world, "alone") == [Tenancy.DRAINING]
    assert states(world, "a") == [Tenancy.READY]
    while "@gateway" in world.state.groups:
        assert states(world, "a") == [Tenancy.READY]
        world.run(world.now + 0.001)
    assert states(world, "a") == [Tenancy.DRAINING]
    world.run(world.now + 30.0)
    assert not world.state.groups


def test_now_waits_for_no_gateway() -> None:
    world = World(seed=1, moods=("good",), refuses=0.0, routes_fail=0.0)
    world.tell(model.Apply({item.name: item for item in (gateway(), asked_by_gateway("a"))}, 1))
    world.run(world.now + 30.0)
    world._check_grace = lambda _daemon: None  # type: ignore[method-assign]  # now means now
    world.tell(model.Shutdown(now=True))
    assert states(world, "a") == [Tenancy.KILLING]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("unix:/run/gateway/sockets/a.sock", True),
        ("unix:/run/gateway/sockets-of-others/a.sock", False),
        ("unix:/run/other/sockets/a.sock", False),
        ("127.0.0.1:80", False),
    ],
)
def test_whom_a_gateway_asks(address: str, expected: bool) -> None:
    assert is_link(address, "/run/gateway") is expected
