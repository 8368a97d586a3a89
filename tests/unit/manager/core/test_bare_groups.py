"""Groups that no process can be started of: found running and unknown, or asked for and not to be had on this host."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.simulation.applies import fail, hold, until_ready
from tests.simulation.world import World, target
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import handling, model
from wsgigroups.plan.desired import GroupTarget, ListenerTarget, SpawnerTarget


def at(name: str, processes: int, version: int, address: str) -> GroupTarget:
    return replace(target(name, processes, version), listeners=(ListenerTarget(address),))


@pytest.fixture
def world() -> World:
    """Two processes of blog run, and nothing is known of them but that they do."""
    made = World(seed=1, moods=("good",))
    apply(made, at("blog", 2, 1, "127.0.0.1:1"))
    blog = made.state.groups["blog"]
    described = replace(blog.target, options={})
    made.state = replace(made.state, groups={"blog": replace(blog, target=described, unknown=True)})
    return made


def apply(world: World, *targets: GroupTarget, unresolved: dict[str, model.Unresolved] | None = None) -> model.Change:
    number = world.state.next_change
    asked = {asked.name: asked for asked in targets}
    world.tell(model.Apply(asked, world.state.revision + 1, unresolved=unresolved or {}))
    world.run(world.now + 30.0)
    return world.state.changes[number]


def lives(world: World, group: str) -> set[int]:
    return {record.life for record in world.state.groups[group].records}


def end_one(world: World, group: str) -> None:
    world.end(world.state.groups[group].records[0].life)
    world.run(world.now + 60.0)


def test_an_unknown_group_is_left_as_it_is_by_all_that_happens_elsewhere(world: World) -> None:
    before = lives(world, "blog")
    world.tell(model.Recovered())
    assert apply(world, at("shop", 1, 1, "127.0.0.1:2")).outcome == "done"
    world.tell(model.LifeWorn(min(before), "maximum-requests"))
    world.tell(model.ScriptChanged(min(before)))
    world.tell(model.LifeStalled(min(before), "reports", "it says too much"))
    world.run(world.now + 60.0)
    assert lives(world, "blog") == before
    assert world.state.groups["blog"].unknown


def test_one_that_died_is_not_followed_by_what_nobody_knows(world: World) -> None:
    end_one(world, "blog")
    blog = world.state.groups["blog"]
    assert [record.state for record in blog.records] == [Tenancy.READY]
    assert (blog.wanted, blog.restarts) == (2, 1)
    assert blog.last_error is not None
    end_one(world, "blog")
    assert world.state.groups["blog"].records == ()


def test_an_equal_fingerprint_is_taken_over(world: World) -> None:
    before = lives(world, "blog")
    change = apply(world, at("blog", 3, 1, "127.0.0.1:1"))
    assert change.outcome == "done"
    assert before < lives(world, "blog")
    assert not world.state.groups["blog"].unknown
    end_one(world, "blog")
    assert len(lives(world, "blog")) == 3


def test_another_fingerprint_is_replaced_and_nothing_is_there_to_return_to(world: World) -> None:
    before = lives(world, "blog")
    world.tell(model.Apply({"blog": at("blog", 2, 2, "127.0.0.1:1")}, 2))
    assert world.state.groups["blog"].fallback is None
    world.run(world.now + 30.0)
    assert not before & lives(world, "blog")
    assert len(lives(world, "blog")) == 2


def begun(world: World, *targets: GroupTarget) -> int:
    """Begin an apply; return the number of its change."""
    number = world.state.next_change
    world.tell(model.Apply({asked.name: asked for asked in targets}, world.state.revision + 1))
    return number


def test_a_group_that_fails_when_it_is_taken_over_is_unknown_again(world: World) -> None:
    before, described = lives(world, "blog"), world.state.groups["blog"].target
    number = begun(world, at("blog", 2, 2, "127.0.0.1:1"))
    fail(world, "blog")
    world.run(world.now + 60.0)
    change, blog = world.state.changes[number], world.state.groups["blog"]
    assert (change.outcome, world.state.revision) == ("rolled-back", 1)
    assert change.groups["blog"].error is not None
    assert change.groups["blog"].error.message == "cannot import"
    assert (blog.unknown, blog.target, lives(world, "blog")) == (True, described, before)
    end_one(world, "blog")
    assert len(lives(world, "blog")) == 1, "nobody knows how to start one"


def test_what_was_changed_beside_it_returns_too(world: World) -> None:
    apply(world, at("shop", 1, 1, "127.0.0.1:2"))
    before = lives(world, "blog")
    number = begun(world, at("blog", 2, 2, "127.0.0.1:1"), at("shop", 1, 2, "127.0.0.1:2"))
    fail(world, "blog")
    world.run(world.now + 60.0)
    assert world.state.changes[number].outcome == "rolled-back"
    assert (lives(world, "blog"), world.state.groups["blog"].unknown) == (before, True)
    assert world.state.groups["shop"].target.fingerprint == "shop-1"


@pytest.mark.parametrize("version", [1, 2])
def test_one_that_was_taken_over_stays_when_another_fails(world: World, version: int) -> None:
    """With the same fingerprint, whose processes are kept, and with another, whose processes are new."""
    before = lives(world, "blog")
    number = begun(world, at("blog", 2, version, "127.0.0.1:1"), at("shop", 1, 1, "127.0.0.1:2"))
    hold(world, "shop")
    world.run(world.now + 20.0)
    fail(world, "shop")
    world.run(world.now + 60.0)
    change, blog = world.state.changes[number], world.state.groups["blog"]
    assert (change.outcome, change.groups["blog"].state) == ("rolled-back", "done")
    assert (blog.unknown, blog.target.fingerprint, len(blog.records)) == (False, f"blog-{version}", 2)
    assert (lives(world, "blog") == before) == (version == 1)


def test_one_that_was_on_its_way_is_unknown_again_when_another_fails(world: World) -> None:
    before = lives(world, "blog")
    number = begun(world, at("blog", 2, 2, "127.0.0.1:1"), at("shop", 1, 1, "127.0.0.1:2"))
    hold(world, "blog")
    fail(world, "shop")
    world.run(world.now + 60.0)
    assert world.state.changes[number].groups["blog"].state == "rolled-back"
    assert (world.state.groups["blog"].unknown, lives(world, "blog")) == (True, before)
    assert "shop" not in world.state.groups


def test_one_of_which_something_new_serves_goes_on(world: World) -> None:
    """What has gone cannot be started again."""
    before = lives(world, "blog")
    number = begun(world, at("blog", 2, 2, "127.0.0.1:1"), at("shop", 1, 1, "127.0.0.1:2"))
    until_ready(world, "blog", "blog-2")
    assert before & lives(world, "blog")
    world.tell(model.Return(number))
    world.run(world.now + 60.0)
    blog = world.state.groups["blog"]
    assert (blog.unknown, {r.fingerprint for r in blog.records}) == (False, {"blog-2"})
    assert len(blog.records) == 2
    assert "shop" not in world.state.groups


def test_one_that_an_apply_took_over_and_its_follower_was_to_remove_stays(world: World) -> None:
    """It is neither what it was before both, which nobody knows how to start, nor removed."""
    begun(world, at("blog", 2, 2, "127.0.0.1:1"), at("shop", 1, 1, "127.0.0.1:2"))
    hold(world, "shop")
    world.run(world.now + 20.0)
    number = begun(world, at("shop", 1, 2, "127.0.0.1:2"))
    fail(world, "shop")
    world.run(world.now + 60.0)
    assert (world.state.changes[number].outcome, world.state.transaction) == ("rolled-back", None)
    assert {record.fingerprint for record in world.state.groups["blog"].records} == {"blog-2"}
    assert "shop" not in world.state.groups


def test_an_address_that_another_group_asks_for_ends_it(world: World) -> None:
    assert apply(world, at("shop", 1, 1, "127.0.0.1:1")).outcome == "done"
    assert list(world.state.groups) == ["shop"]
    assert world.released == {"blog"}


@pytest.mark.parametrize("event", [model.Stop(("blog",)), model.Shutdown()])
def test_stop_and_shutdown_end_it_for_good(world: World, event: model.Event) -> None:
    world.tell(event)
    world.run(world.now + 30.0)
    assert dict(world.state.groups) == {}
    assert world.state.changes[world.state.next_change - 1].outcome == "done"


def test_what_would_need_another_process_is_refused(world: World) -> None:
    before = lives(world, "blog")
    with pytest.raises(WsgigroupsError, match="cannot start a process of 'blog'") as refused:
        handling.check_startable(world.state, ["blog"])
    assert refused.value.exit_code == ExitCode.FAILED
    for event in (model.Restart(("blog",)), model.Scale({"blog": 5})):
        world.tell(event)
        change = world.state.changes[world.state.next_change - 1]
        assert change.outcome == "failed"
    assert lives(world, "blog") == before


NOWHERE = SpawnerTarget("", "")
REASON = "cannot read /srv/blog.env"


def missing(name: str) -> dict[str, model.Unresolved]:
    return {name: model.Unresolved(REASON, replace(target(name, 2, 0), spawner=NOWHERE))}


def test_what_this_host_cannot_have_fails_alone_and_starts_when_it_can() -> None:
    world = World(seed=1, moods=("good",))
    change = apply(world, at("shop", 1, 1, "127.0.0.1:2"), unresolved=missing("blog"))
    assert {name: part.state for name, part in change.groups.items()} == {"blog": "failed", "shop": "done"}
    blog = world.state.groups["blog"]
    assert (blog.records, blog.unresolved, blog.wanted) == ((), REASON, 2)
    assert blog.last_error is not None
    assert blog.last_error.message == REASON
    world.tell(model.Resolved(at("blog", 2, 1, "127.0.0.1:1")))
    world.run(world.now + 30.0)
    blog = world.state.groups["blog"]
    assert (len(blog.records), blog.unresolved, blog.last_error) == (2, "", None)


def test_what_runs_of_it_serves_on_and_is_followed_meanwhile(world: World) -> None:
    apply(world, at("blog", 2, 1, "127.0.0.1:1"))
    before = lives(world, "blog")
    apply(world, unresolved=missing("blog"))
    assert lives(world, "blog") == before
    end_one(world, "blog")
    assert len(lives(world, "blog")) == 2
    before = lives(world, "blog")
    world.tell(model.Resolved(at("blog", 2, 1, "127.0.0.1:1")))
    world.run(world.now + 30.0)
    assert lives(world, "blog") == before
    assert world.state.groups["blog"].unresolved == ""


def test_a_group_that_an_apply_has_dropped_is_not_brought_back() -> None:
    world = World(seed=1, moods=("good",))
    apply(world, unresolved=missing("blog"))
    apply(world)
    assert dict(world.state.groups) == {}
    world.tell(model.Resolved(at("blog", 2, 1, "127.0.0.1:1")))
    assert dict(world.state.groups) == {}
