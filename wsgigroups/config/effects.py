"""What a change of an option costs. Pure."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Effect(str, Enum):
    """The cost of changing an option, cheapest last."""

    REPLACE = "replace"  # new processes, rolling, successor first
    REBIND = "rebind"  # the listener is bound or tuned anew
    LIVE = "live"  # pushed to running processes or enforced by the manager; no process is touched
    NONE = "none"  # nothing that runs depends on it


class When(str, Enum):
    """Changes of an option that cost something else than its other changes."""

    RAISED = "raised"  # a limit: to more, or to none
    WRITTEN = "written or left out"  # not by its value, but by standing there at all


def effect_text(effect: Effect, otherwise: Mapping[When, Effect]) -> str:
    """Both in one clause: `live`, or `live when lowered, replace when raised`."""
    lowered = " when lowered" if When.RAISED in otherwise else ""
    return ", ".join(
        [f"{effect.value}{lowered}", *(f"{other.value} when {when.value}" for when, other in otherwise.items())]
    )
