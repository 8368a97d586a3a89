"""An apply as a whole: all of it or nothing, what it waits for, what may happen beside it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.simulation.applies import apply, fail, fingerprints, lives, ready, tell, until_ready
from tests.simulation.world import World, target
from wsgigroups.lifecycle.step import Exit
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model, returning
from wsgigroups.manager.supervision import kept_changes


@pytest.fixture
def world() -> World:
    return World(seed=1, moods=("good",))


def test_when_one_group_fails_all_groups_return(world: World) -> None:
    apply(world, target("a", 2, 1), target("b", 8, 1))
    number = tell(world, target("a", 1, 2), target("b", 8, 2))
    while world.state.changes[number].groups["a"].state != "done":
        world.run(world.now + 0.001)
    fail(world, "b")
    assert not world.state.changes[number].finished, "a is on its way back"
    world.run(world.now + 30)
    change = world.state.changes[number]
    assert change.outcome == "rolled-back"
    assert {name: part.error is not None for name, part in change.groups.items()} == {"a": False, "b": True}
    assert fingerprints(world) == {"a": {"a-1"}, "b": {"b-1"}}
    assert world.state.revision == 1
    assert world.state.groups["b"].last_error is not None, "it tells why"
    assert world.settled()


def test_an_added_group_that_fails_beside_a_changed_one_is_removed_again(world: World) -> None:
    apply(world, target("a", 1, 1))
    number = tell(world, target("a", 1, 2), target("bad", 1, 1))
    fail(world, "bad")
    world.run(world.now + 30)
    assert world.state.changes[number].outcome == "rolled-back"
    assert fingerprints(world) == {"a": {"a-1"}}
    assert world.released == {"bad"}


def test_an_added_group_that_fails_alone_stays_and_is_tried_again(world: World) -> None:
    apply(world, target("a", 1, 1))
    number = tell(world, target("a", 1, 1), target("bad", 1, 1))
    fail(world, "bad")
    assert world.state.changes[number].outcome == "failed"
    world.run(world.now + 30)
    assert world.settled()
    assert world.state.revision == 2


def test_what_is_removed_goes_when_the_rest_is_done_and_stays_when_it_fails(world: World) -> None:
    apply(world, target("a", 1, 1), target("gone", 2, 1))
    before = lives(world, "gone")
    number = tell(world, target("a", 1, 2))
    fail(world, "a")
    world.run(world.now + 30)
    assert {name: part.state for name, part in world.state.changes[number].groups.items()} == {
        "a": "rolled-back", "gone": "rolled-back",
    }  # fmt: skip
    assert lives(world, "gone") == before
    number = tell(world, target("a", 1, 2))
    assert [r.state for r in world.state.groups["gone"].records] == [Tenancy.READY] * 2
    world.run(world.now + 30)
    assert world.state.changes[number].outcome == "done"
    assert set(world.state.groups) == {"a"}


def test_a_number_of_processes_given_by_hand_survives_an_apply_that_fails(world: World) -> None:
    apply(world, target("a", 1, 1), target("b", 1, 1))
    world.tell(model.Scale({"a": 3}))
    world.run(world.now + 10)
    number = tell(world, target("a", 1, 1), target("b", 1, 2))
    fail(world, "b")
    world.run(world.now + 30)
    assert world.state.changes[number].outcome == "rolled-back"
    assert (world.state.groups["a"].processes_override, len(lives(world, "a"))) == (3, 3)
    assert apply(world, target("a", 1, 1), target("b", 1, 2)).outcome == "done"
    assert len(lives(world, "a")) == 1


def test_a_restart_beside_an_apply_is_part_of_it(world: World) -> None:
    apply(world, target("a", 2, 1))
    number = tell(world, target("a", 2, 2))
    world.tell(model.Restart(("a",)))
    world.run(world.now + 30)
    assert [world.state.changes[n].outcome for n in (number, number + 1)] == ["done", "done"]
    assert fingerprints(world) == {"a": {"a-2"}}


def test_a_stop_beside_an_apply_overtakes_its_part_and_says_so(world: World) -> None:
    apply(world, target("a", 1, 1), target("b", 1, 1))
    number = tell(world, target("a", 1, 2), target("b", 1, 2))
    world.tell(model.Stop(("a",)))
    world.run(world.now + 30)
    change = world.state.changes[number]
    assert (change.outcome, change.groups["b"].state) == ("overtaken", "done")
    error = change.groups["a"].error
    assert error is not None
    assert error.message == f"overtaken by change {number + 1} (stop)"
    assert fingerprints(world)["b"] == {"b-2"}


def test_an_apply_that_overtakes_another_returns_to_what_was_before_both(world: World) -> None:
    apply(world, target("a", 2, 1), target("b", 1, 1))
    first = tell(world, target("a", 2, 2), target("b", 1, 2), revision=2)
    while "b-2" not in fingerprints(world)["b"] or len(fingerprints(world)["b"]) > 1:
        world.run(world.now + 0.001)
    second = tell(world, target("a", 2, 3), target("b", 1, 2), revision=3)
    assert world.state.changes[first].outcome == "overtaken"
    fail(world, "a")
    world.run(world.now + 30)
    assert world.state.changes[second].outcome == "rolled-back"
    assert world.state.revision == 1
    assert fingerprints(world) == {"a": {"a-1"}, "b": {"b-1"}}


def test_an_apply_is_undone_when_somebody_asks_while_it_goes_on(world: World) -> None:
    apply(world, target("a", 2, 1))
    number = tell(world, target("a", 2, 2), target("new", 1, 1))
    assert returning.can_return(world.state, number)
    world.tell(model.Return(number))
    world.run(world.now + 30)
    assert world.state.changes[number].outcome == "rolled-back"
    assert fingerprints(world) == {"a": {"a-1"}}
    assert not returning.can_return(world.state, number)
    state = world.state
    world.tell(model.Return(number))
    assert world.state == state, "over is over"


def test_an_apply_that_is_paused_replaces_nothing_more_until_it_goes_on(world: World) -> None:
    apply(world, target("a", 3, 1), target("gone", 1, 1))
    number = tell(world, target("a", 3, 2))
    until_ready(world, "a", "a-2")
    world.tell(model.Pause(number))
    world.run(world.now + 60)
    kinds = sorted(record.fingerprint for record in world.state.groups["a"].records)
    assert kinds in (["a-1", "a-1", "a-2"], ["a-1", "a-2", "a-2"]), "what was begun is brought to its end"
    assert fingerprints(world)["gone"] == {"gone-1"}
    assert not world.state.changes[number].finished
    old = next(r.life for r in world.state.groups["a"].records if r.fingerprint == "a-1")
    world.end(old)
    world.run(world.now + 60)
    assert len(ready(world, "a")) == 3, "what ends is followed"
    world.tell(model.Pause(number + 1, paused=False))
    assert world.state.transaction is not None
    assert world.state.transaction.paused, "it was about another change"
    world.tell(model.Pause(number, paused=False))
    world.run(world.now + 60)
    assert world.state.changes[number].outcome == "done"
    assert fingerprints(world) == {"a": {"a-2"}}


def test_an_apply_that_is_paused_fails_and_is_undone_as_any(world: World) -> None:
    apply(world, target("a", 2, 1), target("b", 1, 1))
    number = tell(world, target("a", 2, 2), target("b", 1, 2))
    world.tell(model.Pause(number))
    fail(world, "b")
    world.run(world.now + 60)
    assert world.state.changes[number].outcome == "rolled-back"
    assert fingerprints(world) == {"a": {"a-1"}, "b": {"b-1"}}
    number = tell(world, target("a", 2, 3))
    world.tell(model.Pause(number))
    world.tell(model.Return(number))
    world.run(world.now + 60)
    assert world.state.changes[number].outcome == "rolled-back"
    assert fingerprints(world)["a"] == {"a-1"}


def test_the_same_apply_again_tries_what_is_not_ready_at_once(world: World) -> None:
    bad = target("a", 1, 1)
    world.moods = ("fails",)
    assert apply(world, bad).outcome == "failed"
    while world.state.groups["a"].records[0].state is not Tenancy.COOLING:
        world.run(world.now + 0.01)
    world.moods = ("good",)
    number = tell(world, bad, revision=1)
    world.run(world.now + 0.4)  # no time for a wait
    assert world.state.changes[number].outcome == "done"


def test_the_same_apply_again_tries_slots_that_were_given_up(world: World) -> None:
    bad = target("a", 1, 1)
    tell(world, bad)
    (record,) = world.state.groups["a"].records
    world.daemons[record.life].mood = "refused"
    world.tell(model.LifeRefused(record.life, "no such interpreter", permanent=True))
    assert world.state.groups["a"].records[0].state is Tenancy.FAILED
    assert apply(world, bad).outcome == "done"


def test_each_of_several_that_fail_at_once_keeps_its_own_cause(world: World) -> None:
    apply(world, target("a", 8, 1))
    tell(world, target("a", 8, 2))
    while sum(r.state is Tenancy.STARTING for r in world.state.groups["a"].records) < 2:
        world.run(world.now + 0.001)
    first, second = [r for r in world.state.groups["a"].records if r.state is Tenancy.STARTING][:2]
    for record in (first, second):
        world.tell(model.LifeFailed(record.life, "import", f"the cause of {record.life}", "Traceback …"))
    world.daemons[first.life].alive = False
    world.tell(model.LifeExited(first.life, Exit(216, 0)))
    error = world.state.changes[2].groups["a"].error
    assert error is not None
    assert error.message == f"the cause of {first.life}"
    assert world.state.groups["a"].restarts == 0, "a successor that fails is no process that was lost"


def test_a_transaction_survives_the_manager(world: World) -> None:
    apply(world, target("a", 2, 1), target("gone", 1, 1))
    number = tell(world, target("a", 2, 2), target("new", 1, 1))
    kept = kept_changes.to_json(world.state)
    stripped = replace(world.state, changes={}, transaction=None, next_change=1)
    resumed = kept_changes.resumed(stripped, kept)
    assert resumed.transaction == world.state.transaction
    assert resumed.changes == {number: world.state.changes[number]}
    assert resumed.next_change == number + 1
    world.tell(model.Return(number))
    resumed = kept_changes.resumed(stripped, kept_changes.to_json(world.state))
    assert resumed.transaction == world.state.transaction
    parts = {name: (part.state, part.goal, part.ends) for name, part in resumed.changes[number].groups.items()}
    assert parts["gone"][0] == "rolled-back"
    assert parts["a"] == ("pending", "settled", "rolled-back")
    assert parts["new"] == ("pending", "gone", "rolled-back")
    assert kept_changes.resumed(stripped, None) is stripped
