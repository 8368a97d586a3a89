"""A plan is carried out only where it was made for: what another state is, and what a new plan may do unasked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.targets import small_target

from wsgigroups.plan.observed import ObservedGroup, ObservedProcess
from wsgigroups.plan.precondition import Preconditions, covered, moved, precondition

GROUP = ObservedGroup({"threads": "5"}, "f", 2, False, False, (ObservedProcess(1, 1, "f", True),), code={"a": "1"})
DESIRED = {"blog": small_target(code={"a": "1"})}
PLANNED = precondition(3, DESIRED, {"blog": GROUP})


def now(**changes: Any) -> tuple[str, ...]:
    return moved(PLANNED, precondition(3, DESIRED, {"blog": replace(GROUP, **changes)}))


def test_the_same_state_has_not_moved_whichever_processes_there_are() -> None:
    assert now() == ()
    assert now(members=(ObservedProcess(1, 7, "f", False), ObservedProcess(2, 8, "f", True))) == ()


@pytest.mark.parametrize(
    "changes",
    [{"options": {"threads": "6"}}, {"fingerprint": "g"}, {"processes": 3}, {"scaled": True}, {"stopped": True}],
)
def test_a_group_that_was_changed_has_moved(changes: dict[str, Any]) -> None:
    assert now(**changes) == ("blog was changed, scaled, stopped or started",)


def test_groups_that_came_and_went_have_moved() -> None:
    assert moved(PLANNED, precondition(3, DESIRED, {})) == ("blog is gone",)
    assert moved(PLANNED, precondition(3, DESIRED, {"blog": GROUP, "shop": GROUP})) == ("shop is there now",)


def test_another_revision_has_moved() -> None:
    assert moved(PLANNED, precondition(4, DESIRED, {"blog": GROUP})) == ("revision 4 is in force, not 3",)


@pytest.mark.parametrize("changes", [{"code": {"a": "2"}}, {"fingerprint": "g"}])
def test_code_or_an_environment_file_that_changed_has_moved(changes: dict[str, Any]) -> None:
    (text,) = moved(
        PLANNED, precondition(3, {"blog": small_target(**{"code": {"a": "1"}, **changes})}, {"blog": GROUP})
    )
    assert text.startswith("what blog would start with has changed")


def test_a_plan_without_the_managers_key_compares_code_alone() -> None:
    planned = precondition(3, DESIRED, {"blog": GROUP}, keyed=False)
    other = {"blog": replace(DESIRED["blog"], fingerprint="with another key")}
    assert moved(planned, precondition(3, other, {"blog": GROUP}, keyed=False)) == ()


def steps(**kinds: str) -> dict[str, Any]:
    return {"steps": [{"group": group, "kind": kind} for group, kind in kinds.items()]}


def test_what_does_less_than_was_shown_needs_no_other_consent() -> None:
    assert covered(steps(a="replace"), steps(a="replace"))
    assert covered(steps(a="replace"), steps(a="live"))
    assert covered(steps(a="add", b="remove"), steps(a="replace"))
    assert covered(steps(a="remove"), steps(a="remove"))
    assert not covered(steps(a="live"), steps(a="replace"))
    assert not covered(steps(a="replace"), steps(a="replace", b="live"))
    assert not covered(steps(a="add"), steps(a="remove"))
    assert not covered(steps(a="remove"), steps(a="add"))


def test_preconditions_that_are_made_one_after_the_other_are_as_if_made_anew() -> None:
    made = Preconditions()
    other = replace(GROUP, options={"threads": "6"})
    for group in (GROUP, replace(GROUP, members=()), replace(GROUP, scaled=True), other, replace(other, processes=9)):
        for keyed in (True, False):
            expected = precondition(3, DESIRED, {"blog": group}, keyed=keyed)
            assert made.of(3, DESIRED, {"blog": group}, keyed=keyed) == expected
    assert made.of(3, DESIRED, {}) == precondition(3, DESIRED, {})
