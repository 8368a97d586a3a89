"""What a change of an option costs. Pure."""

from __future__ import annotations

from enum import Enum


class Effect(str, Enum):
    """The cost of changing an option, cheapest last."""

    REPLACE = "replace"  # new processes, rolling, successor first
    REBIND = "rebind"  # the listener is bound or tuned anew
    LIVE = "live"  # pushed to running processes or enforced by the manager; no process is touched
    NONE = "none"  # nothing that runs depends on it
