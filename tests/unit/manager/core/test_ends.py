"""Nothing is ended before its time or remembered when it is over, and what shall go goes. Found by histories."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.simulation.world import World, target
from wsgigroups.lifecycle.step import EXIT_S
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import adopting, model


@pytest.fixture
def world() -> World:
    """Two groups, of two processes each."""
    made = World(seed=1, moods=("good",))
    made.tell(model.Apply({"a": target("a", 2, 1), "b": target("b", 2, 1)}, 1))
    made.run(made.now + 30.0)
    return made


def test_an_unknown_process_is_not_killed_for_what_it_does_not_load(world: World) -> None:
    group = world.state.groups["a"]
    world.state = replace(world.state, groups={"a": replace(group, unknown=True)})
    commands = len(world.history)
    world.tell(model.LifeOverdue(group.records[0].life, "startup-timeout", "not loaded"))
    assert not [what for _when, what in world.history[commands:] if isinstance(what, model.KillLife)]


@pytest.mark.parametrize("late", [model.LifeBecameReady(0), model.LifeStalled(0, "reports", "it floods")])
def test_a_late_message_of_a_process_that_is_over_changes_nothing(world: World, late: model.Event) -> None:
    world.moods = ("fails",)
    life = world.state.groups["a"].records[0].life
    world.end(life)
    world.run(world.now + 1.0)
    cooling = next(r for r in world.state.groups["a"].records if r.state is Tenancy.COOLING)
    before = world.state
    world.tell(replace(late, life=cooling.life))  # type: ignore[arg-type, call-arg]
    assert world.state == before


def test_a_reload_remembers_no_process_that_did_not_come_to_be(world: World) -> None:
    world.moods = ("fails",)
    world.end(world.state.groups["a"].records[0].life)
    world.run(world.now + 1.0)
    assert any(record.state is Tenancy.COOLING for record in world.state.groups["a"].records)
    world.moods = ("good",)
    world.tell(model.Reload(("a",)))
    world.run(world.now + 90.0)
    assert not world.state.groups["a"].graceful_lives


def test_a_configuration_that_a_manager_starts_with_removes_what_it_does_not_have(world: World) -> None:
    world.moods = ("never-ready",)
    number = world.state.next_change
    world.tell(model.Apply({"a": target("a", 2, 2)}, 2, model.START_UP))
    world.run(world.now + 30.0)
    assert "b" not in world.state.groups, "it waits for no other group"
    assert world.state.changes[number].groups["b"].state == "done"


def test_a_return_after_a_failure_forgets_no_start(world: World) -> None:
    world.tell(model.Apply({"a": target("a", 1, 1), "b": target("b", 8, 1)}, 2))
    world.run(world.now + 30.0)
    number, begun = world.state.next_change, world.now
    world.tell(model.Apply({"a": target("a", 1, 2), "b": target("b", 8, 2)}, 3))
    while world.state.changes[number].groups["a"].state != "done":
        world.run(world.now + 0.001)
    world.moods = ("fails",)
    while not world.state.changes[number].finished:
        world.run(world.now + 0.001)
        world.moods = ("good",) if world.state.groups["a"].target.fingerprint == "a-1" else world.moods
    assert world.state.changes[number].outcome == "rolled-back"
    assert world.state.groups["a"].starts[1][0] == begun, "that of what was given up counts"


@pytest.mark.parametrize(
    ("state", "shutdown_s", "startup_s", "due_s"),
    [
        (Tenancy.DRAINING, 5.0, 0.0, 3.0 + 5.0 + EXIT_S),
        (Tenancy.DRAINING, 0.0, 0.0, None),
        (Tenancy.STARTING, 5.0, 7.0, 7.0),
        (Tenancy.STARTING, 5.0, 0.0, None),
        (Tenancy.READY, 5.0, 7.0, None),
    ],
)
def test_what_is_adopted_has_all_its_time_again(
    state: Tenancy, shutdown_s: float, startup_s: float, due_s: float | None
) -> None:
    wanted = target("a", 1, 1, shutdown_s=shutdown_s, startup_s=startup_s)
    assert adopting.deadline(state, wanted, 100.0) == (None if due_s is None else 100.0 + due_s)
