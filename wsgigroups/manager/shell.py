"""The manager's shell: turns what happens into events for the core, and the core's commands into system calls.

Runs in the manager's only thread, on its event loop. Decides nothing; never waits for a process.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsgigroups.errors import WsgigroupsError
from wsgigroups.lifecycle.step import Exit, Record
from wsgigroups.manager import core, live, model
from wsgigroups.manager.cgroups.remains import Remains
from wsgigroups.manager.cgroups.strays import Spared, adopted
from wsgigroups.manager.group_log import GroupLog
from wsgigroups.manager.keeping import Keeping, keeper_of, kept_processes
from wsgigroups.manager.listeners import HeldListener, Listeners
from wsgigroups.manager.processes import Hooks, Process, moment
from wsgigroups.manager.spawners import AnySpawner, SpawnerPool
from wsgigroups.manager.specs import build_spec
from wsgigroups.manager.starting import KEEPER, keeper_target
from wsgigroups.manager.store import LIFE_STEP
from wsgigroups.manager.totals import counters
from wsgigroups.manager.user_spawners import (
    ANSWER_TIMEOUT_S,
    ImpostorError,
    UserSpawner,
    hold_child,
    kill,
    prepare_child,
)
from wsgigroups.runtime.wire import board, messages
from wsgigroups.runtime.wire.frames import FrameError
from wsgigroups.trust.walking import judging_root, open_to_append

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.plan.desired import GroupTarget, SpawnerTarget

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
    keeping: Keeping = field(init=False)
    quotas: GroupLog = field(init=False)
    remains: Remains = field(init=False)
    _timer: asyncio.TimerHandle | None = None
    _acknowledging: asyncio.TimerHandle | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    hooks: Hooks = field(init=False)

    def __post_init__(self) -> None:
        out = self.outside
        self.remains = Remains(out.run_dir, out.log, self._spared, self.listeners.marks, self._movable)
        self.pool = SpawnerPool(
            out.run_dir, out.log_fd, self._spawner_message, self._spawner_lost, self.remains.users, out.descriptor_limit
        )
        self.keeping = Keeping(self.pool, self.listeners, out.log)
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
                    self.remains.leaves(process)
                    process.send(messages.Drain(record.life, record.reason, record.window_s))
            case model.KillLife(record, after_s):
                process = self.processes.get(record.life)
                if process and after_s:
                    asyncio.get_running_loop().call_later(after_s, self.remains.kill, process)
                elif process:
                    self.remains.kill(process)
            case model.TuneGroup(target, lives):
                self._tune(target, lives)
            case model.ReleaseGroup(group):
                self.quotas.forget(group)
                self._forget_listeners(group, list(self.listeners.of(group)))
                self.remains.release(group)
                self._retire_users()
            case model.FinishChange(change):
                self.remains.flush()
                self.outside.log("info", f"change {change.id} ({change.kind}): {change.outcome}")
                for group in change.groups:
                    self.release_unwanted(group)
                self._retire_users()
                self.outside.save()
                self.outside.finished(change)
            case model.Note(level, text, group):
                self.quotas.log(group, level, text)

    def _tune(self, target: GroupTarget, lives: tuple[int, ...]) -> None:
        failed = self.remains.limit(target)
        refused = {life: live.tune(self.processes[life], target) for life in lives if life in self.processes}
        told = model.GroupTuned(target.name, lives, {life: why for life, why in refused.items() if why}, failed)
        asyncio.get_running_loop().call_soon(self.dispatch, told)  # one event at a time

    # Spawning

    async def _spawn(self, record: Record, target: GroupTarget) -> None:
        self.remains.users.expect(target)  # before there is anything to hold
        try:
            spawner = await self.pool.get(target.spawner, target.log_path)
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

    def _start(self, record: Record, target: GroupTarget, spawner: AnySpawner) -> Process:
        """Have one process forked and send it its spec. Raises OSError, FrameError, and leaves nothing open then.

        A child of a user's spawner gets its spec when it is known to be one: see `_admit`.
        """
        spec = build_spec(target, record)
        with contextlib.ExitStack() as passed:
            info = {
                "group": record.group,
                "slot": record.slot,
                "fingerprint": record.fingerprint,
                "threads": spec.serving.threads,
                "spawner": spawner.key,
                "started_at": moment(),
            }
            process, fork_fds = self._process(record.life, info, passed)
            process.given = target
            passengers = self._passengers(target, passed)
            # first, because a spawner that is lost just then leaves this process behind, too
            self.processes[record.life] = process
            try:
                if isinstance(spawner, UserSpawner):
                    daemon_end, _ours, _reports, reports_write, board_fd = fork_fds
                    spawner.send(messages.Fork(record.life, info), (daemon_end, reports_write, board_fd))
                    asyncio.get_running_loop().call_later(ANSWER_TIMEOUT_S, self._no_answer, spawner, record.life)
                else:
                    spawner.send(messages.Fork(record.life, info), fork_fds)
                    # it waits for its spec until it is where it belongs
                    process.hold(messages.SpecMessage(spec.to_wire()), passengers)
            except BaseException:
                del self.processes[record.life]
                process.close()  # a child that was forked already sees the end of its channel and leaves
                raise
        self.keeping.group(record.group, spawner)
        failed = self.remains.limit(target)
        if failed:
            asyncio.get_running_loop().call_soon(self.dispatch, model.GroupTuned(target.name, (), {}, failed))
        return process

    def _passengers(self, target: GroupTarget, passed: contextlib.ExitStack) -> list[int]:
        """The descriptors of a spec: the log, the listeners, their pulses. Raises OSError."""
        held = self._listening(target.name, target.spec.listen)
        log_fd = open_log(Path(target.log_path))
        passed.callback(os.close, log_fd)
        return [log_fd, *(listener.sock.fileno() for listener in held), *(listener.pulse for listener in held)]

    def _admit(self, spawner: UserSpawner, process: Process, pid: int) -> None:
        """Give a child of a user's spawner its spec, once it is certain that it is one.

        What it needs of root is done to it while it waits: it has no privileges of its own to do it with.
        """
        found, target = self.state.find(process.life), process.given
        if found is None or target is None:
            self.processes.pop(process.life).close()  # overtaken: the child sees the end and leaves
            return
        pidfd = -1
        try:
            known = {other.pid for other in self.processes.values()}
            pidfd = hold_child(pid, spawner, target.spawner.gid, known)
            self.remains.enter(process, pid, pidfd, target.uid)
            spec = build_spec(target, found[1])
            prepare_child(pid, pidfd, spec)
            with contextlib.ExitStack() as passed:
                process.send(messages.SpecMessage(spec.to_wire()), self._passengers(target, passed))
        except ImpostorError as error:
            spawner.end(f"it named a process that it has not forked: {error}")
            return
        except (OSError, ValueError, FrameError) as error:
            kill(pidfd)
            os.close(pidfd)
            self.processes.pop(process.life).close()
            self.remains.ended(process)
            self.dispatch(model.LifeRefused(process.life, getattr(error, "strerror", None) or str(error)))
            return
        process.watch(pid, pidfd)
        self.keeping.process(process, spawner)
        self.dispatch(model.LifeSpawned(process.life, pid))

    def _no_answer(self, spawner: UserSpawner, life: int) -> None:
        process = self.processes.get(life)
        if process and process.pid == 0 and process.info["spawner"] == spawner.key:
            spawner.end(f"it did not fork within {ANSWER_TIMEOUT_S:g} s")

    def _process(
        self, life: int, info: dict[str, Any], passed: contextlib.ExitStack
    ) -> tuple[Process, tuple[int, int, int, int, int]]:
        """Make a process's connections, and name those of a Fork; `passed` closes what is the child's alone."""
        with contextlib.ExitStack() as ours:
            board_fd = board.create(int(info["threads"]), f"wsgigroups-{info['group']}")
            ours.callback(os.close, board_fd)
            reports_fd, reports_write_fd = os.pipe2(os.O_CLOEXEC)
            passed.callback(os.close, reports_write_fd)
            ours.callback(os.close, reports_fd)
            channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            passed.callback(theirs.close)
            ours.callback(channel.close)
            process = Process(life, info, channel, reports_fd, board_fd, self.hooks)
            ours.pop_all()  # they are the process's now
        return process, (theirs.fileno(), process.channel_fd, reports_fd, reports_write_fd, board_fd)

    def _listening(self, group: str, addresses: tuple[str, ...]) -> list[HeldListener]:
        """Return the group's listeners in this order; bind anew what somebody has shut down. Raises OSError."""
        try:
            mended = self.listeners.mend(group)
        except WsgigroupsError as error:  # whoever has the address may go away: it is worth another attempt
            raise OSError(errno.EADDRINUSE, error.message) from None
        for address in mended:
            self.outside.log("warning", f"{group}: somebody had shut {address} down, it is bound again")
        held = self.listeners.of(group)
        missing = [address for address in addresses if address not in held]
        if missing:
            raise OSError(errno.EADDRNOTAVAIL, f"nobody listens on {', '.join(missing)}")
        return [held[address] for address in addresses]

    def release_unwanted(self, group: str) -> None:
        """Close the listeners that the target in force does not name, once no process has a use for them."""
        state = self.state.groups.get(group)
        if state is None:
            return
        former = any(record.live and record.fingerprint != state.target.fingerprint for record in state.records)
        if former or state.fallback:
            return
        wanted = {target.address for target in state.target.listeners}
        if unwanted := [address for address in self.listeners.of(group) if address not in wanted]:
            self._forget_listeners(group, unwanted)

    def _forget_listeners(self, group: str, addresses: list[str]) -> None:
        self.listeners.release(group, addresses)
        self.keeping.forget_listeners(group, addresses)

    def _retire_users(self) -> None:
        """End spawners of users that no group has any more: they are no part of what was asked for."""
        needed = {group.target.spawner.key for group in self.state.groups.values()}
        needed |= {str(process.info["spawner"]) for process in self.processes.values()}
        for spawner in self.pool.users():
            if spawner.key not in needed:
                self.pool.retire_user(spawner)

    # What spawners say

    def _spawner_message(self, spawner: AnySpawner, message: messages.Message, fds: list[int]) -> None:
        process = self.processes.get(getattr(message, "life", 0))
        if process and process.info["spawner"] != spawner.key:
            process = None  # another's
        match message:
            case messages.Spawned(_life, pid) if process and process.pid == 0 and isinstance(spawner, UserSpawner):
                self._admit(spawner, process, pid)
            case messages.Spawned(_life, pid) if process and len(fds) == 1:
                process.watch(pid, fds.pop())
                self._begin(process)
            case messages.Refused(life, reason) if process and process.pid == 0:
                self.processes.pop(life).close()
                self.dispatch(model.LifeRefused(life, reason[:4096]))
            case messages.Exited() if process:
                self._exited(spawner, process, message)
            case messages.Exited():  # its spec could not be sent
                spawner.send(messages.Drop("process", str(message.life)))
            case _:
                text = f"spawner {spawner.key}: {type(message).__name__} concerns nothing here"
                self.quotas.log(f"spawner {spawner.key}", "warning", text)
        for fd in fds:
            os.close(fd)

    def _begin(self, process: Process) -> None:
        """Let a process have its spec, once it is in its cgroup."""
        found = self.state.find(process.life)
        self.remains.enter(process, process.pid, process.pidfd, found[0].target.uid if found else None)
        try:
            process.begin()
        except OSError as error:
            self.processes.pop(process.life).close()  # the child sees the end of its channel and leaves
            self.remains.ended(process)
            self.dispatch(model.LifeRefused(process.life, f"cannot send a spec: {error.strerror}"))
            return
        self.dispatch(model.LifeSpawned(process.life, process.pid))

    def _movable(self) -> list[int]:
        return [*(spawner.pid for spawner in self.pool.all()), *(spawner.pid for spawner in self.pool.users())]

    def _spared(self) -> Spared:
        """Who is no stray, whatever it looks like."""
        return Spared(
            manager=os.getpid(),
            lives=frozenset(process.pid for process in self.processes.values() if process.pid > 0),
            spawners=frozenset({*self._movable(), *self.pool.child_pids()}),
            adopted=adopted(),
        )

    def _exited(self, spawner: AnySpawner, process: Process, message: messages.Exited) -> None:
        """How it ended is the spawner's word, that it did is seen: a user's spawner could tell of the end of a life."""
        if isinstance(spawner, UserSpawner) and not process.has_ended:
            spawner.end(f"it told of the end of pid {process.pid}, which is alive")
            return
        process.reported(Exit(message.exit_code, message.signal))

    def _spawner_lost(self, spawner: AnySpawner) -> None:
        self.pool.child_pids()
        if self.state.stopping:
            return
        why = f": {spawner.why}" if isinstance(spawner, UserSpawner) else ""
        self.outside.log("error", f"spawner {spawner.key} (pid {spawner.pid}) is gone, its daemons are adopted{why}")
        for process in list(self.processes.values()):
            if process.forked_by == spawner.key:
                process.adopt()
        if isinstance(spawner, UserSpawner):
            return  # it kept nothing, and the next fork starts another
        if any(keeper_of(group.target.spawner.key) == spawner.key for group in self.state.groups.values()):
            asyncio.get_running_loop().call_later(RESPAWN_S, self._respawn, spawner.key)

    def _respawn(self, key: str) -> None:
        """Start a spawner anew, so that what the old one kept is kept again."""
        for group in self.state.groups.values():
            if keeper_of(group.target.spawner.key) == key and not self.state.stopping:
                spawner = keeper_target() if key == KEEPER else group.target.spawner
                task = asyncio.get_running_loop().create_task(self._hand_over(spawner))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                return

    async def _hand_over(self, target: SpawnerTarget) -> None:
        try:
            spawner = await self.pool.get(target)
        except (WsgigroupsError, OSError) as error:
            self.outside.log("error", str(error))
            return
        for name, group in self.state.groups.items():
            if keeper_of(group.target.spawner.key) == target.key:
                self.keeping.group(name, spawner)
        for process in kept_processes(self.processes.values(), target.key):
            self.keeping.process(process, spawner)

    # What daemons say

    def _daemon_message(self, process: Process, message: messages.Message) -> bool:
        """Take what a daemon reports; False for what is not a daemon's to say."""
        life = process.life
        match message:
            case messages.Ready() if message.life == life:
                process.confined = message.confinement
                self.dispatch(model.LifeBecameReady(life))
                self._catch_up(process)
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

    def _catch_up(self, process: Process) -> None:
        """Push live options that changed on its way up: its limits could be set from outside only now."""
        found = self.state.find(process.life)
        if found and found[0].target != process.given:
            self._tune(found[0].target, (process.life,))

    def _daemon_exited(self, process: Process, status: Exit) -> None:
        self.processes.pop(process.life, None)
        group, snapshot = process.group, process.snapshot()
        counted = counters(snapshot.values) if snapshot else {}
        kills = self.remains.ended(process)
        # first, because the state may be stored on the way
        self.acknowledge_later(process.life, CountedExit(group, str(process.info["spawner"])))
        self.dispatch(model.LifeExited(process.life, status, counted, group, out_of_memory=kills > 0))
        self.release_unwanted(group)

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
            self.keeping.forget_process(life, counted.spawner)
        self.unacknowledged.clear()

    def _name(self, process: Process) -> str:
        return f"{process.info['group']}/{process.info['slot']} life={process.life} pid={process.pid}"


def open_log(path: Path) -> int:
    """Open a group's log for appending. As root no part of its path may be another user's. Raises OSError."""
    return open_to_append(str(path), judging_root())
