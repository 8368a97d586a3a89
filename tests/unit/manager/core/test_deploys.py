"""New code of one group: done wholly as a revision of its own, or taken back with what runs left as it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.simulation.world import World, target
from tests.unit.manager.core.test_transactions import apply, fail, lives
from wsgigroups.manager.core import model
from wsgigroups.manager.supervision import kept_changes


@pytest.fixture
def world() -> World:
    return World(seed=1, moods=("good",))


def deploy(world: World, name: str, code: str = "") -> int:
    """Begin one; return the number of its change."""
    number = world.state.next_change
    parts = {name: {"a": code}} if code else {}
    world.tell(model.Restart((name,), kind=model.DEPLOY, code=parts, revision=world.state.revision + 1))
    return number


def test_a_deploy_replaces_the_processes_of_its_group_and_is_a_revision(world: World) -> None:
    apply(world, target("a", 1, 2), target("b", 1, 1))
    before, other, revision = lives(world, "a"), lives(world, "b"), world.state.revision
    number = deploy(world, "a")
    assert world.state.open_apply == number, "an apply has to wait for it"
    world.run(world.now + 30)
    change = world.state.changes[number]
    assert (change.kind, change.outcome, change.revision) == ("deploy", "done", revision + 1)
    assert (world.state.revision, world.state.transaction) == (revision + 1, None)
    assert not lives(world, "a") & before
    assert min(lives(world, "a")) >= change.first_life > max(before)
    assert lives(world, "b") == other


@pytest.mark.parametrize("code", ["", "new"])
def test_one_that_fails_leaves_what_runs_and_the_revision(world: World, code: str) -> None:
    apply(world, target("a", 1, 2))
    world.tell(model.Scale({"a": 3}))
    world.run(world.now + 10)
    before, revision = lives(world, "a"), world.state.revision
    number = deploy(world, "a", code)
    fail(world, "a")
    world.run(world.now + 30)
    assert world.state.changes[number].outcome == "rolled-back"
    assert (world.state.revision, world.state.transaction) == (revision, None)
    assert lives(world, "a") == before
    assert world.state.groups["a"].processes_override == 3


def test_one_of_a_group_that_did_not_serve_has_nothing_to_return_to(world: World) -> None:
    number = world.state.next_change
    world.tell(model.Apply({"a": target("a", 1, 1)}, 1))
    fail(world, "a")
    assert world.state.changes[number].outcome == "failed"
    number = deploy(world, "a")
    fail(world, "a")
    world.run(world.now + 60)
    assert world.state.changes[number].outcome == "failed"
    assert world.state.revision == 2


def test_one_that_is_undone_keeps_what_was_not_replaced_yet(world: World) -> None:
    apply(world, target("a", 1, 2))
    before, revision = lives(world, "a"), world.state.revision
    number = deploy(world, "a")
    world.tell(model.Return(number))
    world.run(world.now + 30)
    assert world.state.changes[number].outcome == "rolled-back"
    assert (lives(world, "a"), world.state.revision) == (before, revision)


def test_a_manager_that_takes_over_brings_it_to_its_end(world: World) -> None:
    apply(world, target("a", 1, 2))
    number = deploy(world, "a")
    first = world.state.changes[number].first_life
    kept = kept_changes.to_json(world.state)
    bare = replace(world.state, changes={}, transaction=None)
    bare = replace(bare, groups={name: group.restarted() for name, group in bare.groups.items()})
    resumed = kept_changes.resumed(bare, kept)
    assert resumed.groups["a"].restart_before == first, "the processes of before have still to be replaced"
    assert (resumed.changes[number].kind, resumed.changes[number].first_life) == ("deploy", first)
