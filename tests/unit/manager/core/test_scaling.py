"""Groups whose processes follow the load in the core: what the load may change, and what it may not."""

from __future__ import annotations

import json
from typing import Any

from support.targets import small_target

from wsgigroups.lifecycle.step import Exit
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model
from wsgigroups.manager.core.handling import handle
from wsgigroups.manager.supervision.remembering import group_from_json
from wsgigroups.manager.supervision.state_texts import StateTexts
from wsgigroups.plan.scaling import ScalingTarget


def stored_and_read(group: model.GroupState) -> model.GroupState:
    """What the next manager knows of it."""
    return group_from_json(json.loads("".join(StateTexts().group("blog", group, "/run", ()))))


class Core:
    """A core with the group blog, whose processes come up at once and leave when they are told to."""

    def __init__(self, **limits: Any) -> None:
        self.target = small_target(scaling=ScalingTarget(**{"minimum": 1, "maximum": 8, **limits}))
        self.state, self.now = model.State(), 0.0
        self.commands: list[model.Command] = []
        self.tell(model.Apply({"blog": self.target}, 1))

    @property
    def group(self) -> model.GroupState:
        return self.state.groups["blog"]

    def tell(self, event: model.Event) -> None:
        self.now += 1.0
        self.state, commands = handle(self.state, event, self.now)
        self.commands += commands
        for command in commands:
            if isinstance(command, model.SpawnLife):
                self.tell(model.LifeSpawned(command.record.life, 1000 + command.record.life))
                self.tell(model.LifeBecameReady(command.record.life))
            elif isinstance(command, model.DrainLife):
                self.tell(model.LifeExited(command.record.life, Exit(0, 0), group="blog"))

    def scaled(self, processes: int) -> int:
        self.tell(model.Scaled("blog", processes, "busy"))
        assert sum(record.state is Tenancy.READY for record in self.group.records) == self.group.wanted
        return self.group.wanted


def test_the_load_moves_the_number_within_the_limits() -> None:
    core = Core()
    assert core.scaled(3) == 3
    assert core.scaled(50) == 8
    assert core.scaled(0) == 1
    assert any(isinstance(command, model.StoreState) for command in core.commands)


def test_a_fixed_number_is_not_the_loads() -> None:
    core = Core()
    core.tell(model.Apply({"blog": small_target(processes=2)}, 2))
    assert core.scaled(5) == 2


def test_a_number_by_hand_stays_until_the_next_apply_and_is_where_the_load_goes_on() -> None:
    core = Core()
    core.tell(model.Scale({"blog": 4}))
    assert core.scaled(8) == 4
    core.tell(model.Scale({"blog": 1}))  # as many as it begins with: pinned all the same
    assert core.scaled(8) == 1
    core.tell(model.Scale({"blog": 4}))
    core.tell(model.Apply({"blog": core.target}, 2))
    assert core.group.wanted == 4
    assert core.scaled(5) == 5


def test_what_is_stopped_stays_so() -> None:
    core = Core()
    core.tell(model.Stop(("blog",)))
    assert core.scaled(3) == 0
    assert not core.group.asleep
    core.tell(model.Start(("blog",)))
    assert core.group.wanted == 1


def test_an_apply_keeps_what_the_load_has_come_to() -> None:
    core = Core()
    core.scaled(5)
    core.tell(model.Apply({"blog": small_target(scaling=ScalingTarget(1, 6))}, 2))
    assert core.group.wanted == 5
    core.tell(model.Apply({"blog": small_target(scaling=ScalingTarget(1, 2))}, 3))
    assert core.group.wanted == 2


def test_a_group_sleeps_and_is_woken() -> None:
    core = Core(minimum=0)
    assert core.group.wanted == 1  # it has shown that it comes up
    assert core.scaled(0) == 0
    assert core.group.asleep
    assert not core.group.shut
    assert not core.group.records
    assert core.scaled(1) == 1


def test_a_new_configuration_wakes_the_groups_that_it_changes() -> None:
    core = Core(minimum=0)
    core.scaled(0)
    core.tell(model.Apply({"blog": core.target}, 2))
    assert core.group.asleep
    core.tell(model.Apply({"blog": small_target(scaling=ScalingTarget(0, 6))}, 3))
    assert core.group.wanted == 1
    core.scaled(0)
    core.tell(model.Stop(("blog",)))
    core.tell(model.Start(("blog",)))
    assert core.group.wanted == 1


def test_the_next_manager_knows_it() -> None:
    core = Core(minimum=0)
    core.scaled(4)
    assert stored_and_read(core.group).wanted == 4
    core.scaled(0)
    assert stored_and_read(core.group).asleep


def test_nothing_is_scaled_that_ends() -> None:
    core = Core(minimum=0)
    core.scaled(0)
    core.tell(model.Shutdown())
    core.tell(model.Scaled("blog", 1, "somebody connects"))
    assert "blog" not in core.state.groups
