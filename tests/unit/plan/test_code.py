"""New code in a plan: what is compared, what is not known, and what is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from support.targets import small_target

from wsgigroups.plan.observed import ObservedGroup, ObservedProcess
from wsgigroups.plan.planner import StepKind, plan

OLD, NEW = {"application": "old"}, {"application": "new"}


def running(*codes: Mapping[str, str], group: Mapping[str, str] | None = None, stopped: bool = False) -> ObservedGroup:
    members = tuple(ObservedProcess(n, n, "f", True, 0.1, 1000, code) for n, code in enumerate(codes, start=1))
    return ObservedGroup({}, "f", 1, False, stopped, members, code=group or {})


def test_new_code_replaces_and_is_a_reason() -> None:
    planned = plan({"blog": small_target(code=NEW)}, {"blog": running(OLD)})
    (step,) = planned.steps
    assert step.kind is StepKind.REPLACE
    (reason,) = step.reasons
    assert (reason.option, reason.old, reason.new, reason.effect) == ("code", "old", "new", "replace")
    assert step.cost.processes_replaced == 1
    assert planned.with_new_code == {"blog"}


def test_one_process_with_old_code_is_enough() -> None:
    assert plan({"blog": small_target(code=NEW)}, {"blog": running(NEW, OLD)}).with_new_code == {"blog"}


def test_code_that_nobody_knows_is_no_change() -> None:
    for target, group in (
        (small_target(code=NEW), running({}, group={})),
        (small_target(code={}), running(OLD)),
        (small_target(code={"script": "x"}), running(OLD)),
        (small_target(code=NEW), running(NEW)),
    ):
        assert plan({"blog": target}, {"blog": group}).empty


def test_a_process_of_which_it_is_not_known_has_what_its_group_had() -> None:
    assert not plan({"blog": small_target(code=NEW)}, {"blog": running({}, group=OLD)}).empty
    assert plan({"blog": small_target(code=NEW)}, {"blog": running({}, group=NEW)}).empty


def test_a_group_without_a_process_is_tried_with_the_new_code() -> None:
    assert not plan({"blog": small_target(code=NEW)}, {"blog": running(group=OLD)}).empty
    assert plan({"blog": small_target(code=NEW)}, {"blog": running(group=OLD, stopped=True)}).empty


def test_another_application_has_other_files_and_no_new_ones() -> None:
    code = {"application": "new", "script at /api": "new", "code in /srv": "same"}
    target = small_target(code=code, options={"application": "b:app"})
    group = replace(running(dict.fromkeys(code, "old") | {"code in /srv": "same"}), options={"application": "a:app"})
    (step,) = plan({"blog": target}, {"blog": group}).steps
    assert [reason.option for reason in step.reasons] == ["application"]
    group = replace(group, members=running(dict.fromkeys(code, "old")).members)
    (step,) = plan({"blog": target}, {"blog": group}).steps
    assert [(r.option, r.why) for r in step.reasons if r.option == "code"] == [("code", "new: code in /srv")]


def test_the_first_files_are_named_and_the_others_counted() -> None:
    before = {f"{n}.py": "a" for n in range(8)} | {"gone.py": "a", "same.py": "a"}
    after = {f"{n}.py": "b" for n in range(8)} | {"came.py": "b", "same.py": "a"}
    planned = plan({"blog": small_target(code=NEW)}, {"blog": running(OLD)}, {"old": before, "new": after}.get)
    (reason,) = planned.steps[0].reasons
    assert reason.files == ("0.py", "1.py", "2.py", "3.py", "4.py")
    assert reason.files_more == 5
