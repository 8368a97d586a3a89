"""Groups that nobody asks for anything: until when a look comes to the same. Pure.

Two hundred sites are mostly silent. A look at one of those is left out while its boards say what they said: those
that are remembered were as silent as it would be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.plan.scaling import LATELY_S, LOOK_S, lately

if TYPE_CHECKING:
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
    if sum(item[0] for item in memory.recent) < LATELY_S:
        return now
    until = now + REST_S
    return min(until, memory.active_at + limits.sleep_after_s - LOOK_S) if limits.sleeps else until
