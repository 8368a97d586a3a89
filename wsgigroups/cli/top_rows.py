"""What `top` shows, from two looks at the status: rows of groups, of processes, and of what their threads do. Pure.

What a tenant wrote is clean when it leaves here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsgigroups.cli.amounts import NOTHING, duration, latency, memory, rate
from wsgigroups.cli.signs import sign
from wsgigroups.cli.status_table import held_by
from wsgigroups.gateway.shown_addresses import addresses
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wsgigroups.client.answers import (
        BusyThreadAnswer,
        GroupAnswer,
        GroupDetailsAnswer,
        ProcessAnswer,
        StatusAnswer,
        ThreadsAnswer,
    )

_WORST_FIRST = ("failed", "degraded", "starting", "stopped", "asleep", "ready")


@dataclass(frozen=True, slots=True)
class SeenStatus:
    """The status at a time on the monotonic clock, in seconds."""

    at: float
    status: StatusAnswer


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group. cpu_percent: of one processor; None: not known yet, as per_s."""

    name: str
    state: str
    ready: int
    wanted: int
    restarts: int
    busy: int
    places: int
    queued: int
    per_s: float | None
    p99_s: float | None
    cpu_percent: float | None
    held_bytes: int
    address: str

    def cells(self) -> tuple[str, ...]:
        """As COLUMNS has it."""
        return (
            f"{sign(self.state)} {clean(self.name)}",
            f"{self.ready}/{self.wanted}",
            self.state,
            str(self.restarts),
            f"{self.busy}/{self.places}",
            str(self.queued),
            rate(self.per_s) if self.ready else NOTHING,
            latency(self.p99_s) if self.ready else NOTHING,
            percent(self.cpu_percent),
            memory(self.held_bytes),
            clean(self.address),
        )


@dataclass(frozen=True, slots=True)
class Order:
    """A way to sort groups. The greatest come first where that is what one looks for."""

    name: str
    key: Callable[[GroupRow], object]
    greatest_first: bool = True


COLUMNS = ("GROUP", "READY", "STATE", "RESTARTS", "BUSY", "QUEUED", "REQ/S", "P99", "CPU", "MEM", "ADDRESS")
ORDERS = (
    Order("GROUP", lambda row: row.name, greatest_first=False),
    Order("STATE", lambda row: _WORST_FIRST.index(row.state), greatest_first=False),
    Order("RESTARTS", lambda row: row.restarts),
    Order("BUSY", lambda row: row.busy / row.places if row.places else 0.0),
    Order("QUEUED", lambda row: row.queued),
    Order("REQ/S", lambda row: row.per_s or 0.0),
    Order("P99", lambda row: row.p99_s or 0.0),
    Order("CPU", lambda row: row.cpu_percent or 0.0),
    Order("MEM", lambda row: row.held_bytes),
)


def group_rows(look: SeenStatus, before: SeenStatus | None, order: Order, *, reverse: bool = False) -> list[GroupRow]:
    """Return the groups in an order; those that are equal by name."""
    spent = _spent(look, before)
    rows = [_row(group, look.status, spent) for group in look.status["groups"]]
    rows.sort(key=lambda row: row.name)
    rows.sort(key=order.key, reverse=order.greatest_first != reverse)  # type: ignore[arg-type]
    return rows


def headline(look: SeenStatus) -> str:
    """Return a line about all of it."""
    status, manager = look.status, look.status["manager"]
    groups = status["groups"]
    states = [group["state"] for group in groups]
    counted = [f"{states.count(state)} {state}" for state in _WORST_FIRST if state in states]
    rates = [group.get("requests_per_s") or 0.0 for group in groups if not group["name"].startswith("@")]
    return (
        f"{len(groups)} groups: {', '.join(counted) or 'none'} · {rate(sum(rates))} req/s · "
        f"revision {status['revision']} · manager {manager['pid']}, up {duration(manager['uptime_s'])}"
    )


DOING = ("PROCESS", "STATE", "FOR", "BUSY", "CPU", "MEM", "DOES")


def doing(
    name: str, look: SeenStatus, before: SeenStatus | None, details: GroupDetailsAnswer | None
) -> list[tuple[str, ...]]:
    """Return the processes of a group, and below each what its busy threads do: the longest first. As DOING has it.

    details: None where they are not known; FOR: how long a process is there, how long a request is under way.
    """
    group = next((group for group in look.status["groups"] if group["name"] == name), None)
    if group is None:
        return []
    spent = _spent(look, before)
    busy = {process["life"]: process for process in details["processes"]} if details else {}
    rows: list[tuple[str, ...]] = []
    for process in group["processes"]:
        rows.append(_process(group, process, spent.get(process["life"])))
        rows += _threads(busy.get(process["life"]))
    return rows


def percent(value: float | None) -> str:
    """At most five characters."""
    return NOTHING if value is None else f"{value:.0f}%"


def _row(group: GroupAnswer, status: StatusAnswer, spent: dict[int, float]) -> GroupRow:
    processes = group["processes"]
    known = [spent[process["life"]] for process in processes if process["life"] in spent]
    return GroupRow(
        name=group["name"],
        state=group["state"],
        ready=group["processes_ready"],
        wanted=group["processes_wanted"],
        restarts=group["restarts"],
        busy=group["requests_active"],
        places=group["processes_ready"] * group["threads"],
        queued=group["requests_queued"],
        per_s=group.get("requests_per_s"),
        p99_s=group.get("application_p99_s"),
        cpu_percent=sum(known) if known else None,
        held_bytes=held_by(group),
        address=" ".join(addresses(group, status.get("gateway"))),
    )


def _process(group: GroupAnswer, process: ProcessAnswer, cpu_percent: float | None) -> tuple[str, ...]:
    does = f"pid {process['pid']}, life {process['life']}" if process["pid"] else f"life {process['life']}"
    if process["retry_in_s"] is not None:
        does += f", next try in {duration(process['retry_in_s'])}"
    if process["last_exit"]:
        does += f"; before it: {process['last_exit']}"
    up = process["pid"] is not None
    return (
        f"{sign(process['state'])} {clean(group['name'])}/{process['slot']}",
        process["state"],
        duration(process["uptime_s"]) if up else NOTHING,
        f"{process['requests_active']}/{group['threads']}" if up else NOTHING,
        percent(cpu_percent),
        memory(process["pss_bytes"] or process["rss_bytes"]),
        clean(does),
    )


def _threads(process: ThreadsAnswer | None) -> Iterator[tuple[str, ...]]:
    for thread in process["busy"] if process else ():
        yield f"    thread {thread['thread']}", "busy", duration(thread["age_s"]), "", "", "", _does(thread)


def _does(thread: BusyThreadAnswer) -> str:
    frame = thread["frame"]
    asked = thread["asked"] or "a request"
    return clean(f"{asked}   {frame['place']} in {frame['function']}" if frame else asked)


def _spent(look: SeenStatus, before: SeenStatus | None) -> dict[int, float]:
    """Per cent of a processor that each life took between the looks, of those that were there at both."""
    if before is None or look.at <= before.at:
        return {}
    former = {process["life"]: process["cpu_s"] for process in _processes(before)}
    passed_s = look.at - before.at
    return {
        process["life"]: max(0.0, process["cpu_s"] - former[process["life"]]) / passed_s * 100
        for process in _processes(look)
        if process["life"] in former
    }


def _processes(look: SeenStatus) -> Sequence[ProcessAnswer]:
    return [process for group in look.status["groups"] for process in group["processes"]]
