"""What a change of the configuration means for the manager itself. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wsgigroups.plan.planner import Plan, Reason, Step, StepKind

if TYPE_CHECKING:
    from collections.abc import Mapping

MANAGER = "@manager"  # as the group of its step; no group of a file can have that name
_WHY = {"drain-delay": "the manager waits for so long when it is to end"}


def with_manager(found: Plan, now: Mapping[str, str], wanted: Mapping[str, str]) -> Plan:
    """Return a plan with a step for the manager's own options, where they differ. now, wanted: values by option."""
    reasons = tuple(
        Reason(option, now.get(option), wanted.get(option), "live", _WHY.get(option, "the manager listens there"))
        for option in sorted({*now, *wanted})
        if now.get(option) != wanted.get(option)
    )
    if not reasons:
        return found
    return replace(found, steps=(*found.steps, Step(MANAGER, StepKind.LIVE, reasons)))
