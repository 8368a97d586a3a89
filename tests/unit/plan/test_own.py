"""What changes for the manager itself is a step of the plan."""

from __future__ import annotations

from wsgigroups.plan.own import MANAGER, with_manager
from wsgigroups.plan.planner import Plan, StepKind


def test_a_change_of_its_listeners_is_something_to_do_and_no_repair() -> None:
    found = with_manager(Plan(()), {"health-listen": "127.0.0.1:1"}, {"metrics-listen": "unix:/run/m.sock"})
    assert not found.empty
    assert not found.repairs
    (step,) = found.steps
    assert (step.group, step.kind) == (MANAGER, StepKind.LIVE)
    assert [(reason.option, reason.old, reason.new) for reason in step.reasons] == [
        ("health-listen", "127.0.0.1:1", None),
        ("metrics-listen", None, "unix:/run/m.sock"),
    ]
    assert step.cost.processes_replaced == 0


def test_the_same_changes_nothing() -> None:
    same = {"health-listen": "127.0.0.1:1"}
    assert with_manager(Plan(()), same, dict(same)).empty
