"""Processes that were told to leave at once and may take a request still: whoever waits for a change waits for them.

Pure; called by the core. A process that does not say that it takes none any more is waited for until it has ended, is
killed, or its shutdown-timeout is over. In a window (graceful-timeout, eviction-timeout) it takes requests by intent,
and nobody waits for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgigroups.manager.core.model import GroupState


def may_accept(group: GroupState, now: float) -> bool:
    """Whether a process of the group that is to take no requests may take one."""
    return any(record.accepts_until is not None and now < record.accepts_until for record in group.records)


def next_look(group: GroupState, now: float) -> float | None:
    """When time alone ends that, where nothing limits how long a process may take to leave; on the monotonic clock."""
    times = [r.accepts_until for r in group.records if r.accepts_until is not None and r.deadline is None]
    return min((time for time in times if time > now), default=None)
