"""What an apply that fails, a restart or a start returns to, and what of it stays: nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.simulation.applies import apply, fail, fingerprints, give_up, hold, lives, ready, tell, until_ready
from tests.simulation.world import World, target
from wsgigroups.lifecycle.step import Exit
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model, returning
from wsgigroups.manager.supervision import kept_changes
from wsgigroups.plan.desired import GroupTarget
from wsgigroups.plan.routing import RoutingTarget

OLD, NEW = {"application": "old"}, {"application": "new"}


@pytest.fixture
def world() -> World:
    return World(seed=1, moods=("good",), refuses=0.0, routes_fail=0.0)


def numbers(world: World, group: str) -> tuple[int | None, int]:
    """What was given by hand, and how many processes are ready."""
    return world.state.groups[group].processes_override, len(ready(world, group))


# Numbers given by hand


@pytest.mark.parametrize(
    ("given", "number", "override"),
    [
        (5, 5, 5),
        (2, 2, 2),  # what the new target says
        (1, 1, None),  # what the old one says
    ],
)
def test_a_number_that_is_given_during_an_apply_outlives_its_failure(
    world: World, given: int, number: int, override: int | None
) -> None:
    apply(world, target("a", 1, 1), target("b", 1, 1))
    world.tell(model.Scale({"a": 3}))
    world.run(world.now + 30)
    tell(world, target("a", 2, 2), target("b", 1, 2))
    world.tell(model.Scale({"a": given}))
    fail(world, "b")
    world.run(world.now + 60)
    assert fingerprints(world)["a"] == {"a-1"}
    assert numbers(world, "a") == (override, number)


def gateway(routes: str) -> GroupTarget:
    return replace(target("@gateway", 1, 1), routing=RoutingTarget(routes, (), (), (), "/run"))


def test_a_number_that_is_given_while_routes_wait_is_in_force_with_them(world: World) -> None:
    apply(world, gateway("a"), target("a", 1, 1))
    number = tell(world, gateway("a, b"), target("a", 1, 1), target("b", 1, 1))
    world.tell(model.Scale({"@gateway": 2}))
    world.run(world.now + 60)
    assert world.state.changes[number].outcome == "done"
    assert numbers(world, "@gateway") == (2, 2)


def test_routes_wait_while_an_apply_is_paused(world: World) -> None:
    apply(world, gateway("a"), target("a", 1, 1), target("gone", 1, 1))
    number = tell(world, gateway("a, b"), target("a", 1, 1), target("b", 1, 1))
    world.tell(model.Pause(number))
    world.run(world.now + 60)
    assert ready(world, "b")
    routing = world.state.groups["@gateway"].target.routing
    assert routing is not None
    assert (routing.text, "gone" in world.state.groups) == ("a", True)
    world.tell(model.Pause(number, paused=False))
    world.run(world.now + 60)
    assert world.state.changes[number].outcome == "done"
    assert "gone" not in world.state.groups


@pytest.mark.parametrize("order", [model.Restart, model.Reload])
def test_a_number_that_was_given_before_outlives_new_code_that_fails(
    world: World, order: type[model.Restart | model.Reload]
) -> None:
    apply(world, replace(target("a", 1, 1), code=OLD))
    world.tell(model.Scale({"a": 3}))
    world.run(world.now + 30)
    world.tell(order(("a",), code={"a": NEW}))
    fail(world, "a")
    world.run(world.now + 60)
    assert world.state.groups["a"].target.code == OLD
    assert numbers(world, "a") == (3, 3)


# What is given up


def test_a_slot_that_was_given_up_keeps_no_apply_open_that_fails(world: World) -> None:
    """Nothing is due any more, and nothing would ever be again."""
    apply(world, target("a", 2, 1), target("b", 1, 1))
    world.end(max(lives(world, "a")))
    give_up(world, "a")
    number = tell(world, target("a", 2, 1, shutdown_s=9.0), target("b", 1, 2))
    give_up(world, "a")
    world.run(world.now + 60)
    assert world.state.open_apply is None
    change = world.state.changes[number]
    assert {name: part.state for name, part in change.groups.items()} == {"a": "failed", "b": "rolled-back"}
    assert change.groups["a"].error is not None
    assert change.groups["a"].error.message == "no such interpreter"


def test_a_number_that_cannot_be_had_is_told(world: World) -> None:
    apply(world, target("a", 1, 1))
    world.tell(model.Scale({"a": 2}))
    give_up(world, "a")
    number = world.state.next_change
    world.tell(model.Scale({"a": 3}))
    world.run(world.now + 60)
    assert world.state.changes[number].outcome == "failed"
    assert len(ready(world, "a")) == 2, "the others are there"


def test_a_start_that_brings_new_code_has_nothing_to_return_to(world: World) -> None:
    apply(world, replace(target("a", 1, 1), code=OLD))
    world.tell(model.Stop(("a",)))
    world.run(world.now + 30)
    number = world.state.next_change
    world.tell(model.Start(("a",), code={"a": NEW}))
    fail(world, "a")
    assert world.state.changes[number].outcome == "failed"
    assert world.state.groups["a"].target.code == NEW
    world.run(world.now + 60)
    assert world.settled()


def test_a_restart_is_given_up_although_one_of_its_processes_is_worn(world: World) -> None:
    apply(world, target("a", 2, 1))
    world.run(world.now + 60)
    before = ready(world, "a")
    world.tell(model.LifeWorn(max(before), "maximum-requests"))
    number = world.state.next_change
    world.tell(model.Restart(("a",)))
    fail(world, "a")
    assert world.state.changes[number].outcome == "rolled-back"
    world.run(world.now + 60)
    assert before - ready(world, "a") == {max(before)}


# Code, limits, and what could not be had


def test_new_code_that_fails_in_one_group_takes_the_others_back(world: World) -> None:
    """Also where nothing but the code differs, and the group has that already."""
    apply(world, target("a", 1, 1), target("b", 1, 1))
    before = ready(world, "a")
    number = tell(world, target("a", 1, 1), target("b", 1, 2), renewed="a")
    fail(world, "a")
    world.run(world.now + 60)
    assert world.state.changes[number].outcome == "rolled-back"
    assert (ready(world, "a"), fingerprints(world)["b"], world.state.revision) == (before, {"b-1"}, 1)


@pytest.mark.parametrize("code", [OLD, NEW])
def test_what_was_to_be_replaced_for_new_code_stays_when_another_group_fails(
    world: World, code: dict[str, str]
) -> None:
    apply(world, replace(target("a", 2, 1), code=OLD), target("b", 1, 1))
    before = ready(world, "a")
    tell(world, replace(target("a", 2, 1), code=code), target("b", 1, 2), renewed="a")
    fail(world, "b")
    world.run(world.now + 60)
    assert ready(world, "a") == before
    assert world.state.groups["a"].target.code == OLD
    assert world.state.groups["a"].restart_before == 0


def test_a_restart_that_somebody_asks_for_is_carried_out_although_the_apply_fails(world: World) -> None:
    apply(world, target("a", 1, 1), target("b", 1, 1))
    before = ready(world, "a")
    tell(world, target("a", 1, 1), target("b", 1, 2), renewed="a")
    until_ready(world, "b", "b-2")
    number = world.state.next_change
    world.tell(model.Restart(("a",)))
    (life,) = ready(world, "b", "b-2")
    world.daemons[life].alive = False
    world.tell(model.LifeExited(life, Exit(-1, 11)))
    world.run(world.now + 60)
    assert world.state.changes[number].outcome == "done"
    assert ready(world, "a").isdisjoint(before)


def test_what_crashes_and_had_been_proved_is_returned_to_with_the_rest(world: World) -> None:
    """Whether a process of it is ready at just that moment decides nothing."""
    apply(world, target("a", 1, 1))
    world.moods = ("fails",)
    world.end(*lives(world, "a"))
    while world.state.groups["a"].records[0].state is not Tenancy.COOLING:
        world.run(world.now + 0.001)
    world.moods = ("good",)
    number = tell(world, target("a", 1, 2), target("new", 1, 1))
    fail(world, "a")
    world.run(world.now + 60)
    assert (world.state.changes[number].outcome, world.state.revision) == ("rolled-back", 1)
    assert fingerprints(world) == {"a": {"a-1"}}


def test_what_could_not_be_had_is_so_again(world: World) -> None:
    """Else nobody would try it again."""
    apply(world, target("a", 1, 1), target("b", 1, 1))
    wanted = target("a", 1, 2)
    missing = {"a": model.Unresolved("no such user", wanted)}
    world.tell(model.Apply({"b": target("b", 1, 1)}, 2, model.START_UP, missing))
    world.run(world.now + 10)
    tell(world, target("a", 1, 3), target("b", 1, 2))
    hold(world, "a")
    fail(world, "b")
    world.run(world.now + 60)
    group = world.state.groups["a"]
    assert (group.target.fingerprint, group.unresolved, world.state.revision) == ("a-1", "no such user", 2)
    world.tell(model.Resolved(wanted))
    world.run(world.now + 60)
    assert fingerprints(world)["a"] == {"a-2"}


def test_what_is_killed_may_refuse_its_limits(world: World) -> None:
    apply(world, target("a", 2, 1))
    world.tell(model.Scale({"a": 3}))
    (last,) = (r for r in world.state.groups["a"].records if r.state is Tenancy.SPAWNING)
    world.tell(model.Scale({"a": 2}))
    assert next(r for r in world.state.groups["a"].records if r.life == last.life).state is Tenancy.KILLING
    world.tell(model.GroupTuned("a", (last.life,), {last.life: "no such process"}))
    assert world.state.groups["a"].restart_before == 0


# Beside an apply


def test_a_restart_that_an_apply_waits_for_fails_alone(world: World) -> None:
    """Nothing of the apply is in that group, so nothing of it is taken back, or told to be."""
    apply(world, target("a", 1, 1), target("b", 1, 1))
    world.tell(model.Restart(("b",)))
    number = tell(world, target("a", 1, 2), target("b", 1, 1))
    fail(world, "b")
    world.run(world.now + 60)
    assert (world.state.changes[number].outcome, world.state.revision) == ("failed", 2)
    assert world.state.changes[number - 1].outcome == "rolled-back"
    assert fingerprints(world) == {"a": {"a-2"}, "b": {"b-1"}}


def test_a_rollout_of_the_start_that_an_apply_waits_for_fails_with_it(world: World) -> None:
    """The group goes back by itself, so it is no more what the apply asks for; then it is tried as at the start."""
    apply(world, target("a", 1, 1), target("b", 1, 1))
    world.tell(model.Apply({"a": target("a", 1, 2), "b": target("b", 1, 1)}, 2, model.START_UP))
    number = tell(world, target("a", 1, 2), target("b", 1, 2))
    fail(world, "a")
    world.run(world.now + 60)
    assert (world.state.changes[number].outcome, world.state.revision) == ("rolled-back", 2)
    assert fingerprints(world) == {"a": {"a-2"}, "b": {"b-1"}}


def test_what_is_to_be_removed_may_crash_until_then(world: World) -> None:
    apply(world, target("a", 1, 1), target("gone", 1, 1))
    number = tell(world, target("a", 1, 2))
    world.moods = ("fails",)
    world.end(*lives(world, "gone"))
    world.run(world.now + 1)
    world.moods = ("good",)
    world.run(world.now + 60)
    assert world.state.changes[number].outcome == "done"
    assert fingerprints(world) == {"a": {"a-2"}}


def test_what_leaves_may_refuse_its_limits(world: World) -> None:
    apply(world, target("a", 1, 1))
    number = tell(world)
    world.tell(model.GroupTuned("a", (), {}, "no such controller"))
    world.run(world.now + 60)
    assert world.state.changes[number].outcome == "done"


@pytest.mark.parametrize("away", [0.0, 30.0])
def test_an_apply_can_be_undone_until_the_last_group_has_gone(world: World, away: float) -> None:
    """One that is on its way out, and one that is gone, beside another that takes its time."""
    apply(world, target("a", 1, 1), target("gone", 2, 1), target("slow", 1, 1, shutdown_s=0.0))
    (slow,) = lives(world, "slow")
    world.daemons[slow].mood = "deaf"
    number = tell(world, target("a", 1, 2))
    while not world.state.groups["slow"].removing:
        world.run(world.now + 0.001)
    world.run(world.now + away)
    assert ("gone" in world.state.groups) == (not away)
    assert returning.can_return(world.state, number)
    world.tell(model.Return(number))
    assert not returning.can_return(world.state, number), "it is being undone already"
    world.end(slow)
    world.run(world.now + 60)
    assert world.state.changes[number].outcome == "rolled-back"
    assert fingerprints(world) == {"a": {"a-1"}, "gone": {"gone-1"}, "slow": {"slow-1"}}
    assert len(ready(world, "gone")) == 2


def test_a_gateway_that_waits_for_its_routes_can_be_stopped(world: World) -> None:
    apply(world, gateway("a"), target("a", 1, 1))
    tell(world, gateway("a, b"), target("a", 1, 1), target("b", 1, 1))
    hold(world, "b")
    number = world.state.next_change
    world.tell(model.Stop(("@gateway",)))
    world.run(world.now + 30)
    assert world.state.changes[number].outcome == "done"


def test_an_apply_that_takes_long_is_not_forgotten(world: World) -> None:
    apply(world, target("a", 1, 1), target("gone", 1, 1))
    number = tell(world, target("a", 1, 1), target("b", 1, 1))
    hold(world, "b")
    world.run(world.now + 10)
    for _ in range(100):
        world.tell(model.Scale({"a": 1}))
    assert world.state.open_apply == number
    (life,) = lives(world, "b")
    world.tell(model.LifeBecameReady(life))
    world.run(world.now + 60)
    assert world.state.changes[number].outcome == "done"
    assert set(world.state.groups) == {"a", "b"}


def test_what_is_returned_to_survives_the_manager(world: World) -> None:
    apply(world, target("a", 1, 1), target("b", 1, 1), target("gone", 1, 1))
    world.tell(model.Scale({"a": 3}))
    world.tell(model.Stop(("gone",)))
    world.run(world.now + 30)
    tell(world, target("a", 1, 2), target("b", 1, 1), renewed="b")
    world.tell(model.Scale({"a": 4}))
    assert world.state.transaction
    proved = model.Proved(target("a", 1, 0), 4)
    former = world.state.transaction.former
    assert (former["a"].given, former["gone"].stopped, former["b"].renewed > 0) == (4, True, True)
    unproved = {**former, "a": replace(former["a"], proved=proved, unresolved="no such user", found=frozenset({1, 2}))}
    state = replace(world.state, transaction=replace(world.state.transaction, former=unproved, paused=True))
    kept = json.loads(json.dumps(kept_changes.to_json(state)))
    assert kept_changes.resumed(world.state, kept).transaction == state.transaction


def test_what_an_earlier_version_has_stored_was_proved(world: World) -> None:
    apply(world, target("a", 1, 1))
    world.tell(model.Scale({"a": 3}))
    world.run(world.now + 30)
    tell(world, target("a", 1, 2))
    kept = kept_changes.to_json(world.state)
    assert kept
    for item in kept["former"].values():
        for name in ("proved", "stopped", "unresolved", "given", "renewed", "found"):
            del item[name]
    assert kept_changes.resumed(world.state, kept).transaction == world.state.transaction
