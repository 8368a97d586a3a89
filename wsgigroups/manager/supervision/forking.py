"""Having a process forked: its connections, its spec, and being certain of whose child it is.

Runs in the manager's only thread, on its event loop; what an interpreter needs to start is waited for in a task.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from wsgigroups.errors import WsgigroupsError
from wsgigroups.lifecycle.step import Exit
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager import failpoints
from wsgigroups.manager.core import model
from wsgigroups.manager.supervision import routing
from wsgigroups.manager.supervision.counting import make_counting_directory
from wsgigroups.manager.supervision.keeping import keeper_of
from wsgigroups.manager.supervision.molds import ANSWER_S, Molds, kind_of
from wsgigroups.manager.supervision.processes import Hooks, Process, moment
from wsgigroups.manager.supervision.spawners import LostSpawnerError
from wsgigroups.manager.supervision.specs import build_spec
from wsgigroups.manager.supervision.start_queue import StartQueue
from wsgigroups.manager.supervision.starting import DoubtfulInterpreterError, keeper_target
from wsgigroups.manager.supervision.unknown import described_by
from wsgigroups.manager.supervision.user_spawners import (
    ANSWER_TIMEOUT_S,
    ImpostorError,
    UserSpawner,
    hold_child,
    kill,
    prepare_child,
)
from wsgigroups.runtime.wire import board, identity, messages, room
from wsgigroups.runtime.wire.frames import FrameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wsgigroups.lifecycle.step import Record
    from wsgigroups.manager.supervision.cgroups.remains import Remains
    from wsgigroups.manager.supervision.keeping import Keeping
    from wsgigroups.manager.supervision.listeners import HeldListener, Listeners
    from wsgigroups.manager.supervision.logs import Logs
    from wsgigroups.manager.supervision.spawners import AnySpawner, SpawnerPool
    from wsgigroups.plan.desired import GroupTarget, SpawnerTarget

_OF_A_START = 11  # both ends of channel and reports, the channel's copy, board, pidfd, log, its pipe, access log
_RESERVE = 24


@dataclass(slots=True)
class Forking:
    """What it takes to have a process forked. The state is asked for, because it is replaced by every event."""

    pool: SpawnerPool
    listeners: Listeners
    keeping: Keeping
    remains: Remains
    processes: dict[int, Process]
    hooks: Hooks
    state: Callable[[], model.State]
    dispatch: Callable[[model.Event], None]
    log: Callable[[str, str], None]
    logs: Logs
    umask: int  # of processes of groups that set none
    published: routing.Published
    molds: Molds
    queue: StartQueue = field(init=False)
    _ahead: set[asyncio.Task[None]] = field(default_factory=set)  # the loop itself keeps no task alive (asyncio)

    def __post_init__(self) -> None:
        self.queue = StartQueue(lambda lives: self.dispatch(model.StillQueued(lives)))

    def start_ahead(self, targets: Iterable[SpawnerTarget], *, logs: bool = False) -> None:
        """Have the interpreters started that are about to be needed, while there is something else to do.

        logs: and the log writer.
        Of users' spawners only what keeps for them: they begin with the first process. A failure is told by `spawn`,
        which tries again.
        """
        if logs:
            self.logs.writer.begin()
        wanted = {target.key: target for target in (keeper_target() if t.uid is not None else t for t in targets)}
        for target in wanted.values():
            task = asyncio.get_running_loop().create_task(self._start_ahead(target))
            self._ahead.add(task)
            task.add_done_callback(self._ahead.discard)

    async def _start_ahead(self, target: SpawnerTarget) -> None:
        with contextlib.suppress(WsgigroupsError, OSError):
            await self.pool.get(target)

    async def spawn(self, record: Record, target: GroupTarget) -> None:
        """Have a process of this target forked for the record; what cannot be is told as `LifeRefused`."""
        self.remains.users.expect(target)  # before there is anything to hold
        if await self.queue.turn(record.group, record.life):
            found = self.state().find(record.life)
            if found is None or found[1].state is not Tenancy.SPAWNING:
                self.queue.over(record.life)
                self.dispatch(model.LifeExited(record.life, Exit(-1, 0)))  # there never was one
                return
            self.dispatch(model.StillQueued((record.life,)))  # its limit is for what begins now
        try:
            self.logs.expect(target)
            spawner = await self.pool.get(target.spawner, target.log_path)
            await self.logs.there(target)
            failpoints.reached("spawn: spawner there")
            mold = await self.molds.which(record, self._target_now(record, target), spawner.key)
            if mold is None:
                self.queue.over(record.life)
                self.dispatch(model.LifeExited(record.life, Exit(-1, 0)))  # there never was one
                return
            self._keep_twice()
            process = self._start(record, self._target_now(record, target), spawner, mold)
        except WsgigroupsError as error:
            # a spawner that could not be started may be another time; one that root must not start stays that
            permanent = isinstance(error, DoubtfulInterpreterError)
            accident = isinstance(error, LostSpawnerError)
            self.dispatch(model.LifeRefused(record.life, error.message, permanent, accident))
            return
        except FrameError as error:
            self.dispatch(model.LifeRefused(record.life, str(error), permanent=True))
            return
        except OSError as error:
            self.dispatch(model.LifeRefused(record.life, f"cannot spawn: {error.strerror or error}"))
            return
        if self.state().find(record.life) is None:
            self.queue.over(record.life)
            process.channel.close()  # overtaken while the interpreter started; the child sees the end and leaves

    def _keep_twice(self) -> None:
        """Have what the first spawner keeps kept by the second, too."""
        groups = self.state().groups
        for name in self.keeping.kept_once():
            first = self.pool.ready(keeper_of(groups[name].target.spawner.key)) if name in groups else None
            if first:
                self.keeping.group(name, first)

    def _target_now(self, record: Record, target: GroupTarget) -> GroupTarget:
        """Return what the group has become while an interpreter started, where it still wants this process."""
        group = self.state().groups.get(record.group)
        return group.target if group and group.target.fingerprint == record.fingerprint else target

    def _start(self, record: Record, target: GroupTarget, spawner: AnySpawner, mold: str) -> Process:
        """Have one process forked and send it its spec. Raises OSError, FrameError, and leaves nothing open then.

        mold: the one that it comes from; its own life: it founds one.
        A child of a user's spawner gets its spec when it is known to be one: see `admit`.
        """
        spec = build_spec(target, record, self.umask)
        self._make_sure_of_room(target)
        make_counting_directory(self.pool.directory.parent, target)
        with contextlib.ExitStack() as passed:
            info = {
                "group": record.group,
                "slot": record.slot,
                "fingerprint": record.fingerprint,
                "threads": spec.serving.threads,
                "spawner": spawner.key,
                "started_at": moment(),
                "runtime": identity.own().digest if isinstance(spawner, UserSpawner) else spawner.runtime.digest,
                "code": dict(target.code),
                "revision": self.state().revision,
                **described_by(target),
                **routing.engine_of(target),
                **({"mold": mold, "mold_kind": kind_of(target)} if mold else {}),
            }
            process, fork_fds = self._process(record.life, info, passed)
            process.given = target
            failpoints.reached("spawn: connections made")
            passengers = self._passengers(process, target, passed)
            spec = replace(spec, log_token=process.log_token)
            # first, because a spawner that is lost just then leaves this process behind, too
            self.processes[record.life] = process
            try:
                if isinstance(spawner, UserSpawner):
                    daemon_end, _ours, _reports, reports_write, board_fd = fork_fds
                    spawner.send(messages.Fork(record.life, info, mold), (daemon_end, reports_write, board_fd))
                    asyncio.get_running_loop().call_later(ANSWER_TIMEOUT_S, self._no_answer, spawner, record.life)
                else:
                    spawner.send(messages.Fork(record.life, info, mold), fork_fds)
                    failpoints.reached("spawn: fork sent")
                    # it waits for its spec until it is where it belongs
                    process.hold(messages.SpecMessage(spec.to_wire()), passengers)
            except BaseException:
                del self.processes[record.life]
                process.close()  # a child that was forked already sees the end of its channel and leaves
                raise
        if mold and mold != str(record.life):
            asyncio.get_running_loop().call_later(ANSWER_S, self.molds.no_answer, record.life, mold, spawner)
        self.keeping.group(record.group, spawner)
        failed = self.remains.limit(target)
        if failed:
            asyncio.get_running_loop().call_soon(self.dispatch, model.GroupTuned(target.name, (), {}, failed))
        return process

    def _make_sure_of_room(self, target: GroupTarget) -> None:
        """Leave descriptors for everything but processes: who asks what is the matter, a spawner, the state's file.

        Raises OSError.
        """
        needed = _OF_A_START + 2 * len(target.listeners)
        if not room.reason_for_none(needed + len(self.processes), _RESERVE):
            return  # whoever has not answered yet
        answers = sum(process.pid == 0 for process in self.processes.values())  # each brings a pidfd
        full = room.reason_for_none(needed + answers, _RESERVE)
        if full:
            raise OSError(errno.EMFILE, f"the manager has no descriptors left: {full}")

    def _passengers(self, process: Process, target: GroupTarget, passed: contextlib.ExitStack) -> list[int]:
        """The descriptors of a spec: the log, the listeners, their pulses. Raises OSError."""
        held = self._listening(target)
        log_fds = self.logs.of_process(process, target)
        for fd in log_fds:
            passed.callback(os.close, fd)
        return [*log_fds, *(listener.sock.fileno() for listener in held), *(listener.pulse for listener in held)]

    def admit(self, spawner: UserSpawner, process: Process, pid: int) -> None:
        """Give a child of a user's spawner its spec, once it is certain that it is one.

        What it needs of root is done to it while it waits: it has no privileges of its own to do it with.
        """
        found, target = self.state().find(process.life), process.given
        if found is None or target is None:
            self.processes.pop(process.life).close()  # overtaken: the child sees the end and leaves
            return
        pidfd = -1
        try:
            known = {other.pid for other in self.processes.values()}
            pidfd = hold_child(pid, spawner, target.spawner.gid, known)
            self.remains.enter(process, pid, pidfd, target.uid)
            spec = build_spec(target, found[1], self.umask)
            prepare_child(pid, pidfd, spec)
            with contextlib.ExitStack() as passed:
                passengers = self._passengers(process, target, passed)
                spec = replace(spec, log_token=process.log_token)
                process.send(messages.SpecMessage(spec.to_wire()), passengers)
            self.send_routes(process, target)
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
        self.logs.named(process)
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
            process.expect_spec()
            ours.pop_all()  # they are the process's now
        return process, (theirs.fileno(), process.channel_fd, reports_fd, reports_write_fd, board_fd)

    def _listening(self, target: GroupTarget) -> list[HeldListener]:
        """Return the group's listeners in order; bind what is missing, or somebody has shut down. Raises OSError."""
        group, addresses = target.name, target.spec.listen
        try:
            mended = self.listeners.mend(group, addresses)
            if any(address not in self.listeners.of(group) for address in addresses):
                opened = self.listeners.prepare(group, target.listeners, target.uid)
                self.listeners.commit(group, target.listeners, opened, target.uid)
                self.log("info", f"{group}: listens on {', '.join(opened)} again")
        except WsgigroupsError as error:  # whoever has the address may go away: it is worth another attempt
            raise OSError(errno.EADDRINUSE, error.message) from None
        for address in mended:
            self.log("warning", f"{group}: somebody had shut {address} down, it is bound again")
        held = self.listeners.of(group)
        missing = [address for address in addresses if address not in held]
        if missing:
            raise OSError(errno.EADDRNOTAVAIL, f"nobody listens on {', '.join(missing)}")
        return [held[address] for address in addresses]

    def send_routes(self, process: Process, target: GroupTarget) -> None:
        """Send a gateway its routes, and what is published beside them. Raises OSError, FrameError."""
        routing.send(process, target, self.logs, self.published)

    def begin(self, process: Process) -> None:
        """Let a process have its spec, once it is in its cgroup."""
        found = self.state().find(process.life)
        self.logs.named(process)
        self.remains.enter(process, process.pid, process.pidfd, found[0].target.uid if found else None)
        try:
            failpoints.reached("spawn: spec about to go")
            process.begin()
            failpoints.reached("spawn: spec gone")
            if process.given:
                self.send_routes(process, process.given)
        except (OSError, FrameError) as error:
            self.processes.pop(process.life).close()  # the child sees the end of its channel and leaves
            self.remains.ended(process)
            reason = getattr(error, "strerror", None) or error
            self.dispatch(model.LifeRefused(process.life, f"cannot send a spec: {reason}"))
            return
        self.dispatch(model.LifeSpawned(process.life, process.pid))
