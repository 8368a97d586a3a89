"""What a drill does to a group while it is under load, step by step, and what came of it.

Runs in the command's process. Nothing is done that the commands of the same name do not do, but for the crash and the
death of the manager: SIGKILL, by a descriptor of the process, so that it cannot meet another.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from wsgigroups.cli.drill_load import Load, Phase
from wsgigroups.config.addresses import parse
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wsgigroups.client import Client
    from wsgigroups.client.answers import GroupAnswer

LATE_FACTOR = 3.0  # later than this many times the quiet 99th percentile …
LATE_S = 0.25  # … and than this, is late
COUNTED = ("sent", "answered", "lost", "late", "repeated", "closed")
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Drill:
    """What to do. restart_manager: kills it and has another one running; None: it is left alone."""

    group: str
    restarts: int
    requests: int
    clients: int
    path: str
    host: str
    late_s: float
    timeout_s: float
    restart_manager: Callable[[], None] | None
    scale: tuple[int, ...] = ()  # numbers of processes, one after the other between the restarts, and back

    def steps(self) -> list[str]:
        """What will be done, a sentence each."""
        texts = [f"ask for {self.path} with {self.clients} clients, at least {self.requests} times"]
        if self.restarts:
            texts.append(f"restart {self.group} {self.restarts} times, process by process")
        if self.scale:
            numbers = ", then ".join(map(str, self.scale))
            texts.append(f"scale {self.group} to {numbers} processes between them, and back")
        texts += [f"end one process of {self.group} with SIGKILL", f"recycle {self.group} with the graceful signal"]
        if self.restart_manager:
            texts.append("end the manager with SIGKILL and have another one take over")
        return texts


def run(client: Client, drill: Drill, note: Callable[[str], None]) -> dict[str, Any]:
    """Do it; return the document. Raises WsgigroupsError when the group is not there or not ready, or stays away."""
    group = ready_group(client, drill.group)
    steps = list(_steps(client, drill, int(group["processes_wanted"])))
    share = max(1, drill.requests // (len(steps) + 1))
    load = Load(parse(group["listen"][0]), drill.path, drill.host, drill.clients)
    _refuse_unanswered(load, drill, group)
    load.phase("quiet")
    with load:
        _until(lambda: load.sent >= share, drill.timeout_s, "the group answers too slowly")
        for name, repeats, act in steps:
            note(name)
            phase = load.phase(name, repeats=repeats)
            act()
            _settle(client, drill)
            _until(partial(_has_sent, phase, share), drill.timeout_s, "the group answers too slowly")
    return document(drill, group["listen"][0], load)


def _has_sent(phase: Phase, requests: int) -> bool:
    return phase.sent >= requests


def ready_group(client: Client, name: str) -> GroupAnswer:
    """The group as the status has it. Raises WsgigroupsError: not there (4), not ready (3), without address (1)."""
    groups = {group["name"]: group for group in client.status()["groups"]}
    if name not in groups:
        raise WsgigroupsError(
            f"cannot find group {name!r}",
            hint=f"groups here: {', '.join(groups) or 'none'}",
            exit_code=ExitCode.NO_SUCH_GROUP,
        )
    group: GroupAnswer = groups[name]
    if group["state"] != "ready":
        raise WsgigroupsError(
            f"cannot drill {name!r}: it is {group['state']}, not ready",
            hint=f"`wsgigroups status {name}` shows why; a drill of what fails already proves nothing",
            exit_code=ExitCode.NOT_RUNNING,
        )
    if not group["listen"]:
        raise WsgigroupsError(f"cannot drill {name!r}: it has no address of its own", hint="give it listen = […]")
    return group


def _steps(client: Client, drill: Drill, processes: int) -> Iterator[tuple[str, bool, Callable[[], None]]]:
    scales = [*drill.scale, processes] if drill.scale else []
    done = 0
    for number in range(1, drill.restarts + 1):
        yield f"restart {number}", False, lambda: _change(client, "restart", drill)
        while done < len(scales) and number * (len(scales) + 1) >= drill.restarts * (done + 1):
            yield _scaled(client, drill, scales[done])
            done += 1
    for wanted in scales[done:]:
        yield _scaled(client, drill, wanted)
    yield "crash", True, lambda: _crash(client, drill)
    yield "recycle", False, lambda: _change(client, "reload", drill)
    if drill.restart_manager:
        yield "manager", False, drill.restart_manager


def _refuse_unanswered(load: Load, drill: Drill, group: GroupAnswer) -> None:
    why = load.ask_once()
    if why:
        raise WsgigroupsError(
            f"cannot drill {drill.group!r}: {group['listen'][0]} does not answer GET {drill.path}: {why}",
            hint="a UNIX socket is its owner's; --path names another URL path",
        )


def _scaled(client: Client, drill: Drill, processes: int) -> tuple[str, bool, Callable[[], None]]:
    body = {"processes": {drill.group: processes}}
    return f"scale {processes}", False, lambda: _change(client, "scale", drill, body)


def _change(client: Client, action: str, drill: Drill, body: dict[str, Any] | None = None) -> None:
    number = client.act(action, body or {"groups": [drill.group]})["change"]
    if number is None:
        return  # there was nothing to do
    until = time.monotonic() + drill.timeout_s
    change = client.wait(number)
    while not change["finished"]:
        if time.monotonic() > until:
            raise _late(f"change {number} ({action}) is not complete")
        change = client.wait(number, change["seen"])
    if change["outcome"] != "done":
        raise WsgigroupsError(
            f"cannot go on with the drill: change {number} ({action}) is {change['outcome']}",
            hint=f"`wsgigroups why {drill.group}/1`",
        )


def _crash(client: Client, drill: Drill) -> None:
    """SIGKILL to one process, once it is certain that the descriptor is of it."""
    for process in ready_group(client, drill.group)["processes"]:
        if process["pid"] is None:
            continue  # a slot that waits for its next life
        try:
            pidfd = os.pidfd_open(process["pid"])
        except ProcessLookupError:
            continue
        try:
            now = {(p["life"], p["pid"]) for p in ready_group(client, drill.group)["processes"]}
            if process["state"] == "ready" and (process["life"], process["pid"]) in now:
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                return
        except PermissionError:
            raise WsgigroupsError(
                f"cannot end process {process['pid']}: permission denied",
                hint="run the drill as root or as the user of the group",
                exit_code=ExitCode.NOT_PERMITTED,
            ) from None
        finally:
            os.close(pidfd)
    raise WsgigroupsError(f"cannot find a process of {drill.group!r} to end")


def _settle(client: Client, drill: Drill) -> None:
    """Wait until the group is ready again and nobody of before drains any more."""

    def settled() -> bool:
        with contextlib.suppress(WsgigroupsError):  # the manager is being replaced
            (group,) = (group for group in client.status()["groups"] if group["name"] == drill.group)
            states = [process["state"] for process in group["processes"]]
            return group["state"] == "ready" and states == ["ready"] * group["processes_wanted"]
        return False

    _until(settled, drill.timeout_s, f"{drill.group} is not ready again")


def _until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            raise _late(what)
        time.sleep(_LOOK_S)


def _late(what: str) -> WsgigroupsError:
    return WsgigroupsError(f"cannot go on with the drill: {what}", exit_code=ExitCode.TIMED_OUT)


def document(drill: Drill, address: str, load: Load) -> dict[str, Any]:
    """What came of it, as JSON has it. Times in seconds."""
    limit_s = max(LATE_FACTOR * load.phases[0].quantile(0.99), drill.late_s)
    phases = [_phase(phase, limit_s) for phase in load.phases]
    sums = {key: sum(phase[key] for phase in phases) for key in COUNTED}
    return {
        "schema_version": 1,
        "group": drill.group,
        "address": address,
        **sums,
        "late_after_s": round(limit_s, 6),
        "phases": phases,
        "losses": list(load.losses),
    }


def _phase(phase: Phase, limit_s: float) -> dict[str, Any]:
    return {
        "name": phase.name,
        "sent": phase.sent,
        "answered": phase.answered,
        "lost": phase.lost,
        "late": sum(took_s > limit_s for took_s in phase.times),
        "repeated": phase.repeated,
        "closed": phase.closed,
        "p50_s": round(phase.quantile(0.5), 6),
        "p99_s": round(phase.quantile(0.99), 6),
    }
