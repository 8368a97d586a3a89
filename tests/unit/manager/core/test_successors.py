"""Every cause for which a process is followed: when its successor begins, when it is told to leave, and with what.

One table. A process that serves waits for its successor, whatever the cause; one that is stuck as a whole serves nobody
and leaves at once, beside its successor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulation.world import World, target
from wsgigroups.lifecycle.step import EXIT_S, STALLED_SHUTDOWN_S
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import haste, model
from wsgigroups.plan.desired import RolloutTarget, Share

GRACEFUL_S, EVICTION_S, SHUTDOWN_S = 2.0, 3.0, 5.0  # of the world's targets


@dataclass(frozen=True)
class Cause:
    """serves: it is told to leave when its successor is ready. window_s: for how long it then goes on accepting."""

    event: model.Event
    serves: bool = True
    window_s: float = GRACEFUL_S


def stuck(*, serves: bool) -> model.LifeStalled:
    return model.LifeStalled(1, haste.STUCK, "a request runs for 9.0 s", graceful=True, serves=serves)


CAUSES = {
    "maximum-requests": Cause(model.LifeWorn(1, "maximum-requests")),
    "restart-interval": Cause(model.LifeWorn(1, "restart-interval")),
    "inactivity-timeout": Cause(model.LifeWorn(1, "inactivity-timeout")),
    "memory-soft-limit": Cause(model.LifeWorn(1, "memory-soft-limit")),
    "cpu-time-limit": Cause(model.LifeWorn(1, "cpu-time-limit")),
    "signal": Cause(model.LifeWorn(1, "signal"), window_s=EVICTION_S),
    "script-reloading": Cause(model.ScriptChanged(1), window_s=0.0),
    "restart": Cause(model.Restart(("blog",)), window_s=0.0),
    "reload": Cause(model.Reload(("blog",)), window_s=EVICTION_S),
    "request-timeout": Cause(stuck(serves=True)),
    "request-timeout of all threads": Cause(stuck(serves=False), serves=False),
    "deadlock-timeout": Cause(model.LifeStalled(1, "deadlock-timeout", "no heartbeat"), serves=False, window_s=0.0),
    "board": Cause(model.LifeStalled(1, "board", "it is overwritten"), serves=False, window_s=0.0),
    "reports": Cause(model.LifeStalled(1, "reports", "it floods"), serves=False, window_s=0.0),
}


def running(processes: int = 1, *, shutdown_s: float = SHUTDOWN_S, policy: RolloutTarget | None = None) -> World:
    """A group whose processes have been ready for so long that no cause is too soon, and that hear nothing."""
    world = World(seed=1, moods=("deaf",))
    wanted = target("blog", processes, 1, shutdown_s=shutdown_s)
    world.tell(model.Apply({"blog": replace(wanted, rollout=policy or RolloutTarget(min_ready_time_s=0.0))}, 1))
    world.run(world.now + 100.0)
    return world


def states(world: World) -> dict[int, Tenancy]:
    return {record.life: record.state for record in world.state.groups["blog"].records}


@pytest.mark.parametrize("name", CAUSES)
def test_the_successor_begins_at_once_and_who_serves_waits_for_it(name: str) -> None:
    cause, world = CAUSES[name], running()
    world.tell(cause.event)
    assert states(world) == {1: Tenancy.READY if cause.serves else Tenancy.DRAINING, 2: Tenancy.SPAWNING}
    while states(world)[2] is not Tenancy.READY:
        assert states(world)[1] is (Tenancy.READY if cause.serves else Tenancy.DRAINING)
        world.run(world.now + 0.001)
    record = world.state.find(1)[1]  # type: ignore[index]
    assert (record.state, record.window_s) == (Tenancy.DRAINING, cause.window_s)
    world.run(world.now + cause.window_s + SHUTDOWN_S + EXIT_S + 0.1)
    assert states(world) == {2: Tenancy.READY}


@pytest.mark.parametrize("name", [name for name, cause in CAUSES.items() if cause.serves])
def test_who_serves_does_so_until_there_is_a_successor_that_comes_up(name: str) -> None:
    world = running()
    world.moods = ("fails",)
    world.tell(CAUSES[name].event)
    world.run(world.now + 60.0)
    assert states(world)[1] is Tenancy.READY
    begun = len([what for _when, what in world.history if isinstance(what, model.SpawnLife)])
    assert begun <= 1 + 10, "its successors wait as those of a crash loop do"
    if not isinstance(CAUSES[name].event, (model.ScriptChanged, model.Restart, model.Reload)):  # these are given up
        world.moods = ("good",)
        world.run(world.now + 60.0)
        assert 1 not in states(world)


def test_one_that_serves_and_is_stuck_as_a_whole_later_waits_no_longer() -> None:
    world = running()
    world.moods = ("never-ready",)
    world.tell(stuck(serves=True))
    before = world.state
    world.tell(stuck(serves=True))  # it is judged again at each look
    assert world.state == before
    world.run(world.now + 10.0)
    world.tell(stuck(serves=False))
    assert states(world) == {1: Tenancy.DRAINING, 2: Tenancy.STARTING}
    group = world.state.groups["blog"]
    assert (group.restarts, group.haste) == (1, {1: 1}), "it is one that stalled, not two"


def test_what_is_stuck_is_killed_in_the_end_though_nothing_limits_its_shutdown() -> None:
    world = running(shutdown_s=0.0)
    world.tell(stuck(serves=True))
    while states(world)[1] is Tenancy.READY:
        world.run(world.now + 0.01)
    record = world.state.find(1)[1]  # type: ignore[index]
    assert record.deadline is not None
    assert record.deadline - world.now <= GRACEFUL_S + STALLED_SHUTDOWN_S + EXIT_S
    world.run(world.now + 20.0)
    assert states(world) == {2: Tenancy.READY}


@pytest.mark.parametrize("name", [name for name, cause in CAUSES.items() if cause.serves and cause.window_s])
def test_a_stop_gives_no_window_to_who_waits_for_a_successor(name: str) -> None:
    world = running()
    world.moods = ("never-ready",)
    world.tell(CAUSES[name].event)
    world.tell(model.Stop(("blog",)))
    record = world.state.find(1)[1]  # type: ignore[index]
    assert (record.state, record.window_s, record.reason) == (Tenancy.DRAINING, 0.0, "stop")


def test_processes_that_are_stuck_in_part_are_followed_one_after_the_other() -> None:
    world = running(4)
    for life in (1, 2, 3, 4):
        world.tell(replace(stuck(serves=True), life=life))
    fewest = most = 4
    until = world.now + 120.0
    while world.now < until:
        world.run(world.now + 0.05)
        found = states(world).values()
        fewest, most = min(fewest, sum(s is Tenancy.READY for s in found)), max(most, len(found))
    assert (fewest, most) == (4, 5)
    assert min(states(world)) > 4


def test_where_there_is_no_room_for_a_successor_one_leaves_first() -> None:
    world = running(2, policy=RolloutTarget(max_surge=Share(0), max_unavailable=Share(1)))
    world.tell(stuck(serves=True))
    assert states(world) == {1: Tenancy.DRAINING, 2: Tenancy.READY}
    world.run(world.now + 30.0)
    assert 1 not in states(world)
    assert list(states(world).values()) == [Tenancy.READY] * 2


def test_a_rollout_whose_process_is_stuck_in_part_is_given_up() -> None:
    world = running(2)
    number = world.state.next_change
    world.tell(model.Apply({"blog": target("blog", 2, 2)}, 2))
    while not (
        ready := [r.life for r in world.state.groups["blog"].records if r.fingerprint == "blog-2" and r.ready_at]
    ):
        world.run(world.now + 0.01)
    world.tell(replace(stuck(serves=True), life=ready[0]))
    assert world.state.changes[number].outcome == "rolled-back"
    world.run(world.now + 60.0)
    assert {record.fingerprint for record in world.state.groups["blog"].records} == {"blog-1"}


@given(st.lists(st.tuples(st.sampled_from(sorted(CAUSES)), st.integers(0, 3), st.floats(0.0, 8.0)), max_size=12))
def test_there_is_never_more_than_one_process_too_many_and_never_a_slot_without_a_reason(
    steps: list[tuple[str, int, float]],
) -> None:
    """Whatever comes while what came before still goes on."""
    world = running(3)
    for name, which, pause_s in steps:
        ready = sorted(life for life, state in states(world).items() if state is Tenancy.READY)
        event = CAUSES[name].event
        if isinstance(event, (model.LifeWorn, model.LifeStalled, model.ScriptChanged)):
            event = replace(event, life=ready[which % len(ready)] if ready else 0)
        world.tell(event)
        until = world.now + pause_s
        while world.now < until:
            assert len([s for s in states(world).values() if s is not Tenancy.COOLING]) <= 4
            world.run(world.now + 0.25)
    world.run(world.now + 300.0)
    assert list(states(world).values()) == [Tenancy.READY] * 3
