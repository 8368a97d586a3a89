"""From internal states to the few words people read. Pure; total by construction and by test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.lifecycle.table import Tenancy

if TYPE_CHECKING:
    from collections.abc import Iterable

PROCESS_STATE: dict[Tenancy, str | None] = {
    Tenancy.ABSENT: None,
    Tenancy.SPAWNING: "starting",
    Tenancy.STARTING: "starting",
    Tenancy.READY: "ready",
    Tenancy.DRAINING: "draining",
    Tenancy.KILLING: "stopping",
    Tenancy.ABORTING: "stopping",
    Tenancy.COOLING: "backoff",
    Tenancy.FAILED: "failed",
}


def group_state(states: Iterable[Tenancy], wanted: int, *, stopped: bool, asleep: bool = False) -> str:
    """ready, degraded, starting, failed, asleep or stopped, from the states of a group's records and its number."""
    present = list(states)
    ready = sum(state is Tenancy.READY for state in present)
    if stopped or wanted == 0:
        return "asleep" if asleep else "stopped"
    if ready >= wanted:
        return "ready"
    if ready:
        return "degraded"
    if any(state in (Tenancy.COOLING, Tenancy.FAILED) for state in present):
        return "failed"
    return "starting"
