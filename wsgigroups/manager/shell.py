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
from typing import TYPE_CHECKING, Any

from wsgigroups.errors import WsgigroupsError
from wsgigroups.lifecycle.step import Exit, Record
from wsgigroups.manager import core, live, model
from wsgigroups.manager.listeners import Listeners
from wsgigroups.manager.processes import Hooks, Process, kept_processes, moment
from wsgigroups.manager.spawners import ConnectedSpawner, SpawnerPool
from wsgigroups.manager.specs import build_spec
from wsgigroups.manager.store import LIFE_STEP
from wsgigroups.manager.totals import counters
from wsgigroups.runtime.wire import board, messages
from wsgigroups.runtime.wire.frames import FrameError
from wsgigroups.trust.walking import judging_root, open_to_append

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.plan.desired import GroupTarget

RESPAWN_S = 0.5  # between two attempts to replace a spawner that died
ACKNOWLEDGE_S = 1.0  # after an exit: those of a storm are stored together
AGAIN_S = 10.0  # after a state that could not be stored


@dataclass(slots=True)
class Outside:
    """The directories and sinks a manager works with."""

    run_dir: Path
    log_fd: int
    log: Callable[[str, str], None]
    descriptor_limit: int = 0  # soft RLIMIT_NOFILE of daemons
    save: Callable[[], bool] = lambda: True  # whether the state was stored
    finished: Callable[[model.Change], None] = lambda _change: None


@dataclass(frozen=True, slots=True)
class CountedExit:
    """An exit that is part of the state and still kept by its spawner."""

    group: str
    spawner: str


@dataclass(slots=True)
class Shell:
    """All that is not pure. `state` is replaced by `dispatch`, by `postpone`, and once by what `recover` found."""

    outside: Outside
    state: model.State = field(default_factory=model.State)
    listeners: Listeners = field(default_factory=Listeners)
    processes: dict[int, Process] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    unacknowledged: dict[int, CountedExit] = field(default_factory=dict)  # by life
    pool: SpawnerPool = field(init=False)
    _timer: asyncio.TimerHandle | None = None
    _acknowledging: asyncio.TimerHandle | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    hooks: Hooks = field(init=False)

    def __post_init__(self) -> None:
        out = self.outside
        self.pool = SpawnerPool(
            out.run_dir, out.log_fd, self._spawner_message, self._spawner_lost, out.descriptor_limit
        )
        self.hooks = Hooks(self._daemon_message, self._daemon_exited)

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
                for life in lives:
                    if life in self.processes:
                        live.tune(self.processes[life], target, self.outside.log)
            case model.ReleaseGroup(group):
                self._forget_listeners(group, list(self.listeners.of(group)))
            case model.FinishChange(change):
                self.outside.log("info", f"change {change.id} ({change.kind}): {change.outcome}")
                for group in change.groups:
                    self.release_unwanted(group)
                self.outside.save()
                self.outside.finished(change)
            case model.Note(level, text):
                self.outside.log(level, text)

    # Spawning

    async def _spawn(self, record: Record, target: GroupTarget) -> None:
        try:
            spawner = await self.pool.get(target.spawner)
            process = self._start(record, self._target_now(record, target), spawner)
        except WsgigroupsError as error:
            self.dispatch(model.LifeRefused(record.life, error.message, permanent=True))
            return
        except FrameError as error:
            self.dispatch(model.LifeRefused(record.life, str(error), permanent=True))
            return
        except OSError as error:
            self.dispatch(model.LifeRefused(record.life, f"cannot spawn: {error.strerror}"))
            return
        found = self.state.find(record.life)
        if found is None:
            process.channel.close()  # overtaken while the interpreter started; the child sees the end and leaves

    def _target_now(self, record: Record, target: GroupTarget) -> GroupTarget:
        """Return what the group has become while an interpreter started, where it still wants this process."""
        group = self.state.groups.get(record.group)
        return group.target if group and group.target.fingerprint == record.fingerprint else target

    def _start(self, record: Record, target: GroupTarget, spawner: ConnectedSpawner) -> Process:
        """Have one process forked and send it its spec. Raises OSError, FrameError, and leaves nothing open then."""
        spec = build_spec(target, record)
        with contextlib.ExitStack() as passed:
            log_fd = open_log(Path(target.log_path))
            passed.callback(os.close, log_fd)
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            passed.callback(theirs.close)
            info = {
                "group": record.group,
                "slot": record.slot,
                "fingerprint": record.fingerprint,
                "threads": spec.serving.threads,
                "spawner": spawner.key,
                "started_at": moment(),
            }
            process = self._process(record.life, info, ours)
            process.given = target
            held = self.listeners.of(record.group)
            fds = [held[address].sock.fileno() for address in spec.listen]
            pulses = [held[address].pulse for address in spec.listen]
            # first, because a spawner that is lost just then leaves this process behind, too
            self.processes[record.life] = process
            try:
                spawner.send(messages.Fork(record.life, info), [theirs.fileno(), process.channel_fd, process.board_fd])
                process.send(messages.SpecMessage(spec.to_wire()), [log_fd, *fds, *pulses])
            except BaseException:
                del self.processes[record.life]
                process.close()  # a child that was forked already sees the end of its channel and leaves
                raise
        self._keep_listeners(record.group, spawner)
        return process

    def _process(self, life: int, info: dict[str, Any], ours: socket.socket) -> Process:
        try:
            board_fd = board.create(int(info["threads"]), f"wsgigroups-{info['group']}")
        except BaseException:
            ours.close()
            raise
        try:
            return Process(life, info, ours, board_fd, self.hooks)
        except BaseException:
            os.close(board_fd)
            ours.close()
            raise

    def _keep_listeners(self, group: str, spawner: ConnectedSpawner) -> None:
        for address, listener in self.listeners.of(group).items():
            info = {"group": group, "target": live.listener_to_json(listener.target)}
            message = messages.Keep("listener", f"{group} {address}", info)
            self._keep(spawner, message, [listener.sock.fileno(), listener.pulse])

    def _keep(self, spawner: ConnectedSpawner, message: messages.Keep, fds: list[int]) -> None:
        try:
            spawner.send(message, fds)
        except OSError as error:  # the next spawn tries again; until then a next manager would have to bind anew
            what = f"{message.kind} {message.key}"
            self.outside.log("error", f"spawner {spawner.key} does not keep {what}: {error.strerror}")

    def release_unwanted(self, group: str) -> None:
        """Close the listeners that the target in force does not name."""
        state = self.state.groups.get(group)
        wanted = {target.address for target in state.target.listeners} if state else set()
        self._forget_listeners(group, [address for address in self.listeners.of(group) if address not in wanted])

    def _forget_listeners(self, group: str, addresses: list[str]) -> None:
        self.listeners.release(group, addresses)
        for spawner in self.pool.all():
            for address in addresses:
                spawner.send(messages.Drop("listener", f"{group} {address}"))

    # What spawners say

    def _spawner_message(self, spawner: ConnectedSpawner, message: messages.Message, fds: list[int]) -> None:
        match message:
            case messages.Spawned(life, pid) if len(fds) == 1 and life in self.processes:
                process = self.processes[life]
                process.watch(pid, fds.pop())
                self.dispatch(model.LifeSpawned(life, pid))
                process.release_held()
            case messages.Refused(life, reason) if life in self.processes:
                self.processes.pop(life).close()
                self.dispatch(model.LifeRefused(life, reason))
            case messages.Exited() if message.life in self.processes:
                self.processes[message.life].reported(Exit(message.exit_code, message.signal))
            case messages.Exited():  # its spec could not be sent
                spawner.send(messages.Drop("process", str(message.life)))
            case _:
                self.outside.log("warning", f"spawner {spawner.key}: {message} concerns nothing here")
        for fd in fds:
            os.close(fd)

    def _spawner_lost(self, spawner: ConnectedSpawner) -> None:
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
            self._keep(spawner, messages.Keep("process", str(process.life), info), process.keep_fds())

    # What daemons say

    def _daemon_message(self, process: Process, message: messages.Message) -> None:
        life = process.life
        match message:
            case messages.Ready() if message.life == life:
                self.dispatch(model.LifeBecameReady(life))
                self._catch_up(process)
            case messages.Failed() if message.life == life:
                text = message.message[:4096]
                self.outside.log("error", f"{self._name(process)}: {text}")
                reason = message.reason if message.reason in board.REASON else ""
                self.dispatch(model.LifeFailed(life, message.step[:64], text, message.traceback[:65536], reason))
            case messages.InFlight() if message.life == life:
                requests = tuple(message.requests[:65536].splitlines())
                self.dispatch(model.LifeTold(life, requests, message.stacks[:65536]))
            case messages.Leaving() if message.life == life and message.reason in board.REASON:
                if message.reason == "script-reloading":
                    self.dispatch(model.ScriptChanged(str(process.info["group"])))
                else:
                    self.dispatch(model.LifeWorn(life, message.reason))
            case _:
                self.outside.log("warning", f"{self._name(process)}: a message that is not its own was dropped")

    def _catch_up(self, process: Process) -> None:
        """Push live options that changed on its way up: its limits could be set from outside only now."""
        found = self.state.find(process.life)
        if found and found[0].target != process.given:
            live.tune(process, found[0].target, self.outside.log)

    def _daemon_exited(self, process: Process, status: Exit) -> None:
        self.processes.pop(process.life, None)
        group, snapshot = str(process.info["group"]), process.snapshot()
        counted = counters(snapshot.values) if snapshot else {}
        # first, because the state may be stored on the way
        self.acknowledge_later(process.life, CountedExit(group, str(process.info["spawner"])))
        self.dispatch(model.LifeExited(process.life, status, counted, group))

    def acknowledge_later(self, life: int, counted: CountedExit) -> None:
        """Let the spawner forget an exit once the state that has what the process counted is stored.

        A manager that dies before that leaves it to the next one, which is told of the exit again.
        """
        self.unacknowledged[life] = counted
        if self._acknowledging is None:
            self._acknowledging = asyncio.get_running_loop().call_later(ACKNOWLEDGE_S, self._acknowledge)

    def _acknowledge(self) -> None:
        self._acknowledging = None
        if not self.outside.save():
            self._acknowledging = asyncio.get_running_loop().call_later(AGAIN_S, self._acknowledge)
            return
        for life, counted in self.unacknowledged.items():
            spawner = self.pool.ready(counted.spawner)
            if spawner:  # what it kept of an adopted process goes, too
                spawner.send(messages.Drop("process", str(life)))
        self.unacknowledged.clear()

    def _name(self, process: Process) -> str:
        return f"{process.info['group']}/{process.info['slot']} life={process.life} pid={process.pid}"


def open_log(path: Path) -> int:
    """Open a group's log for appending. As root no part of its path may be another user's. Raises OSError."""
    return open_to_append(str(path), judging_root())
