"""What is new has to last before it replaces what serves, and what it returns to is the last target that was proved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.simulation.world import World, target
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model, proving
from wsgigroups.plan.desired import GroupTarget, RolloutTarget, Share


def blog(version: int, processes: int = 4, **rollout: Any) -> GroupTarget:
    return replace(target("blog", processes, version), rollout=RolloutTarget(**rollout))


@pytest.fixture
def world() -> World:
    """A group of four that has been ready for a minute; what is live can be had."""
    world = World(seed=1, moods=("good",), refuses=0.0)
    world.tell(model.Apply({"blog": blog(1)}, 1))
    world.run(world.now + 60.0)
    return world


def apply(world: World, new: GroupTarget, *moods: str) -> int:
    world.moods = moods or ("good",)
    number = world.state.next_change
    world.tell(model.Apply({new.name: new}, world.state.revision + 1))
    return number


def ready(world: World, fingerprint: str = "") -> list[int]:
    records = world.state.groups["blog"].records
    return [r.life for r in records if r.state is Tenancy.READY and r.fingerprint.startswith(fingerprint)]


def until_ready(world: World, fingerprint: str, number: int = 1) -> None:
    while len(ready(world, fingerprint)) < number:
        world.run(world.now + 0.01)


def in_force(world: World) -> str:
    return world.state.groups["blog"].target.fingerprint


@pytest.mark.parametrize("after_s", [1.0, 3.0, 4.9])
def test_what_dies_soon_after_it_was_ready_replaces_nobody(world: World, after_s: float) -> None:
    old = set(ready(world))
    number = apply(world, blog(2))
    until_ready(world, "blog-2")
    began = world.now
    while world.now < began + after_s:
        world.run(world.now + 0.05)
        assert old <= set(ready(world))
    world.end(*ready(world, "blog-2"))
    world.run(world.now + 0.01)
    assert world.state.changes[number].outcome == "rolled-back"
    assert (in_force(world), set(ready(world))) == ("blog-1", old)
    error = world.state.changes[number].groups["blog"].error
    assert error is not None
    assert "signal 9" in error.message


def test_one_that_lasts_is_followed_by_the_others_at_once(world: World) -> None:
    number = apply(world, blog(2))
    until_ready(world, "blog-2")
    world.run(world.now + 4.9)
    assert (len(ready(world, "blog-1")), world.state.changes[number].outcome) == (4, "pending")
    world.run(world.now + 8.0)
    assert (len(ready(world, "blog-2")), world.state.changes[number].outcome) == (4, "done")
    assert world.state.groups["blog"].fallback is None


def test_a_restart_whose_first_process_dies_leaves_the_others(world: World) -> None:
    old = set(ready(world))
    world.tell(model.Restart(("blog",)))
    while len(ready(world)) < 5:
        world.run(world.now + 0.01)
    world.run(world.now + 3.0)
    world.end(*(set(ready(world)) - old))
    world.run(world.now + 30.0)
    assert set(ready(world)) == old
    assert world.state.changes[2].outcome == "rolled-back"


def test_a_stall_of_what_is_new_ends_its_rollout(world: World) -> None:
    number = apply(world, blog(2))
    until_ready(world, "blog-2")
    world.tell(model.LifeStalled(*ready(world, "blog-2"), "deadlock-timeout", "no heartbeat"))
    world.run(world.now + 2.0)  # it takes no requests any more
    assert (world.state.changes[number].outcome, in_force(world)) == ("rolled-back", "blog-1")


def test_what_is_not_proved_is_never_returned_to(world: World) -> None:
    """A target that fails, a second one before that shows: both would have been tried for ever."""
    old = set(ready(world))
    apply(world, blog(2), "never-ready")
    world.run(world.now + 0.1)
    number = apply(world, blog(3), "fails")
    world.run(world.now + 300.0)
    assert (in_force(world), set(ready(world))) == ("blog-1", old)
    assert world.state.changes[number].outcome == "rolled-back"


def test_what_a_start_brought_and_does_not_come_up_is_not_returned_to(world: World) -> None:
    """A start takes nothing back, so that no change under way knows what was there before."""
    old = set(ready(world))
    world.moods = ("never-ready",)
    world.tell(model.Apply({"blog": blog(2)}, world.state.revision + 1, kind=model.START_UP))
    world.run(world.now + 0.1)
    assert (in_force(world), world.state.transaction) == ("blog-2", None)
    number = apply(world, blog(3), "fails")
    world.run(world.now + 300.0)
    assert (in_force(world), set(ready(world))) == ("blog-1", old)
    assert world.state.changes[number].outcome == "rolled-back"


def test_a_first_target_that_was_never_ready_is_not_returned_to() -> None:
    world = World(seed=1)
    apply(world, blog(1), "fails")
    world.run(world.now + 3.0)
    number = apply(world, blog(2), "fails")
    world.run(world.now + 300.0)
    assert (in_force(world), world.state.changes[number].outcome) == ("blog-2", "failed")


def test_a_first_target_that_serves_is_returned_to_before_it_is_proved() -> None:
    world = World(seed=1)
    apply(world, blog(1))
    world.run(world.now + 2.0)
    assert world.state.groups["blog"].proved is None
    apply(world, blog(2), "fails")
    world.run(world.now + 2.0)
    assert (in_force(world), len(ready(world, "blog-1"))) == ("blog-1", 4)


def test_a_first_target_is_proved_when_it_has_lasted() -> None:
    world = World(seed=1)
    number = apply(world, blog(1))
    world.run(world.now + 2.0)
    assert world.state.changes[number].outcome == "done", "nobody waits for that"
    world.run(world.now + 5.0)
    group = world.state.groups["blog"]
    assert group.proved is not None
    assert group.proved.target is group.target
    assert group.look_at is None


def test_what_is_live_is_as_proved_as_before(world: World) -> None:
    apply(world, replace(blog(1), options={"threads": "1", "shutdown-timeout": "9"}))
    group = world.state.groups["blog"]
    assert (group.unproved, group.watched) == (False, False)


def test_a_rollout_that_is_given_up_gives_back_the_number_of_processes(world: World) -> None:
    world.tell(model.Scale({"blog": 6}))
    world.run(world.now + 10.0)
    number = apply(world, blog(2), "fails")
    while not world.state.changes[number].finished:
        world.run(world.now + 0.01)
    world.moods = ("good",)
    world.run(world.now + 20.0)
    assert (world.state.groups["blog"].wanted, len(ready(world, "blog-1"))) == (6, 6)


def test_canaries_serve_for_a_time_before_the_others_follow(world: World) -> None:
    number = apply(world, blog(2, canary=Share(50, percent=True), canary_time_s=60.0, min_ready_time_s=1.0))
    world.run(world.now + 55.0)
    assert (len(ready(world, "blog-2")), len(ready(world, "blog-1"))) == (2, 2)
    world.run(world.now + 15.0)
    assert world.state.changes[number].outcome == "done"


def test_a_canary_that_dies_while_it_serves_ends_the_rollout(world: World) -> None:
    number = apply(world, blog(2, canary_time_s=60.0, min_ready_time_s=1.0))
    world.run(world.now + 30.0)
    assert (len(ready(world, "blog-2")), len(ready(world, "blog-1"))) == (1, 3)
    world.end(*ready(world, "blog-2"))
    world.run(world.now + 0.5)
    assert world.state.changes[number].outcome == "rolled-back"
    assert len(ready(world, "blog-1")) == 4


def test_without_a_surge_one_leaves_before_its_successor_begins(world: World) -> None:
    number = apply(world, blog(2, max_surge=Share(0), max_unavailable=Share(1), min_ready_time_s=1.0))
    fewest = most = 4
    while not world.state.changes[number].finished:
        world.run(world.now + 0.01)
        fewest = min(fewest, len(ready(world)))
        most = max(most, sum(r.live for r in world.state.groups["blog"].records))
    assert (fewest, most, world.state.changes[number].outcome) == (3, 4, "done")


def test_processes_that_wait_for_each_other_to_be_followed_do_not_fill_the_group() -> None:
    """One that has to be followed itself, before it was ready for long enough to follow, leaves again."""
    world = World(seed=1)
    apply(world, blog(1, processes=1))
    world.run(world.now + 60.0)
    apply(world, blog(2, processes=1))
    until_ready(world, "blog-2")
    world.tell(model.LifeWorn(*ready(world, "blog-2"), "maximum-requests"))
    world.run(world.now + 30.0)
    assert (in_force(world), len(ready(world, "blog-2"))) == ("blog-2", 1)
    assert world.settled()


def counted(new: tuple[int, int], old: tuple[int, int] = (0, 0)) -> model.RolloutCounted:
    return model.RolloutCounted("blog", model.Answers(*new), model.Answers(*old))


@pytest.mark.parametrize(
    ("new", "old", "ends"),
    [
        ((20, 10), (1000, 0), True),
        ((19, 18), (1000, 0), False),  # too few to say
        ((3, 3), (1000, 0), True),  # all of them
        ((3, 3), (1000, 200), True),
        ((3, 3), (1000, 300), False),  # those before would have, in 3 of 100 cases
        ((2, 2), (1000, 0), False),
        ((3, 3), (0, 0), False),  # nobody knows what they would have answered
        ((20, 9), (1000, 0), False),
        ((40, 40), (1000, 1000), False),  # they were no better before
        ((40, 40), (1000, 999), True),
        ((20, 20), (0, 0), True),
    ],
)
def test_a_rollout_whose_processes_answer_with_errors_is_given_up(
    world: World, new: tuple[int, int], old: tuple[int, int], ends: bool
) -> None:
    number = apply(world, blog(2))
    until_ready(world, "blog-2")
    world.tell(counted(new, old))
    world.run(world.now + 2.0 * ends)  # those that are given up take no requests any more
    assert (world.state.changes[number].outcome, in_force(world)) == (
        ("rolled-back", "blog-1") if ends else ("pending", "blog-2")
    )
    if ends:
        error = world.state.changes[number].groups["blog"].error
        assert error is not None
        assert error.message == (
            f"abort-error-rate: {new[1]} of the first {new[0]} answers of the new processes are errors"
        )


def test_errors_of_what_is_restarted_stop_the_restart(world: World) -> None:
    old = set(ready(world))
    world.tell(model.Restart(("blog",)))
    while len(ready(world)) < 5:
        world.run(world.now + 0.01)
    world.tell(counted((100, 100)))
    world.run(world.now + 20.0)
    assert (set(ready(world)), world.state.changes[2].outcome) == (old, "rolled-back")


def test_errors_are_nobodys_business_without_a_rollout_or_a_limit(world: World) -> None:
    world.tell(counted((100, 100)))
    assert in_force(world) == "blog-1"
    apply(world, blog(2, abort_error_rate=0))
    until_ready(world, "blog-2")
    world.tell(counted((100, 100)))
    assert in_force(world) == "blog-2"


@pytest.mark.parametrize(("room", "surge", "most", "fewest"), [(0, 2, 4, 3), (1, 2, 5, 4), (9, 2, 6, 4)])
def test_without_memory_for_a_successor_one_at_a_time_leaves_first(
    world: World, room: int, surge: int, most: int, fewest: int
) -> None:
    world.tell(model.RoomFound("blog", room))
    number = apply(world, blog(2, max_surge=Share(surge), min_ready_time_s=0.0))
    seen = [len(world.state.groups["blog"].records)]
    up = [len(ready(world))]
    while not world.state.changes[number].finished:
        world.run(world.now + 0.005)
        seen.append(sum(r.live for r in world.state.groups["blog"].records))
        up.append(len(ready(world)))
    assert (max(seen), min(up)) == (most, fewest)
    assert world.state.groups["blog"].fits is None
    said = [step for step in world.steps if "max-surge is" in step]
    assert len(said) <= 1


def test_too_little_memory_is_said(world: World) -> None:
    apply(world, blog(2, max_surge=Share(2)))
    world.tell(model.RoomFound("blog", 0))
    until_ready(world, "blog-2")
    (said,) = [step for step in world.steps if "max-surge is" in step]
    assert "memory for 2 processes more" not in said
    assert "max-surge is 2: as many at a time are replaced" in said


@pytest.mark.parametrize(("room", "most", "fewest"), [(0, 4, 3), (1, 5, 4)])
def test_a_successor_that_has_waited_asks_for_memory_as_the_first_one_did(
    world: World, room: int, most: int, fewest: int
) -> None:
    worn = ready(world)[0]
    world.moods = ("fails",)
    world.tell(model.LifeWorn(worn, "maximum-requests"))
    while not any(r.state is Tenancy.COOLING for r in world.state.groups["blog"].records):
        world.run(world.now + 0.005)
    world.moods = ("good",)
    world.tell(model.RoomFound("blog", room))
    live, up = [], []
    while worn in ready(world) or len(ready(world)) < 4:
        world.run(world.now + 0.005)
        live.append(sum(r.live for r in world.state.groups["blog"].records))
        up.append(len(ready(world)))
    assert (max(live), min(up)) == (most, fewest)


Ask = Callable[[World], None]


def starting_again(world: World) -> None:
    world.tell(model.Stop(("blog",)))
    world.run(world.now + 10.0)
    world.tell(model.Start(("blog",)))


# what somebody does while version 2 is rolled out; whether version 2 is good; which version, and how many, in the end
OUTCOMES: list[tuple[str, Ask, bool, str, int]] = [
    ("nothing", lambda _world: None, True, "blog-2", 4),
    ("nothing", lambda _world: None, False, "blog-1", 4),
    ("scale up", lambda world: world.tell(model.Scale({"blog": 6})), True, "blog-2", 6),
    ("scale up", lambda world: world.tell(model.Scale({"blog": 6})), False, "blog-1", 6),
    ("scale down", lambda world: world.tell(model.Scale({"blog": 2})), True, "blog-2", 2),
    ("scale down", lambda world: world.tell(model.Scale({"blog": 2})), False, "blog-1", 2),
    ("stop", lambda world: world.tell(model.Stop(("blog",))), True, "blog-2", 0),
    ("stop", lambda world: world.tell(model.Stop(("blog",))), False, "blog-2", 0),
    ("stop and start", starting_again, True, "blog-2", 4),
    ("stop and start", starting_again, False, "blog-1", 4),
    ("restart", lambda world: world.tell(model.Restart(("blog",))), True, "blog-2", 4),
    ("restart", lambda world: world.tell(model.Restart(("blog",))), False, "blog-1", 4),
    ("reload", lambda world: world.tell(model.Reload(("blog",))), False, "blog-1", 4),
    ("apply 3", lambda world: world.tell(model.Apply({"blog": blog(3)}, 3)), True, "blog-3", 4),
    ("apply 3", lambda world: world.tell(model.Apply({"blog": blog(3)}, 3)), False, "blog-1", 4),
    ("apply 1", lambda world: world.tell(model.Apply({"blog": blog(1)}, 3)), True, "blog-1", 4),
    ("an old process dies", lambda world: world.end(ready(world, "blog-1")[0]), True, "blog-2", 4),
    ("an old process dies", lambda world: world.end(ready(world, "blog-1")[0]), False, "blog-1", 4),
]


@pytest.mark.parametrize(
    ("act", "good", "version", "processes"),
    [outcome[1:] for outcome in OUTCOMES],
    ids=[f"{what}-{'good' if good else 'bad'}" for what, _act, good, _version, _processes in OUTCOMES],
)
def test_what_comes_of_what_is_asked_for_during_a_rollout(
    world: World, act: Ask, good: bool, version: str, processes: int
) -> None:
    apply(world, blog(2), "good" if good else "slow")
    until_begun = 0.2 if good else 0.05
    world.run(world.now + until_begun)
    world.moods = ("good",) if good else ("fails",)
    act(world)
    if not good:  # whatever is new fails, until the one before is in force again
        for _each in range(400):
            for record in world.state.groups["blog"].records:
                if record.fingerprint != "blog-1" and world.daemons[record.life].alive:
                    world.end(record.life)
            world.run(world.now + 0.05)
            if in_force(world) == "blog-1":
                break
        world.moods = ("good",)
    world.run(world.now + 60.0)
    assert (in_force(world), len(ready(world, version))) == (version, processes)
    assert world.settled()
    assert all(change.finished for change in world.state.changes.values())


def test_how_long_what_is_new_has_to_last_is_known_while_it_has_to(world: World) -> None:
    assert proving.watch_s(world.state.groups["blog"], world.now) is None
    apply(world, blog(2, canary_time_s=10.0))
    assert proving.watch_s(world.state.groups["blog"], world.now) is None
    until_ready(world, "blog-2")
    assert proving.watch_s(world.state.groups["blog"], world.now) == 15.0
    world.run(world.now + 60.0)
    assert proving.watch_s(world.state.groups["blog"], world.now) is None
