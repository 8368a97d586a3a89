"""A plan while a change is on its way, or paused: some processes are what is in force, others what was before."""

from __future__ import annotations

from dataclasses import replace

from support.targets import small_target

from wsgigroups.plan.observed import ObservedGroup, ObservedProcess
from wsgigroups.plan.planner import ALREADY_THERE, StepKind, plan

BEFORE, IN_FORCE = "before", "in-force"
CODE = {BEFORE: {"application": "a"}, IN_FORCE: {"application": "b"}}
OPTIONS = {BEFORE: {"application": "a:app", "threads": "5"}, IN_FORCE: {"application": "b:app", "threads": "7"}}


def paused(*fingerprints: str, ready: int = 0, wanted: int = 0) -> ObservedGroup:
    """A group that is to become IN_FORCE, with these processes."""
    members = tuple(
        ObservedProcess(slot, slot, fingerprint, True, 0.1, 1000, CODE[fingerprint])
        for slot, fingerprint in enumerate(fingerprints, start=1)
    )
    return ObservedGroup(OPTIONS[IN_FORCE], IN_FORCE, 2, False, False, members, wanted, ready, code=CODE[IN_FORCE])


def asked(which: str, **more: str) -> dict[str, object]:
    return {"blog": small_target(processes=2, fingerprint=which, options={**OPTIONS[which], **more}, code=CODE[which])}


def test_a_successor_that_is_not_wanted_any_more_is_no_replacement() -> None:
    group = paused(BEFORE, BEFORE)
    coming = ObservedProcess(1, 9, IN_FORCE, ready=False)
    (step,) = plan(asked(BEFORE), {"blog": replace(group, members=(*group.members, coming))}).steps
    assert (step.kind, step.cost.processes_replaced) == (StepKind.LIVE, 0)


def test_code_of_processes_that_are_on_their_way_out_is_no_new_code() -> None:
    group = paused(BEFORE, BEFORE, ready=0, wanted=2)
    (step,) = plan(asked(IN_FORCE), {"blog": group}).steps
    assert step.kind is StepKind.START, "what is in force is waited for, and no file of it has changed"


def test_new_code_of_what_is_in_force_is_seen_all_the_same() -> None:
    target = small_target(processes=2, fingerprint=IN_FORCE, options=OPTIONS[IN_FORCE], code={"application": "new"})
    for members in ((BEFORE, BEFORE), (BEFORE, IN_FORCE)):
        assert plan({"blog": target}, {"blog": paused(*members)}).with_new_code == {"blog"}


def test_going_back_to_what_runs_replaces_nobody() -> None:
    (step,) = plan(asked(BEFORE), {"blog": paused(BEFORE, BEFORE)}).steps
    assert step.kind is StepKind.LIVE
    assert {(reason.option, reason.effect, reason.why) for reason in step.reasons} == {
        ("application", "none", ALREADY_THERE),
        ("threads", "none", ALREADY_THERE),
    }
    assert step.cost.processes_replaced == 0


def test_going_back_replaces_those_that_have_gone_ahead() -> None:
    (step,) = plan(asked(BEFORE), {"blog": paused(BEFORE, IN_FORCE)}).steps
    assert step.kind is StepKind.REPLACE
    assert step.cost.processes_replaced == 1


def test_going_back_to_code_that_has_changed_since_replaces_all() -> None:
    target = small_target(processes=2, fingerprint=BEFORE, options=OPTIONS[BEFORE], code={"application": "new"})
    (step,) = plan({"blog": target}, {"blog": paused(BEFORE, BEFORE)}).steps
    assert step.kind is StepKind.REPLACE
    assert [reason.option for reason in step.reasons] == ["application", "threads", "code"]
    assert step.cost.processes_replaced == 2
