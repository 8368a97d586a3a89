"""Groups that nobody asks for anything: until when a look comes to the same, and what the next one begins with. Pure.

Two hundred sites are mostly silent. A look at one of those is left out while its boards say what they said, and what is
remembered afterwards is what it would have been with those looks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wsgigroups.plan.scaling import LOOK_S, lately, recent_with

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsgigroups.plan.scaling import LoadSeen, Memory, ScalingTarget, Want

REST_S = 2.0  # at most: by so much later a process goes that nobody needs
LITTLE = 0.1  # of a processor for each process: nobody comes because of what computes beside requests


def rests_until(memory: Memory, limits: ScalingTarget, look: LoadSeen, want: Want, now: float) -> float:
    """Return until when nothing but another word on a board can change what a look comes to; `now` for at no time.

    memory, want: after this look.
    """
    found = lately(memory)
    settled = look.wanted == look.ready == want.processes and not (look.starting or look.leaving or look.rolling)
    silent = not (found.taken or found.busy or look.queued or want.held) and found.used <= LITTLE * look.ready
    if not (settled and silent and memory.waiting.over == 0 and memory.active_at is not None):
        return now
    until = now + REST_S
    return min(until, memory.active_at + limits.sleep_after_s - LOOK_S) if limits.sleeps else until


def rested(memory: Memory, passed_s: Iterable[float]) -> Memory:
    """Return what is remembered after looks that were left out. passed_s: between each of them and the one before."""
    for seconds in passed_s:
        memory = replace(memory, recent=recent_with(memory.recent, seconds))
    return memory
