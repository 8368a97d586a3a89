"""What a manager makes of a process that a former one has left running. Pure; called by recovery."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.lifecycle.step import EXIT_S
from wsgigroups.lifecycle.table import Tenancy

if TYPE_CHECKING:
    from wsgigroups.plan.desired import GroupTarget


def deadline(tenancy: Tenancy, target: GroupTarget, now: float) -> float | None:
    """Return when a process that was found starting, ready or draining has to be done, on the monotonic clock.

    When it was begun is not known, so that it has all its time again; without a limit it has no deadline.
    """
    spec = target.spec
    if tenancy is Tenancy.STARTING and target.startup_timeout_s:
        return now + target.startup_timeout_s
    if tenancy is Tenancy.DRAINING and spec.shutdown_timeout_s:
        return now + max(spec.eviction_timeout_s, spec.graceful_timeout_s) + spec.shutdown_timeout_s + EXIT_S
    return None
