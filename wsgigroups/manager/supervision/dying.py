"""Making the record of a death: what the board, the last message, the log and the kernel say of a process that ended.

Runs in the manager's only thread, once for each process, before its descriptors are closed. What is of the tenant is
cleaned and cut here, and decides nothing: neither how much work this is nor how long the record becomes.
"""

from __future__ import annotations

import math
import signal
import time
import traceback
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from wsgigroups.manager.core import deaths, stacks
from wsgigroups.manager.core.deaths import Death, RequestAtDeath
from wsgigroups.manager.supervision import log_tail
from wsgigroups.manager.supervision.log_streams import STREAMS
from wsgigroups.runtime.text import clean
from wsgigroups.runtime.wire import messages
from wsgigroups.runtime.wire.in_flight import MOST, in_flight
from wsgigroups.trust.walking import judging_root

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsgigroups.lifecycle.step import Exit, Record
    from wsgigroups.manager.core.model import GroupState, LastError, State
    from wsgigroups.manager.core.stacks import ThreadStack
    from wsgigroups.manager.supervision.processes import Process
    from wsgigroups.manager.supervision.shell import Outside

_MESSAGE, _ASKED, _OPTION = 500, 200, 60  # characters
_LOG_STACKS = frozenset({"crashed", "startup-timeout", *deaths.JUDGED})  # what has stacks written to the log
_THREAD_NAME = "wsgigroups-request-"
_TESTIMONY = 65536
_MOST_NUMBER = 2**62


@dataclass(frozen=True, slots=True)
class Spent:
    """What a process used in its life, from wait4(2). None: nobody could ask."""

    cpu_s: float | None = None
    rss_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Testimony:
    """What a process was asked to tell when it was judged, and what its board said in that moment."""

    stacks: str
    flight: dict[str, Any]


def testimony_of(process: Process, message: messages.InFlight) -> Testimony:
    """Return what a process tells now."""
    return Testimony(message.stacks[:_TESTIMONY], in_flight(process.board_fd, int(process.info["threads"])))


def record(
    state: State,
    outside: Outside,
    process: Process,
    before: tuple[GroupState, Record] | None,
    status: Exit,
    *,
    out_of_memory: bool,
) -> None:
    """Have the end of a process recorded that has just been handled; state: as it is since, before: as it was.

    Raises nothing: whatever is wrong with what a tenant left behind, its successor starts.
    """
    group = state.groups.get(process.group)
    if not process.pid or (before is None and group is None):
        return
    try:
        if before is None:  # it had ended when this manager found it, and its spawner had, too
            flight = in_flight(process.board_fd, int(process.info["threads"]))
            told = messages.Exited(process.life, process.pid, info=process.info, in_flight=flight)
            outside.died(replace(unmanaged(told, status), rss_bytes=None, cpu_s=None))
            return
        error = group.death_of(before[1]) if group else None
        outside.died(death_of(process, before, error, status, revision=state.revision, out_of_memory=out_of_memory))
    except Exception:  # noqa: BLE001 - a mistake of ours in what is only told must not keep a slot empty
        text = traceback.format_exc()
        outside.log("error", f"[BUG] no record of the death of life {process.life} of {process.group}:\n{text}")


def death_of(
    process: Process,
    before: tuple[GroupState, Record],
    error: LastError | None,
    status: Exit,
    *,
    revision: int,
    out_of_memory: bool,
) -> Death:
    """Return the record of a process that has just ended. before: group and record as they were before that.

    revision: the one in force, for a process of which its own is not known.
    """
    group, record = before
    name = signal_name(status.signal)
    cause, reason = deaths.cause_of(group, record, status, name, error, out_of_memory=out_of_memory)
    testimony = process.testimony if cause in (*deaths.JUDGED, "startup-timeout") else None
    flight = testimony.flight if testimony else in_flight(process.board_fd, int(process.info["threads"]))
    if flight.get("total"):
        cause = deaths.cut_off(cause)
    # the last lines of one that left as it was told to say nothing, and of many that do so at once are much to read
    said = "" if cause in deaths.ASKED - {"cut-off"} else _said(process, group.target.log_path)
    lines = log_tail.of_life(said, process.life)
    threads = stacks.read("\n".join(lines)) if cause in _LOG_STACKS else []
    if testimony and testimony.stacks:
        threads = stacks.read(testimony.stacks) or threads
    requests, stack = _located(requests_of(flight), threads, crashed=cause == "crashed")
    spent = process.spent
    now = time.monotonic()
    return Death(
        at=time.time(),
        group=record.group,
        slot=record.slot,
        life=record.life,
        pid=process.pid or None,
        cause=cause,
        reason=clean(reason)[:_OPTION],
        message=clean(error.message if error else str(status))[:_MESSAGE],
        step=clean(error.step)[:_OPTION] if error else "",
        exit_code=status.exit_code if status.exit_code >= 0 else None,
        signal=name,
        up_s=round(max(0.0, now - record.spawned_at), 1) if record.spawned_at is not None else None,
        requests=requests,
        requests_total=_number(flight.get("total")),
        stack=stack,
        rss_bytes=spent.rss_bytes,
        cpu_s=spent.cpu_s,
        revision=_revision(process.info, revision),
        log=log_tail.shown(stacks.without_stacks(lines) if cause in _LOG_STACKS else lines),
    )


def unmanaged(exited: messages.Exited, status: Exit) -> Death:
    """Return the record of a process that ended while there was no manager, as its spawner tells of it."""
    name = signal_name(status.signal)
    spent = spent_by(exited)
    at = exited.ended_at if 0 < exited.ended_at <= time.time() else time.time()
    return Death(
        at=at,
        group=clean(str(exited.info.get("group", "?")))[:_OPTION],
        slot=_number(exited.info.get("slot")),
        life=exited.life,
        pid=exited.pid or None,
        cause=deaths.unmanaged_cause(status, name),
        message=f"ended while nobody managed it: {status}",
        exit_code=status.exit_code if status.exit_code >= 0 else None,
        signal=name,
        up_s=_up_s(exited.info.get("started_at"), at),
        managed=False,
        requests=tuple(request for request, _ident in requests_of(exited.in_flight)),
        requests_total=_number(exited.in_flight.get("total")),
        rss_bytes=spent.rss_bytes,
        cpu_s=spent.cpu_s,
        revision=_revision(exited.info, None),
    )


def spent_by(exited: messages.Exited) -> Spent:
    """Return what a spawner says that a process used; a user's spawner may say anything."""
    cpu_s = exited.user_s + exited.system_s
    if not math.isfinite(cpu_s) or not 0 <= cpu_s < _MOST_NUMBER:
        return Spent()
    return Spent(round(cpu_s, 2), min(max(0, exited.maximum_rss_bytes), _MOST_NUMBER))


def signal_name(number: int) -> str:
    """Return SIGSEGV for 11, "" for 0."""
    if number <= 0:
        return ""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"  # of the real-time signals only the first and the last have names


def _said(process: Process, path: str) -> str:
    if process.log_said is not None:
        return process.log_said()
    return "" if path in STREAMS else log_tail.read_end(path, judging_root(), process.log_begin)


def requests_of(flight: dict[str, Any], most: int = MOST) -> list[tuple[RequestAtDeath, int]]:
    """Read what wire.in_flight said, here or in a spawner, with the ident of each thread."""
    found = []
    items = flight.get("requests")
    for item in items[:most] if isinstance(items, list) else ():
        try:
            age_s = float(item["age_s"])
            asked = clean(str(item["asked"]))[:_ASKED]
            thread, ident = int(item["thread"]), int(item["ident"])
            stack = stacks.fold(_where(item.get("where")))
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        if math.isfinite(age_s):
            request = RequestAtDeath(asked, round(max(0.0, age_s), 1), thread, stack)
            found.append((request, ident))
    return found


def _where(noted: Any) -> list[tuple[str, int, str]]:
    """Read a place that was noted: a stack of one call, or of none. Raises TypeError, ValueError."""
    if not noted:
        return []
    file, line, function = noted
    return [(str(file), int(line), str(function))]


def _located(
    requests: Sequence[tuple[RequestAtDeath, int]], threads: Sequence[ThreadStack], *, crashed: bool
) -> tuple[tuple[RequestAtDeath, ...], tuple[stacks.Frame, ...]]:
    """Give each request the stack of its thread; the request that a fault came up in is the first.

    Returns the stack, too, of the thread that crashed, or of the main thread where no request was under way.
    """
    by_ident = {thread.ident: thread for thread in threads if thread.ident}
    by_name = {thread.name: thread for thread in threads}
    current = next((thread for thread in threads if thread.current), None) if crashed else None
    first: list[RequestAtDeath] = []
    others: list[RequestAtDeath] = []
    for request, ident in requests:
        thread = by_name.get(f"{_THREAD_NAME}{request.thread}") or by_ident.get(ident)
        place = first if thread is not None and thread is current else others
        place.append(replace(request, stack=stacks.fold(thread.frames)) if thread else request)
    main = current or (None if requests else by_name.get("MainThread"))
    return (*first, *others), stacks.fold(main.frames) if main else ()


def _revision(info: dict[str, Any], otherwise: int | None) -> int | None:
    revision = info.get("revision", otherwise)
    return revision if isinstance(revision, int) else otherwise


def _number(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < _MOST_NUMBER else 0


def _up_s(started_at: Any, ended_at: float) -> float | None:
    """By the wall clock, since nothing else is known: whoever set it meanwhile spoils it."""
    try:
        began = datetime.fromisoformat(str(started_at).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None
    return round(ended_at - began, 1) if began <= ended_at else None
