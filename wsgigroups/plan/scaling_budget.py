"""What all groups that follow their load share: memory and a number of processes. Longest wait first. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.plan.scaling import Want

GROWTH = 1.2  # how much larger than the largest a new process may become
PRESSED = 10.0  # per cent of the last ten seconds in which somebody waited for memory: none is left to give


@dataclass(frozen=True, slots=True)
class Shared:
    """What there is. processes_left: None where nothing bounds them; memory_left_bytes: without the reserve, or None.

    pressure: `some avg10` of the kernel's memory pressure, per cent.
    """

    processes_left: int | None = None
    memory_left_bytes: int | None = None
    pressure: float = 0.0


@dataclass(frozen=True, slots=True)
class Ask:
    """One group: how many it is to have now, how many it wants, what one takes; those that start have not taken it."""

    wanted: int
    want: Want
    process_bytes: int = 0
    starting: int = 0
    room_bytes: int | None = None  # up to the limit of the group's own cgroup


def share(asks: Mapping[str, Ask], shared: Shared) -> dict[str, Want]:
    """Return what each group gets. The same asks in any order give the same; nobody gets less than it is to have."""
    left, processes = shared.memory_left_bytes, shared.processes_left
    if left is not None:
        left -= sum(_takes(ask) * ask.starting for ask in asks.values())
    if processes is not None:  # what others give back is there when they have
        processes = max(0, processes)
    given = {}
    for name in sorted(asks, key=lambda name: (-asks[name].want.wait_s, name)):
        ask = asks[name]
        more = ask.want.processes - ask.wanted
        if more <= 0:
            given[name] = ask.want
            continue
        got, held = _granted(ask, more, left, processes, shared.pressure)
        if left is not None:
            left -= got * _takes(ask)
        if processes is not None:
            processes -= got
        given[name] = replace(ask.want, processes=ask.wanted + got, held=held or ask.want.held)
    return given


def growing(size: int) -> int:
    """Bytes that are kept for one process more, where the largest has this size."""
    return int(size * GROWTH)


def _granted(ask: Ask, more: int, left: int | None, processes: int | None, pressure: float) -> tuple[int, str]:
    """How many of these may start, and why not all."""
    got, held = more, ""
    if pressure >= PRESSED:
        return 0, f"memory is short: {pressure:.0f} % of the last ten seconds somebody waited for some"
    takes = _takes(ask)
    if left is not None and takes and left // takes < got:
        got, held = max(0, left // takes), "no memory for more beside memory-reserve"
    room = None if ask.room_bytes is None else ask.room_bytes - takes * ask.starting
    if room is not None and takes and room // takes < got:
        got, held = max(0, room // takes), "no memory for more below memory-max"
    if processes is not None and processes < got:
        got, held = processes, "processes-max of [server]"
    return got, held


def _takes(ask: Ask) -> int:
    return growing(ask.process_bytes)
