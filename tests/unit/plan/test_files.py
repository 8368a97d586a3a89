"""Where the groups of a plan come from, and what is said of those that go elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from wsgigroups.config.owners import Owners
from wsgigroups.plan.files import with_files

BEFORE = Owners(groups={"a": ("/a.toml",), "b": ("/b.toml",)})


def planned(*steps: tuple[str, str]) -> dict[str, Any]:
    return {
        "steps": [
            {"group": name, "kind": kind, "reasons": [{"option": "processes", "why": "old"}]} for name, kind in steps
        ],
        "notices": ["before"],
    }


@pytest.mark.parametrize(
    ("after", "why"),
    [
        ({"b": ("/b.toml",)}, "it came from /a.toml, which is not among these files"),
        ({"c": ("/a.toml",)}, "no longer in /a.toml"),
    ],
)
def test_a_removal_says_what_the_group_came_from(after: dict[str, tuple[str, ...]], why: str) -> None:
    (step,) = with_files(planned(("a", "remove")), BEFORE, Owners(groups=after))["steps"]
    assert step["files"] == ("/a.toml",)
    assert [reason["why"] for reason in step["reasons"]] == [why]


def test_without_a_known_file_the_reason_stays() -> None:
    (step,) = with_files(planned(("x", "remove")), BEFORE, BEFORE)["steps"]
    assert (step["files"], step["reasons"][0]["why"]) == ((), "old")


def test_other_steps_have_the_files_of_what_is_asked_for() -> None:
    found = with_files(planned(("a", "replace"), ("@gateway", "live")), BEFORE, Owners(groups={"a": ("/new.toml",)}))
    assert [step["files"] for step in found["steps"]] == [("/new.toml",), ()]
    assert found["notices"] == ["before", "a: from /new.toml now"]
    assert found["unrecorded"]


def test_what_was_not_known_is_recorded_without_a_word() -> None:
    found = with_files(planned(), Owners(), BEFORE)
    assert (found["notices"], found["unrecorded"]) == (["before"], True)
    assert not with_files(planned(), BEFORE, BEFORE)["unrecorded"]
    assert not with_files(planned(), BEFORE, Owners())["unrecorded"], "a program that knows of no files"
