"""Requests that wait, look by look: whether for too long, and how many processes they need. Pure.

A queue that stays as long as it is has clients who wait for their answers before they ask again: each of them needs a
thread. One that grows has clients who come whatever waits: it says how many come, but its length only for how long
they have, so what they need is their number and the time that a request takes (Little's law). Either way processes that
are on their way up change nothing about the number, and it can be begun before the first of them is ready.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgigroups.plan.scaling import LoadSeen

QUEUE_LOOKS = 2  # in a row at which requests wait for too long
STEADY = 0.1  # a queue that changes by no more of what is taken, and of its length at first, stays as it is


@dataclass(frozen=True, slots=True)
class QueueMemory:
    """What is remembered of a queue. over: looks in a row at which requests waited for too long, up to QUEUE_LOOKS."""

    over: int = 0
    queued: int = 0  # at the last look
    queued_at_first: int = 0  # when they had waited for too long at QUEUE_LOOKS
    steady: bool = False
    come_per_s: tuple[float, ...] = ()  # at the last QUEUE_LOOKS

    @property
    def too_long(self) -> bool:
        """Whether processes are needed for it."""
        return self.over >= QUEUE_LOOKS


def looked(before: QueueMemory, look: LoadSeen, *, too_long: bool) -> QueueMemory:
    """Return what is remembered after a look. too_long: whether requests wait for too long at this one."""
    over = min(QUEUE_LOOKS, before.over + 1) if too_long else 0
    first = before.queued_at_first if before.too_long else look.queued
    change = look.queued - before.queued
    come_per_s = max(0, look.taken + change) / look.passed_s
    return QueueMemory(
        over,
        look.queued,
        first,
        steady=look.queued <= first * (1 + STEADY) + 1 and abs(change) <= look.taken * STEADY + 1,
        come_per_s=(*before.come_per_s, come_per_s)[-QUEUE_LOOKS:],
    )


def needed(waiting: QueueMemory, look: LoadSeen, target_utilisation: float, takes_s: float) -> int:
    """Return the processes that are needed for it. takes_s: of a thread, by a request; 0: not known."""
    for_each = look.ready + math.ceil(look.queued / look.threads)
    if waiting.steady or takes_s <= 0:
        return for_each
    busy = min(waiting.come_per_s) * takes_s
    return min(for_each, math.ceil(round(busy / (look.threads * target_utilisation), 6)))
