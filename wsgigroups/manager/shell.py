"""The manager's shell: turns what happens into events for the core, and the core's commands into system calls.

Runs in the manager's only thread, on its event loop. Decides nothing; never waits for a process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from wsgigroups.errors import WsgigroupsError
from wsgigroups.lifecycle.step import Exit, Record
from wsgigroups.manager import core, live, model
from wsgigroups.manager.group_log import GroupLog
from wsgigroups.manager.listeners import Listeners
from wsgigroups.manager.processes import Hooks, Process, kept_processes, moment
from wsgigroups.manager.spawners import Spawner, SpawnerPool
from wsgigroups.manager.specs import build_spec
from wsgigroups.manager.store import LIFE_STEP
from wsgigroups.runtime.wire import board, messages

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.plan.desired import GroupTarget

RESPAWN_S = 0.5  # between two attempts to replace a spawner that died


@dataclass(slots=True)
class Outside:
    """The directories and sinks a manager works with."""

    run_dir: Path
    log_dir: Path
    log_fd: int
    log: Callable[[str, str], None]
    descriptor_limit: int = 0  # soft RLIMIT_NOFILE of daemons
    save: Callable[[], None] = lambda: None
    finished: Callable[[model.Change], None] = lambda _change: None


@dataclass(slots=True)
class Shell:
    """All that is not pure. `state` is only replaced by `dispatch`."""

    outside: Outside
    state: model.State = field(default_factory=model.State)
    listeners: Listeners = field(default_factory=Listeners)
    processes: dict[int, Process] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    pool: SpawnerPool = field(init=False)
    quotas: GroupLog = field(init=False)
    _timer: asyncio.TimerHandle | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    hooks: Hooks = field(init=False)

    def __post_init__(self) -> None:
        out = self.outside
        self.pool = SpawnerPool(
            out.run_dir, out.log_fd, self._spawner_message, self._spawner_lost, out.descriptor_limit
        )
        self.quotas = GroupLog(out.log)
        self.hooks = Hooks(self._daemon_message, self._daemon_cut, self._daemon_exited)

    def dispatch(self, event: model.Event) -> None:
        """Let the core handle one event and carry out what it says."""
        life_before = self.state.next_life
        self.state, commands = core.handle(self.state, event, time.monotonic())
        if self.state.next_life // LIFE_STEP != life_before // LIFE_STEP:
            self.outside.save()
        for command in commands:
            self._perform(command)
        self._arm()
        self.changed.set()
        self.changed = asyncio.Event()

    def _arm(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        deadline = core.next_deadline(self.state)
        if deadline is not None:
            self._timer = asyncio.get_running_loop().call_at(deadline, self.dispatch, model.Tick())

    def postpone(self, late_s: float) -> None:
        """The manager itself was stopped for this long: nobody is killed for that."""
        self.state = core.extend_deadlines(self.state, late_s)
        self._arm()

    def _perform(self, command: model.Command) -> None:
        match command:
            case model.SpawnLife(record, target):
                task = asyncio.get_running_loop().create_task(self._spawn(record, target))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            case model.DrainLife(record):
                process = self.processes.get(record.life)
                if process:
                    process.send(messages.Drain(record.life, record.reason, record.window_s))
            case model.KillLife(record, after_s):
                process = self.processes.get(record.life)
                if process and after_s:
                    asyncio.get_running_loop().call_later(after_s, process.kill)
                elif process:
                    process.kill()
            case model.TuneGroup(target, lives):
                self._tune(target, lives)
            case model.ReleaseGroup(group):
                self.quotas.forget(group)
                self._forget_listeners(group, list(self.listeners.of(group)))
            case model.FinishChange(change):
                self.outside.log("info", f"change {change.id} ({change.kind}): {change.outcome}")
                for group in change.groups:
                    self.release_unwanted(group)
                self.outside.save()
                self.outside.finished(change)
            case model.Note(level, text, group):
                self.quotas.log(group, level, text)

    def _tune(self, target: GroupTarget, lives: tuple[int, ...]) -> None:
        reached = [life for life in lives if life not in self.processes or self.processes[life].pid > 0]
        refused = {life: live.tune(self.processes[life], target) for life in reached if life in self.processes}
        told = model.GroupTuned(target.name, tuple(reached), {life: why for life, why in refused.items() if why})
        asyncio.get_running_loop().call_soon(self.dispatch, told)  # one event at a time

    # Spawning

    async def _spawn(self, record: Record, target: GroupTarget) -> None:
        try:
            spawner = await self.pool.get(target.spawner)
            process = self._start(record, target, spawner)
        except (WsgigroupsError, OSError) as error:
            permanent = isinstance(error, WsgigroupsError)
            text = error.message if isinstance(error, WsgigroupsError) else f"cannot spawn: {error.strerror}"
            self.dispatch(model.LifeRefused(record.life, text, permanent))
            return
        found = self.state.find(record.life)
        if found is None:
            process.channel.close()  # overtaken while the interpreter started; the child sees the end and leaves

    def _start(self, record: Record, target: GroupTarget, spawner: Spawner) -> Process:
        spec = build_spec(target, record)
        for address in self.listeners.mend(record.group):
            self.outside.log("warning", f"{record.group}: somebody had shut {address} down, it is bound again")
        held = self.listeners.of(record.group)
        if any(address not in held for address in spec.listen):
            raise WsgigroupsError(f"cannot spawn: not listening on {', '.join(set(spec.listen) - set(held))}")
        info = {
            "group": record.group,
            "slot": record.slot,
            "fingerprint": record.fingerprint,
            "threads": spec.serving.threads,
            "spawner": spawner.key,
            "started_at": moment(),
        }
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            log_fd = open_log(Path(target.log_path))
            theirs.callback(os.close, log_fd)
            board_fd = board.create(spec.serving.threads, f"wsgigroups-{record.group}")
            ours.callback(os.close, board_fd)
            reports_fd, reports_write_fd = os.pipe2(os.O_CLOEXEC)
            ours.callback(os.close, reports_fd)
            theirs.callback(os.close, reports_write_fd)
            channel, daemon_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            ours.enter_context(channel)
            theirs.enter_context(daemon_end)
            process = Process(record.life, info, channel, reports_fd, board_fd, self.hooks)
            ours.pop_all()  # they are the process's now
            self.processes[record.life] = process
            fds = [daemon_end.fileno(), process.channel_fd, reports_fd, reports_write_fd, board_fd]
            spawner.send(messages.Fork(record.life, info), fds)
            listening = [held[address].sock.fileno() for address in spec.listen]
            pulses = [held[address].pulse for address in spec.listen]
            process.send(messages.SpecMessage(spec.to_wire()), [log_fd, *listening, *pulses])
        self._keep_listeners(record.group, spawner)
        return process

    def _keep_listeners(self, group: str, spawner: Spawner) -> None:
        for address, listener in self.listeners.of(group).items():
            info = {"group": group, "target": live.listener_to_json(listener.target), "uid": listener.uid}
            spawner.send(
                messages.Keep("listener", f"{group} {address}", info), [listener.sock.fileno(), listener.pulse]
            )

    def release_unwanted(self, group: str) -> None:
        """Close the listeners that the target in force does not name, once no process has a use for them."""
        state = self.state.groups.get(group)
        if state is None:
            return
        former = any(record.live and record.fingerprint != state.target.fingerprint for record in state.records)
        if former or state.fallback:
            return
        wanted = {target.address for target in state.target.listeners}
        unwanted = [address for address in self.listeners.of(group) if address not in wanted]
        if unwanted:
            self._forget_listeners(group, unwanted)

    def _forget_listeners(self, group: str, addresses: list[str]) -> None:
        self.listeners.release(group, addresses)
        for spawner in self.pool.all():
            for address in addresses:
                spawner.send(messages.Drop("listener", f"{group} {address}"))

    # What spawners say

    def _spawner_message(self, spawner: Spawner, message: messages.Message, fds: list[int]) -> None:
        match message:
            case messages.Spawned(life, pid) if len(fds) == 1 and life in self.processes:
                process = self.processes[life]
                process.watch(pid, fds.pop())
                self.dispatch(model.LifeSpawned(life, pid))
            case messages.Refused(life, reason) if life in self.processes:
                self.processes.pop(life).close()
                self.dispatch(model.LifeRefused(life, reason))
            case messages.Exited() if message.life in self.processes:
                self.processes[message.life].reported(Exit(message.exit_code, message.signal))
            case _:
                self.outside.log("warning", f"spawner {spawner.key}: {message} concerns nothing here")
        for fd in fds:
            os.close(fd)

    def _spawner_lost(self, spawner: Spawner) -> None:
        self.pool.child_pids()
        if self.state.stopping:
            return
        self.outside.log("error", f"spawner {spawner.key} (pid {spawner.pid}) is gone, its daemons are adopted")
        for process in list(self.processes.values()):
            if process.forked_by == spawner.key:
                process.adopt()
        targets = [g.target.spawner for g in self.state.groups.values() if g.target.spawner.key == spawner.key]
        if targets:
            asyncio.get_running_loop().call_later(RESPAWN_S, self._respawn, targets[0].key)

    def _respawn(self, key: str) -> None:
        """Start a spawner anew, so that what the old one kept is kept again."""
        for group in self.state.groups.values():
            if group.target.spawner.key == key and not self.state.stopping:
                task = asyncio.get_running_loop().create_task(self._hand_over(group.target))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                return

    async def _hand_over(self, target: GroupTarget) -> None:
        key = target.spawner.key
        try:
            spawner = await self.pool.get(target.spawner)
        except WsgigroupsError as error:
            self.outside.log("error", error.message)
            return
        for name, group in self.state.groups.items():
            if group.target.spawner.key == key:
                self._keep_listeners(name, spawner)
        for process in kept_processes(self.processes.values(), key):
            info = {**process.info, "pid": process.pid, "forked_here": False}
            spawner.send(messages.Keep("process", str(process.life), info), process.keep_fds())

    # What daemons say

    def _daemon_message(self, process: Process, message: messages.Message) -> bool:
        """Take what a daemon reports; False for what is not a daemon's to say."""
        life = process.life
        match message:
            case messages.Ready() if message.life == life:
                self.dispatch(model.LifeBecameReady(life))
            case messages.Failed() if message.life == life:
                text = message.message[:4096]
                self.quotas.log(process.group, "error", f"{self._name(process)}: {text}")
                reason = message.reason if message.reason in board.REASON else ""
                self.dispatch(model.LifeFailed(life, message.step[:64], text, message.traceback[:65536], reason))
            case messages.InFlight() if message.life == life:
                requests = tuple(message.requests[:65536].splitlines())
                self.dispatch(model.LifeTold(life, requests, message.stacks[:65536]))
            case messages.Leaving() if message.life == life and message.reason in board.REASON:
                if message.reason == "script-reloading":
                    self.dispatch(model.ScriptChanged(life))
                else:
                    self.dispatch(model.LifeWorn(life, message.reason))
            case _:
                text = "a message that is not its own was dropped"
                self.quotas.log(process.group, "warning", f"{self._name(process)}: {text}")
                return False
        return True

    def _daemon_cut(self, process: Process, why: str) -> None:
        """It is not listened to any more: what else it is, it cannot be trusted to tell."""
        self.dispatch(model.LifeStalled(process.life, "reports", why))

    def _daemon_exited(self, process: Process, status: Exit) -> None:
        self.processes.pop(process.life, None)
        spawner = self.pool.ready(str(process.info["spawner"]))
        if spawner:  # acknowledges the exit; what it kept of an adopted process goes, too
            spawner.send(messages.Drop("process", str(process.life)))
        self.dispatch(model.LifeExited(process.life, status))
        self.release_unwanted(process.group)

    def _name(self, process: Process) -> str:
        return f"{process.info['group']}/{process.info['slot']} life={process.life} pid={process.pid}"


def open_log(path: Path) -> int:
    """Open a group's log for appending, never through a symbolic link. Raises OSError."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    return os.open(path, flags, 0o640)
