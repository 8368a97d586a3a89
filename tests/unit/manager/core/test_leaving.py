"""A change is done when what it has replaced takes no requests any more, or can be said to hang."""

from __future__ import annotations

import pytest

from tests.simulation.world import World, target
from wsgigroups.lifecycle.step import EXIT_S, STALLED_SHUTDOWN_S, Record
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import handling, model


def replaced(shutdown_s: float = 5.0, event: model.Event | None = None) -> tuple[World, int, Record]:
    """A process that does not hear, and its successor that has just become ready: the change, and the one before."""
    world = World(seed=1, moods=("deaf",))
    world.tell(model.Apply({"a": target("a", 1, 1, shutdown_s=shutdown_s)}, 1))
    world.run(world.now + 30.0)
    world.calm()
    number = world.state.next_change
    world.tell(event or model.Apply({"a": target("a", 1, 2, shutdown_s=shutdown_s)}, 2))
    while Tenancy.DRAINING not in {record.state for record in world.state.groups["a"].records}:
        world.run(world.now + 0.001)
    (left,) = (record for record in world.state.groups["a"].records if record.state is Tenancy.DRAINING)
    return world, number, left


def test_a_change_is_done_when_what_it_replaced_takes_no_more() -> None:
    world, number, left = replaced()
    world.run(world.now + 1.0)
    assert not world.state.changes[number].finished
    world.tell(model.LifeLetGo(left.life))
    assert world.state.changes[number].outcome == "done"
    (record,) = (record for record in world.state.groups["a"].records if record.life == left.life)
    assert (record.state, record.deadline) == (Tenancy.DRAINING, left.deadline)  # what it has begun it may end


def test_or_when_it_has_ended() -> None:
    world, number, left = replaced()
    world.end(left.life)
    world.run(world.now)
    assert world.state.changes[number].outcome == "done"


@pytest.mark.parametrize(
    ("shutdown_s", "limit_s"), [(5.0, 5.0 + EXIT_S), (9.0, 9.0 + EXIT_S), (0.0, STALLED_SHUTDOWN_S + EXIT_S)]
)
def test_one_that_hangs_is_waited_for_until_its_time_is_over(shutdown_s: float, limit_s: float) -> None:
    world, number, left = replaced(shutdown_s)
    begun = world.now
    world.run(begun + limit_s - 0.1)
    assert not world.state.changes[number].finished
    world.run(begun + limit_s + 0.1)
    assert world.state.changes[number].outcome == "done"
    assert left.life in {record.life for record in world.state.groups["a"].records} or shutdown_s


def test_the_time_that_the_manager_was_stopped_is_none_of_its() -> None:
    world, number, _left = replaced(0.0)
    world.state = handling.extend_deadlines(world.state, 100.0)
    world.run(world.now + 100.0)
    assert not world.state.changes[number].finished
    world.run(world.now + STALLED_SHUTDOWN_S + EXIT_S)
    assert world.state.changes[number].outcome == "done"


def test_nobody_waits_for_a_window_in_which_requests_are_taken() -> None:
    world, number, left = replaced(event=model.Reload(("a",)))
    assert left.window_s > 0
    assert world.state.changes[number].outcome == "done"


def test_a_window_that_is_ended_is_waited_for() -> None:
    world, _number, left = replaced(event=model.Reload(("a",)))
    world.tell(model.Stop(("a",)))
    (record,) = (record for record in world.state.groups["a"].records if record.life == left.life)
    assert (record.window_s, record.accepts_until) == (0.0, world.now + 5.0 + EXIT_S)


def test_what_is_told_of_a_process_that_serves_changes_nothing() -> None:
    world = World(seed=1, moods=("good",))
    world.tell(model.Apply({"a": target("a", 1, 1)}, 1))
    world.run(world.now + 30.0)
    before = world.state
    world.tell(model.LifeLetGo(before.groups["a"].records[0].life))
    world.tell(model.LifeLetGo(10**9))
    assert world.state == before
