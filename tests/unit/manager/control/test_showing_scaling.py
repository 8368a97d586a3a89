"""What `plan` says of processes that follow the load."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from support.targets import small_target

from wsgigroups.manager.control.showing_scaling import sentence
from wsgigroups.manager.core.model import GroupState
from wsgigroups.plan.scaling import ScalingTarget, Want

GROUP = GroupState(small_target(name="blog", scaling=ScalingTarget(0, 8)), automatic=3)


@pytest.mark.parametrize(
    ("group", "want", "said"),
    [
        (GROUP, Want(3, "75% busy"), "3 processes by its load, from 0 to 8: 75% busy"),
        (
            GROUP,
            Want(3, "75% busy", held="all processors are busy"),
            "3 processes by its load, from 0 to 8: 75% busy; no more now: all processors are busy",
        ),
        (replace(GROUP, automatic=1), None, "1 process by its load, from 0 to 8: not looked at yet"),
        (replace(GROUP, automatic=0), None, "0 processes by its load, from 0 to 8: nobody asks for anything"),
        (
            replace(GROUP, processes_override=2),
            None,
            "2 processes, given by hand; after an apply by its load, from 0 to 8",
        ),
        (replace(GROUP, stopped=True), None, ""),
        (replace(GROUP, target=small_target(name="blog")), None, ""),
    ],
)
def test_what_plan_says(group: GroupState, want: Want | None, said: str) -> None:
    scaler: Any = SimpleNamespace(want=lambda _name: want)
    assert sentence(scaler, group) == said
