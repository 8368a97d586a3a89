"""Why a life ended that nobody asked to end, in the words that status, why and the log use.

Pure; called by the core.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config.units import format_bytes
from wsgigroups.manager.core.model import GroupState, LastError
from wsgigroups.replacing import replace

if TYPE_CHECKING:
    from wsgigroups.lifecycle.step import Record
    from wsgigroups.manager.core.model import LifeExited, LifeFailed, LifeOverdue, LifeStalled

STARVED_STARTS = 3  # so many in a row are no accident: the limit is too small for the application
_MEMORY_OPTIONS = ("memory-limit", "virtual-memory-limit")


def did_not_start(group: GroupState, record: Record, event: LifeFailed) -> GroupState:
    """Return the group with a start failure on record; the third in a row for want of memory names its limit."""
    message = event.message
    starved = group.starved.get(record.slot, 0) + 1 if event.reason == "memory-limit" else 0
    if starved >= STARVED_STARTS:
        message = f"{_limits(group)} is too small: {starved} starts in a row ran out of memory; {message}"
    error = LastError(record.slot, record.life, message, event.traceback, event.step)
    return replace(group.blamed(error), starved={**group.starved, record.slot: starved})


def judged(record: Record, event: LifeStalled | LifeOverdue) -> LastError:
    """Return the record of a verdict; what the process had under way is filled in when it has told."""
    return LastError(record.slot, record.life, f"{event.reason}: {event.detail}")


def out_of_memory(group: GroupState, event: LifeExited) -> str:
    """Return what to add to how a life ended, where the kernel killed in its cgroup for want of memory."""
    if not event.out_of_memory:
        return ""
    limit = group.target.cgroup.memory_max_bytes
    what = f"memory-max {format_bytes(limit)} was reached" if limit else "the machine had no memory left"
    return f": out of memory, {what}"


def too_large_at_start(group: GroupState, record: Record, start_bytes: int) -> LastError:
    """Return why a process is replaced that was above memory-soft-limit before it had a request."""
    limit = group.target.rules.memory_soft_limit_bytes
    size = f"{start_bytes / 2**20:.0f}M"
    message = (
        f"memory-soft-limit {format_bytes(limit)} is below the start size, {size}: a fresh process exceeds it, too"
    )
    return LastError(record.slot, record.life, message)


def _limits(group: GroupState) -> str:
    found = {option: group.target.options.get(option, "0") for option in _MEMORY_OPTIONS}
    named = [
        f"{option} {format_bytes(int(value))}" for option, value in found.items() if value.isdigit() and int(value)
    ]
    return " or ".join(named) or "memory-limit"
