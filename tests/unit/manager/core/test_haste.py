"""Lives that leave or stall as soon as they are ready: their successors wait as those of a crash loop do."""

from __future__ import annotations

import itertools

import pytest

from tests.simulation.world import World, target
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model


@pytest.fixture
def world() -> World:
    world = World(seed=1, moods=("good",))
    world.tell(model.Apply({"blog": target("blog", 1, 1)}, 1))
    world.run(world.now + 5.0)
    return world


def ready(world: World) -> int:
    return max(r.life for r in world.state.groups["blog"].records if r.state is Tenancy.READY)


def leaving(
    world: World, seconds: float, event: type[model.LifeWorn | model.LifeStalled | model.ScriptChanged]
) -> None:
    """Each life leaves the moment it is ready."""
    until = world.now + seconds
    told = 0
    while world.now < until:
        records = world.state.groups["blog"].records
        fresh = max((r.life for r in records if r.state is Tenancy.READY), default=0)
        if fresh > told:
            told = fresh
            world.tell(event(fresh) if event is model.ScriptChanged else event(fresh, "signal"))  # type: ignore[call-arg]
        world.run(world.now + 0.01)


@pytest.mark.parametrize("event", [model.LifeWorn, model.LifeStalled, model.ScriptChanged])
def test_a_minute_of_them_is_a_few_lives(
    world: World, event: type[model.LifeWorn | model.LifeStalled | model.ScriptChanged]
) -> None:
    leaving(world, 60.0, event)
    assert 6 <= len(world.daemons) <= 13


def test_the_life_after_several_that_stalled_waits(world: World) -> None:
    leaving(world, 60.0, model.LifeStalled)
    began = [what.record.spawned_at or 0.0 for _when, what in world.history if isinstance(what, model.SpawnLife)]
    pauses = [after - before for before, after in itertools.pairwise(began)]
    assert pauses[6] > 3.0, "not only the bound on starts of a minute holds it back"


def test_a_change_ends_while_they_go_on(world: World) -> None:
    number = world.state.next_change
    world.tell(model.Restart(("blog",)))
    leaving(world, 20.0, model.LifeWorn)
    assert world.state.changes[number].outcome == "done"


def test_a_wish_that_is_said_again_is_no_other_wish(world: World) -> None:
    for _each in range(50):
        world.tell(model.ScriptChanged(ready(world)))
    before = world.state.groups["blog"].restart_before
    world.tell(model.ScriptChanged(ready(world)))
    assert world.state.groups["blog"].restart_before == before


def test_who_served_for_a_minute_is_followed_at_once(world: World) -> None:
    leaving(world, 30.0, model.LifeWorn)
    world.run(world.now + 70.0)
    first = ready(world)
    world.run(world.now + 61.0)
    world.tell(model.LifeWorn(first, "maximum-requests"))
    world.run(world.now + 3.0)
    assert ready(world) > first


def test_a_restart_does_not_wait(world: World) -> None:
    leaving(world, 30.0, model.LifeStalled)
    world.tell(model.Restart(("blog",)))
    world.run(world.now + 5.0)
    assert [r.state for r in world.state.groups["blog"].records] == [Tenancy.READY]
    assert not world.state.groups["blog"].waits


def test_a_rollout_whose_lives_stall_is_given_up(world: World) -> None:
    number = world.state.next_change
    world.tell(model.Apply({"blog": target("blog", 2, 2)}, 2))
    until = world.now + 120.0
    stalled: set[int] = set()
    while world.now < until and not world.state.changes[number].finished:
        for record in world.state.groups["blog"].records:
            if record.state is Tenancy.READY and record.fingerprint == "blog-2" and record.life not in stalled:
                stalled.add(record.life)
                world.tell(model.LifeStalled(record.life, "reports", "it floods"))
        world.run(world.now + 0.01)
    assert world.state.changes[number].finished


def test_a_first_start_whose_lives_stall_is_reported() -> None:
    """There is nothing to return to; whoever waits is told all the same."""
    world = World(seed=1, moods=("good",))
    world.tell(model.Apply({"blog": target("blog", 2, 1)}, 1))
    stalled: set[int] = set()
    until = world.now + 120.0
    while world.now < until and not world.state.changes[1].finished:
        for record in world.state.groups["blog"].records:
            if record.state is Tenancy.READY and record.life not in stalled:
                stalled.add(record.life)
                world.tell(model.LifeStalled(record.life, "reports", "it floods"))
        world.run(world.now + 0.001)
    assert world.state.changes[1].outcome == "failed"


def test_what_cannot_be_tuned_is_replaced_and_done_only_then() -> None:
    """A limit that the kernel does not let us change was called done."""
    world = World(seed=1, moods=("good",))
    world.tell(model.Apply({"blog": target("blog", 1, 1)}, 1))
    world.run(world.now + 5.0)
    old = ready(world)
    tuned = target("blog", 1, 1, shutdown_s=9.0)
    number = world.state.next_change
    world.answers_tuning = False
    world.tell(model.Apply({"blog": tuned}, 2))
    world.run(world.now + 1.0)
    assert world.state.changes[number].outcome == "pending"
    world.tell(model.GroupTuned("blog", (old,), {old: "RLIMIT_DATA: Operation not permitted"}))
    assert world.state.changes[number].outcome == "pending"
    world.run(world.now + 10.0)
    assert world.state.changes[number].outcome == "done"
    assert ready(world) > old


def test_what_leaves_anyway_has_nobody_replaced_for_it() -> None:
    """A process that drained could not have what its successor had: the successor was replaced at once, too."""
    world = World(seed=1, moods=("deaf",))  # they drain until shutdown-timeout is over
    world.tell(model.Apply({"blog": target("blog", 1, 1)}, 1))
    world.run(world.now + 5.0)
    old = ready(world)
    world.answers_tuning = False
    world.tell(model.Apply({"blog": target("blog", 1, 1, shutdown_s=9.0)}, 2))
    world.tell(model.GroupTuned("blog", (old,), {old: "cannot"}))
    while ready(world) == old:
        world.run(world.now + 0.1)
    new, number = ready(world), world.state.next_change
    assert world.state.find(old)
    world.tell(model.LifeLetGo(old))
    world.tell(model.Apply({"blog": target("blog", 1, 1, shutdown_s=8.0)}, 3))
    world.tell(model.GroupTuned("blog", (old, new), {old: "cannot"}))
    assert world.state.changes[number].outcome == "done"
    assert ready(world) == new


def test_what_was_tuned_is_done_at_once() -> None:
    world = World(seed=1, moods=("good",))
    world.tell(model.Apply({"blog": target("blog", 1, 1)}, 1))
    world.run(world.now + 5.0)
    old = ready(world)
    number = world.state.next_change
    world.answers_tuning = False
    world.tell(model.Apply({"blog": target("blog", 1, 1, shutdown_s=9.0)}, 2))
    world.tell(model.GroupTuned("blog", (old,)))
    assert world.state.changes[number].outcome == "done"
    assert ready(world) == old


@pytest.mark.parametrize("reason", ["restart-interval", "inactivity-timeout"])
def test_what_the_manager_judges_takes_its_time_by_itself(world: World, reason: str) -> None:
    leaving(world, 10.0, model.LifeWorn)
    world.run(world.now + 15.0)
    life = ready(world)
    world.tell(model.LifeWorn(life, reason))
    assert world.state.groups["blog"].recycle == {life: reason}


def test_who_served_for_ten_seconds_is_followed_at_once(world: World) -> None:
    """maximum-requests holds under any load under which it takes so long."""
    for _life in range(8):
        world.run(world.now + 10.5)
        life = ready(world)
        world.tell(model.LifeWorn(life, "maximum-requests"))
        assert world.state.groups["blog"].recycle == {life: "maximum-requests"}
        world.run(world.now + 3.0)


def test_what_is_too_large_at_its_start_is_replaced_ever_later_and_named(world: World) -> None:
    """No successor is any smaller: ten seconds each, for ever, would be as good as one."""
    told: set[int] = set()
    until = world.now + 300.0
    while world.now < until:
        life = ready(world)
        if life not in told:
            told.add(life)
            world.tell(model.LifeWorn(life, "memory-soft-limit", 80 << 20))
        world.run(world.now + 0.1)
    assert 8 <= len(told) <= 18
    error = world.state.groups["blog"].last_error
    assert error is not None
    assert "is below the start size, 80M" in error.message


def test_a_slot_whose_lives_stall_waits_for_longer_each_time(world: World) -> None:
    """The bound on starts in a minute would let the first ten follow at once: this wait is the slot's own."""
    waited_s = []
    for _life in range(4):
        life = ready(world)
        world.tell(model.LifeStalled(life, "reports", "it floods"))
        began = world.now
        while not any(r.life > life and r.state is Tenancy.READY for r in world.state.groups["blog"].records):
            world.run(world.now + 0.01)
        waited_s.append(world.now - began)
    assert waited_s[3] > waited_s[1] + 0.3
