"""Until when a look at a group comes to the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from wsgigroups.plan.scaling import LOOK_S, LoadSeen, Memory, ScalingTarget, Want
from wsgigroups.plan.scaling_queue import QueueMemory
from wsgigroups.plan.scaling_rest import REST_S, rests_until

NOW = 100.0
SILENT = ((1.0, 0.0, 0.0, 0), (1.0, 0.0, 0.1, 0))
LIMITS = ScalingTarget(0, 8, sleep_after_s=60.0)


@pytest.mark.parametrize(
    ("memory", "look", "want", "rests_s"),
    [
        ({}, {}, {}, REST_S),
        ({"recent": SILENT[1:]}, {}, {}, 0.0),  # little is known yet
        ({"recent": ((1.0, 0.1, 0.0, 0), *SILENT)}, {}, {}, 0.0),  # somebody was answered lately
        ({"recent": ((1.0, 0.0, 0.0, 1), *SILENT)}, {}, {}, 0.0),
        ({"recent": ((1.0, 0.0, 0.7, 0), *SILENT)}, {}, {}, 0.0),  # it computes
        ({"waiting": QueueMemory(over=1)}, {}, {}, 0.0),
        ({}, {"queued": 1}, {}, 0.0),
        ({}, {"starting": 1}, {}, 0.0),
        ({}, {"leaving": 1}, {}, 0.0),
        ({}, {"rolling": True}, {}, 0.0),
        ({}, {"ready": 1}, {}, 0.0),
        ({}, {}, {"processes": 1}, 0.0),
        ({}, {}, {"held": "no memory"}, 0.0),
        ({"active_at": NOW - 59.0}, {}, {}, 1.0 - LOOK_S),  # it is about to fall asleep
    ],
)
def test_until_when_it_rests(
    memory: dict[str, Any], look: dict[str, Any], want: dict[str, Any], rests_s: float
) -> None:
    remembered = replace(Memory(0.0, SILENT, active_at=NOW - 10.0), **memory)
    seen = replace(LoadSeen(2, 2, 4, LOOK_S), **look)
    until = rests_until(remembered, LIMITS, seen, replace(Want(2, ""), **want), NOW)
    assert until == NOW + rests_s
