"""From internal states to the few words people read. Pure; total by construction and by test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.lifecycle.table import State

if TYPE_CHECKING:
    from collections.abc import Iterable

PROCESS_STATE: dict[State, str | None] = {
    State.ABSENT: None,
    State.SPAWNING: "starting",
    State.STARTING: "starting",
    State.READY: "ready",
    State.DRAINING: "draining",
    State.KILLING: "stopping",
    State.ABORTING: "stopping",
    State.COOLING: "backoff",
    State.FAILED: "failed",
}


def group_state(states: Iterable[State], wanted: int, *, stopped: bool) -> str:
    """ready, degraded, starting, failed or stopped, from the states of a group's records and its wanted number."""
    present = list(states)
    ready = sum(state is State.READY for state in present)
    if stopped or wanted == 0:
        return "stopped"
    if ready >= wanted:
        return "ready"
    if ready:
        return "degraded"
    if any(state in (State.COOLING, State.FAILED) for state in present):
        return "failed"
    return "starting"
