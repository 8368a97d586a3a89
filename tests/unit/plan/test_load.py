"""What a plan says of groups whose processes follow the load: an apply does not take back what the load has come to."""

from __future__ import annotations

from typing import Any

from support.targets import small_target

from wsgigroups.plan.observed import ObservedGroup, ObservedProcess
from wsgigroups.plan.planner import Plan, plan
from wsgigroups.plan.scaling import ScalingTarget

TARGET = small_target(processes=1, scaling=ScalingTarget(1, 8))


def observed(processes: int, **more: Any) -> ObservedGroup:
    members = tuple(ObservedProcess(slot, slot, "f", ready=True) for slot in range(1, processes + 1))
    values = {"scaled": False, "stopped": False, "follows_load": True, "wanted": processes, "ready": processes, **more}
    return ObservedGroup(options={}, fingerprint="f", processes=processes, members=members, **values)


def planned(group: ObservedGroup, target: Any = TARGET) -> Plan:
    return plan({"blog": target}, {"blog": group})


def test_a_number_within_the_limits_is_left_alone() -> None:
    assert planned(observed(5)).empty
    assert planned(observed(0), small_target(scaling=ScalingTarget(0, 8))).empty


def test_one_beyond_new_limits_is_not() -> None:
    (step,) = planned(observed(5), small_target(scaling=ScalingTarget(1, 3))).steps
    assert [(r.option, r.old, r.new) for r in step.reasons] == [("processes", "5", "3")]
    assert step.cost.processes_stopped == 2


def test_one_that_was_given_by_hand_is_the_loads_again() -> None:
    (step,) = planned(observed(5, scaled=True, follows_load=False)).steps
    assert [(r.option, r.old, r.new) for r in step.reasons] == [("processes", "5", "from 1 to 8")]
    assert step.cost.processes_stopped == 0


def test_what_the_load_has_come_to_is_said() -> None:
    assert planned(observed(5, law="5 processes by its load")).notices == ("blog: 5 processes by its load",)
    assert plan({"blog": TARGET}, {}).notices == ("blog: its processes follow the load, from 1 to 8, and begin with 1",)
