"""What a plan says of groups that run and of which nothing else is known."""

from __future__ import annotations

from dataclasses import replace

from tests.simulation.world import target
from wsgigroups.plan.desired import GroupTarget, ListenerTarget
from wsgigroups.plan.observed import ObservedGroup, ObservedProcess
from wsgigroups.plan.planner import StepKind, plan


def found(*fingerprints: str, listen: tuple[str, ...] = ()) -> ObservedGroup:
    members = tuple(ObservedProcess(n, n, text, ready=True) for n, text in enumerate(fingerprints, 1))
    return ObservedGroup({}, fingerprints[0], len(members), False, False, members, unknown=True, listen=listen)


def wanted(name: str, processes: int, address: str) -> GroupTarget:
    return replace(target(name, processes, 1), listeners=(ListenerTarget(address),))


def test_equal_fingerprints_are_taken_over() -> None:
    (step,) = plan({"a": target("a", 2, 1)}, {"a": found("a-1", "a-1")}).steps
    assert step.kind is StepKind.ADOPT
    assert (step.cost.processes_started, step.cost.processes_replaced) == (0, 0)


def test_other_fingerprints_are_replaced_and_more_are_started() -> None:
    (step,) = plan({"a": target("a", 3, 1)}, {"a": found("a-1", "a-0")}).steps
    assert step.kind is StepKind.REPLACE
    assert [(reason.option, reason.old, reason.new) for reason in step.reasons] == [
        ("fingerprint", "a-0", "a-1"),
        ("processes", "2", "3"),
    ]
    assert (step.cost.processes_started, step.cost.processes_replaced) == (1, 2)


def test_one_that_nobody_asks_for_is_left_alone_and_named() -> None:
    made = plan({}, {"a": found("a-1", listen=("127.0.0.1:1",))})
    assert made.empty
    assert made.notices == (
        "a: it runs and no configuration that is known has it; it is left alone, `wsgigroups stop a` ends it",
    )


def test_one_in_the_way_is_removed_before_the_other_is_added() -> None:
    made = plan({"b": wanted("b", 1, "127.0.0.1:1")}, {"a": found("a-1", listen=("127.0.0.1:1",))})
    assert [(step.group, step.kind) for step in made.steps] == [("a", StepKind.REMOVE), ("b", StepKind.ADD)]
