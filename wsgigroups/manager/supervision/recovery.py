"""Finding what a former manager left running: spawners, listeners, daemons; and what it stored about them.

Runs in the manager's only thread, once, before anything is served. Start and recovery are one path: with nothing to
find the state is empty. Replaces nothing that is current, and ends nothing that runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from wsgigroups.errors import WsgigroupsError
from wsgigroups.lifecycle.step import EXIT_S, Exit, Record, Timings
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import adopting, model
from wsgigroups.manager.core.happenings import Happening, Kind
from wsgigroups.manager.core.totals import added, counters, of_end
from wsgigroups.manager.store import LIFE_STEP, Stored
from wsgigroups.manager.supervision import closing, dying, hung, kept_changes
from wsgigroups.manager.supervision.cgroups.strays import look_at
from wsgigroups.manager.supervision.processes import Process, moment
from wsgigroups.manager.supervision.remembering import group_from_json
from wsgigroups.manager.supervision.shell import CountedExit
from wsgigroups.manager.supervision.spawners import HELLO_TIMEOUT_S, uid_of_socket
from wsgigroups.manager.supervision.unknown import unknown_groups
from wsgigroups.manager.supervision.user_spawners import parent_of
from wsgigroups.plan.desired import ListenerTarget
from wsgigroups.runtime.wire import board, messages

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from wsgigroups.manager.supervision.connected_spawners import ConnectedSpawner, Inventory
    from wsgigroups.manager.supervision.shell import Shell


LOST_WINDOW_S = 120.0  # for daemons to leave by themselves of whose windows nothing is stored


def to_stored(shell: Shell, state: model.State | None = None) -> Stored:
    """What the store keeps of the state, or of one to come; lives up to the next step are considered used."""
    state, texts = state or shell.state, shell.texts
    groups: dict[str, Any] = dict(shell.unadopted)
    run_dir = str(shell.outside.run_dir)
    counted: dict[str, list[int]] = {}
    for life, exited in shell.unacknowledged.items():
        counted.setdefault(exited.group, []).append(life)
    for name, group in state.groups.items():
        if not group.removing and not group.bare:
            groups[name] = texts.group(name, group, run_dir, counted.get(name, ()))
    texts.forget_others(state.groups.keys())
    ceiling = (state.next_life // LIFE_STEP + 1) * LIFE_STEP
    return Stored(state.revision, ceiling, groups, next_change=state.next_change, transaction=texts.transaction(state))


def is_in_force(item: dict[str, Any], run_dir: Path) -> bool:
    """Whether an entry of the stored state is of what runs in this run directory."""
    return bool(item.get("in_force", True)) and item.get("run_dir", str(run_dir)) == str(run_dir)


async def recover(shell: Shell, stored: Stored) -> int:
    """Adopt what lives; return the number of daemons adopted. Without a living spawner nothing is wanted."""
    adopted = await _recover(shell, stored)
    shell.molds.open()
    for name, group in shell.state.groups.items():
        if group.records:
            shell.outside.record([Happening("adopted", f"{len(group.records)} processes", name)])
    # daemons that lost manager and spawner leave by themselves; what is left after that is in cgroups of nobody
    asyncio.get_running_loop().call_later(_windows_s(shell, stored) + 2 * EXIT_S, shell.remains.sweep)
    return adopted


async def _recover(shell: Shell, stored: Stored) -> int:
    shell.state = replace(
        shell.state, next_life=stored.next_life, revision=stored.revision, next_change=stored.next_change
    )
    shell.remains.open()
    windows_s = _windows_s(shell, stored)
    await shell.logs.writer.discover()
    discovery = await shell.pool.discover()
    for ahead in discovery.ahead:
        text = f"its ABI is {ahead.abi}, this manager's {messages.ABI}: it is left serving, and not managed here"
        shell.outside.log("error", f"spawner {ahead.path.stem} (pid {ahead.pid}) is of a later version, {text}")
    for text in discovery.impostors:
        shell.outside.log("error", f"{text}: it is left alone, and its path is free")
    if not discovery.found and not discovery.silent:
        for user_spawner in shell.pool.users():
            shell.pool.retire_user(user_spawner)
        shell.unadopted = stored.groups
        return 0
    groups = _known(shell, stored)
    found_running = unknown_groups(discovery.found, groups)
    for name in found_running:
        shell.outside.log("warning", f"{name} runs and nothing is known of it: it is left as it is, as unknown")
    shell.state = replace(shell.state, groups={**groups, **found_running})
    try:
        shell.state = kept_changes.resumed(shell.state, stored.transaction)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        shell.outside.log("error", f"what is stored of the apply that was under way cannot be used: {error!r}")
    counted = {life for item in stored.groups.values() for life in item.get("counted", ())}
    adopted = 0
    for spawner, inventory in discovery.found:
        adopted += _adopt_all(shell, spawner, inventory)
    ended = [(spawner, exited) for spawner, inventory in discovery.found for exited in inventory.exited]
    # of those that are there, and those that ended without having been asked to
    lives = [((str(p.info["group"]), int(p.info["slot"])), life) for life, p in shell.processes.items()]
    unasked = [exited for _spawner, exited in ended if exited.life not in counted and exited.exit_code != 0]
    first = first_in_slots([*lives, *((_slot_of(exited), exited.life) for exited in unasked)])
    for spawner, exited in ended:
        served = exited.life == first.get(_slot_of(exited))
        _take_note(shell, spawner, exited, counted=exited.life in counted, served=served)
    shell.succeed_former()
    for path in discovery.silent:
        _end_silent(shell, path, windows_s)
    missing = [address for name in shell.state.groups for address in _listening(shell, name)]
    if missing:
        shell.outside.log("warning", f"bound again, nobody had kept, or somebody had shut: {', '.join(missing)}")
    return adopted


def _known(shell: Shell, stored: Stored) -> dict[str, model.GroupState]:
    """The groups of the stored state that ran here; what else it has is kept for whom it concerns."""
    groups = {}
    for name, item in stored.groups.items():
        if not is_in_force(item, shell.outside.run_dir):
            run_dir = item.get("run_dir", "this one")
            text = f"what is stored of {name} (run directory {run_dir}) is not in force here, and kept"
            shell.outside.log("warning", text)
            shell.unadopted[name] = item
            continue
        try:
            groups[name] = group_from_json(item)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            shell.outside.log("error", f"what is stored of {name} cannot be used: {error!r}")
            shell.unadopted[name] = item
    return groups


def _listening(shell: Shell, name: str) -> list[str]:
    """See to it that a group has its listeners; return those that had to be bound. One that cannot be waits.

    Daemons that lost manager and spawner keep an address until they have left: its group alone waits for that.
    """
    group = shell.state.groups[name]
    target = group.target
    if group.shut and not group.records:  # whoever connects is refused, until it is started
        closing.release_unwanted(shell, name)
        return []
    try:
        opened = shell.listeners.prepare(name, target.listeners, target.uid)
        shell.listeners.commit(name, target.listeners, opened, target.uid)
        return [*opened, *shell.listeners.mend(name, target.spec.listen)]
    except WsgigroupsError as error:
        shell.outside.log("error", f"{error.message}; it is tried again with each process of the group")
        return []


def _windows_s(shell: Shell, stored: Stored) -> float:
    """Seconds that a daemon may take to leave which nobody manages any more."""
    windows_s = []
    for item in stored.groups.values():
        if item.get("run_dir", str(shell.outside.run_dir)) != str(shell.outside.run_dir):
            continue
        try:
            spec = item["target"]["spec"]
            windows_s.append(float(spec["eviction_timeout_s"]) + float(spec["shutdown_timeout_s"]))
        except (KeyError, TypeError, ValueError):
            windows_s.append(LOST_WINDOW_S)
    return max(windows_s, default=LOST_WINDOW_S)


def _end_silent(shell: Shell, path: Path, window_s: float) -> None:
    """End a spawner that does not answer; its daemons leave in their windows, as those that nobody manages do."""
    uid = uid_of_socket(path)
    if uid is not None:
        pid = hung.end_user_spawner(path, uid)
        path.unlink(missing_ok=True)
        shell.outside.log("error", f"spawner {path.stem} (pid {pid}) does not take connections: it was ended")
        return
    pid, daemons = hung.end_spawner(path)
    path.unlink(missing_ok=True)
    shell.outside.log(
        "error",
        f"spawner {path.stem} (pid {pid}) did not answer within {HELLO_TIMEOUT_S:g} s: it was ended, {len(daemons)} "
        "daemons of it leave, and their addresses are bound again",
    )
    asyncio.get_running_loop().call_later(window_s + EXIT_S, hung.kill_and_close, daemons)


def _adopt_all(shell: Shell, spawner: ConnectedSpawner, inventory: Inventory) -> int:
    adopted = 0
    for kept, fds in inventory.kept:
        if kept.kind == "listener" and len(fds) == 2 and kept.info.get("group") in shell.state.groups:
            group, target = kept.info["group"], ListenerTarget(**kept.info["target"])
            if target.address in shell.listeners.of(group) and not shell.listeners.is_shut(group, target.address):
                for fd in fds:
                    os.close(fd)
            else:
                # what an earlier version had kept has no uid, and is the group's of today
                uid = kept.info.get("uid", shell.state.groups[group].target.uid)
                shell.listeners.adopt(group, target, fds[0], fds[1], uid, _inode(kept.info.get("inode")))
        elif kept.kind == "process" and len(fds) in (3, 4):
            adopted += _adopt(shell, spawner, int(kept.key), kept.info, fds)
        else:
            for fd in fds:
                os.close(fd)
    if spawner.abi != messages.ABI:
        _follow(shell, spawner)
    return adopted


def _inode(kept: Any) -> tuple[int, int] | None:
    """Device and number as they were kept; None for what an earlier version has kept."""
    return (int(kept[0]), int(kept[1])) if isinstance(kept, list) and len(kept) == 2 else None


def _follow(shell: Shell, spawner: ConnectedSpawner) -> None:
    """Have the daemons of a spawner of another ABI followed by new ones: they cannot be listened to."""
    ours = {process.group for process in shell.processes.values() if process.info["spawner"] == spawner.key}
    groups = dict(shell.state.groups)
    for name in ours & groups.keys():
        groups[name] = groups[name].restarting(shell.state.next_life)
    shell.state = replace(shell.state, groups=groups)
    shell.outside.log("info", f"spawner {spawner.key} (pid {spawner.pid}) is of another ABI, its daemons are followed")


def _slot_of(exited: messages.Exited) -> tuple[str, int]:
    return str(exited.info.get("group", "?")), int(exited.info.get("slot", 0))


def first_in_slots(lives: Iterable[tuple[tuple[str, int], int]]) -> dict[tuple[str, int], int]:
    """Return the first life in each slot, named by group and number.

    Later ones were to follow it, and had not yet: where such a one ends, no process is started again because of that.
    """
    first: dict[tuple[str, int], int] = {}
    for slot, life in lives:
        first[slot] = min(life, first.get(slot, life))
    return first


def _take_note(
    shell: Shell, spawner: ConnectedSpawner, exited: messages.Exited, *, counted: bool, served: bool
) -> None:
    """Add what a process counted that ended since a former manager last stored its state."""
    name = str(exited.info.get("group", "?"))
    group = shell.state.groups.get(name)
    shell.state = replace(shell.state, next_life=max(shell.state.next_life, exited.life + 1))
    if not counted:
        who = f"{name}/{exited.info.get('slot', '?')} life={exited.life} pid={exited.pid}"
        status = Exit(exited.exit_code, exited.signal)
        how = f"ended while nobody managed it: {status}"
        death = dying.unmanaged(exited, status)
        shell.outside.died(death)
        shell.outside.log("warning", f"{who} {how}")
        slot = int(exited.info.get("slot", 0))
        kind: Kind = "died" if exited.exit_code != 0 else "ended"
        shell.outside.record([Happening(kind, how, name, slot, exited.life, exited.pid)])
        if group:
            end = of_end(death.cause, death.cpu_s)
            after = replace(group, ended=added(added(group.ended, counters(exited.words)), end))
            if exited.exit_code != 0:  # else it left as it should, asked by a manager that did not see it go
                error = model.LastError(slot, exited.life, how)
                after = replace(after.blamed(error), restarts=after.restarts + served)
            shell.state = replace(shell.state, groups={**shell.state.groups, name: after})
    shell.acknowledge_later(exited.life, CountedExit(name, spawner.key))


def _adopt(shell: Shell, spawner: ConnectedSpawner, life: int, info: dict[str, Any], fds: list[int]) -> int:
    pidfd, channel_fd, *reports_fd, board_fd = fds  # three of a daemon that is not listened to
    pid = int(info["pid"])
    age_s = _age_s(pid)
    info.setdefault("started_at", moment(age_s))  # a manager of an earlier version did not have it kept
    if spawner.former_of and info.get("forked_here", True):
        info["spawner"] = spawner.key
    channel = socket.socket(fileno=channel_fd)
    reports = reports_fd[0] if reports_fd else -1
    process = Process(life, info, channel, reports, board_fd, shell.hooks, joins_late=True)
    shell.logs.follow(process)
    process.forked_by = spawner.key if info.get("forked_here", True) else _user_spawner(shell, info)
    shell.processes[life] = process
    process.watch(pid, pidfd)
    group = shell.state.groups.get(str(info["group"]))
    shell.state = replace(shell.state, next_life=max(shell.state.next_life, life + 1))
    if group is None:  # without a name it is no spawner's of ours
        return 0
    ended = _ended(pidfd)
    if not ended or look_at(pid) is None:  # else a stranger may have its number by now, and would be taken for it
        shell.remains.adopt(process, group.target.uid)
    if ended:
        return 0
    if _waits_for_its_spec(process, pid):
        # the manager that had it forked died before it said what it should be: nobody else can, and it serves nothing
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        return 0
    now = time.monotonic()
    snapshot = process.snapshot()
    word = snapshot["state"] if snapshot else board.STATE["ready"]
    tenancy = {
        board.STATE["starting"]: Tenancy.STARTING,
        board.STATE["ready"]: Tenancy.READY,
    }.get(word, Tenancy.DRAINING)
    timings = Timings(group.target.startup_timeout_s, group.target.spec.shutdown_timeout_s)
    record = Record(
        group=group.target.name,
        slot=int(info["slot"]),
        life=life,
        fingerprint=str(info["fingerprint"]),
        state=tenancy,
        timings=timings,
        deadline=adopting.deadline(tenancy, group.target, now),
        pid=pid,
        spawned_at=now - age_s,
        ready_at=now - age_s if tenancy is Tenancy.READY else None,
    )
    state = replace(group, records=(*group.records, record))
    shell.state = replace(shell.state, groups={**shell.state.groups, group.target.name: state})
    return 1


def _waits_for_its_spec(process: Process, pid: int) -> bool:
    """Whether a process was forked and told nothing yet: a daemon's first step is a session of its own."""
    snapshot = process.snapshot()
    if snapshot is None or snapshot["state"] != board.STATE["starting"]:
        return False
    try:
        return os.getsid(pid) != pid
    except OSError:
        return False


def _user_spawner(shell: Shell, info: dict[str, Any]) -> str | None:
    """The key of the user's spawner that reaps a process which the keeper kept; None when that is gone."""
    spawner = shell.pool.user(str(info["spawner"]))
    return spawner.key if spawner and parent_of(int(info["pid"])) == spawner.pid else None


def _ended(pidfd: int) -> bool:
    """Whether the process of a pidfd has ended (pidfd_open(2): it becomes readable)."""
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return bool(poller.poll(0))


def _age_s(pid: int) -> float:
    """Seconds since a process began, on the clock that /proc counts by (proc(5): starttime, field 22)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0.0
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))
