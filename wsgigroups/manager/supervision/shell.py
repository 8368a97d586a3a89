"""The manager's shell: turns what happens into events for the core, and the core's commands into system calls.

Runs in the manager's only thread, on its event loop. Decides nothing; never waits for a process.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from wsgigroups.errors import WsgigroupsError
from wsgigroups.lifecycle import backoff
from wsgigroups.lifecycle.step import Exit
from wsgigroups.manager import failpoints
from wsgigroups.manager.core import handling, model
from wsgigroups.manager.core.deadlines import GroupDeadlines, earliest
from wsgigroups.manager.core.happenings import Happening, happened
from wsgigroups.manager.core.totals import counters, of_sites
from wsgigroups.manager.store import LIFE_STEP
from wsgigroups.manager.supervision import closing, dying, logs, own, rejoining, rolling, routing
from wsgigroups.manager.supervision.beside_routes import BesideRoutes, may_stop
from wsgigroups.manager.supervision.cgroups.remains import Remains
from wsgigroups.manager.supervision.connected_spawners import ConnectedSpawner
from wsgigroups.manager.supervision.directories import Directories
from wsgigroups.manager.supervision.forking import Forking
from wsgigroups.manager.supervision.group_log import GroupLog
from wsgigroups.manager.supervision.keeping import Keeping, keeper_of, kept_processes
from wsgigroups.manager.supervision.letting_go import LettingGo
from wsgigroups.manager.supervision.listeners import Listeners
from wsgigroups.manager.supervision.logs import Logs
from wsgigroups.manager.supervision.molds import Molds
from wsgigroups.manager.supervision.processes import Hooks, Process
from wsgigroups.manager.supervision.retuning import Retuning
from wsgigroups.manager.supervision.scaler import Scaler
from wsgigroups.manager.supervision.spawners import AnySpawner, SpawnerPool
from wsgigroups.manager.supervision.starting import KEEPER, keeper_target
from wsgigroups.manager.supervision.state_texts import StateTexts
from wsgigroups.manager.supervision.throughput import Throughput
from wsgigroups.manager.supervision.unserved import UnservedGroups
from wsgigroups.manager.supervision.user_spawners import UserSpawner
from wsgigroups.manager.supervision.utilisation import Utilisation
from wsgigroups.manager.supervision.vitals import pss_of, usage
from wsgigroups.manager.supervision.weighing import Weighing
from wsgigroups.runtime.wire import board, messages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from wsgigroups.lifecycle.step import Record
    from wsgigroups.manager.core.deaths import Death
    from wsgigroups.plan.desired import SpawnerTarget

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
    own_log: str = ""  # the file that log_fd is; "" where it is none of ours
    umask: int = 0o022  # of daemons whose groups set none: what the manager inherited
    handovers: int = 0  # how often this process has become another version
    save: Callable[[], bool] = lambda: True  # whether the state was stored
    finished: Callable[[model.Change], None] = lambda _change: None
    record: Callable[[Iterable[Happening]], None] = lambda _happenings: None
    died: Callable[[Death], None] = lambda _death: None


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
    unreachable: dict[tuple[str, str], str] = field(default_factory=dict)  # group, address → why it is not bound again
    # entries of a former manager's state that are not in force here: stored again until an apply asks for something
    unadopted: dict[str, dict[str, Any]] = field(default_factory=dict)
    texts: StateTexts = field(default_factory=StateTexts)  # of what is stored
    utilisation: Utilisation = field(default_factory=Utilisation)
    weighing: Weighing = field(init=False)
    pool: SpawnerPool = field(init=False)
    keeping: Keeping = field(init=False)
    quotas: GroupLog = field(init=False)
    logs: Logs = field(init=False)
    remains: Remains = field(init=False)
    molds: Molds = field(init=False)
    forking: Forking = field(init=False)
    unserved: UnservedGroups = field(init=False)
    _timer: asyncio.TimerHandle | None = None
    _deadlines: GroupDeadlines = field(default_factory=GroupDeadlines)
    _acknowledging: asyncio.TimerHandle | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _attempts: dict[str, int] = field(default_factory=dict)  # to start a spawner again, by its key
    hooks: Hooks = field(init=False)
    letting_go: LettingGo = field(init=False)
    published: routing.Published = field(default_factory=routing.Published)
    beside_routes: BesideRoutes = field(init=False)
    retuning: Retuning = field(init=False)
    scaler: Scaler = field(init=False)
    throughput: Throughput = field(default_factory=Throughput)
    directories: Directories = field(default_factory=Directories)

    def __post_init__(self) -> None:
        out = self.outside
        self.remains = Remains(
            out.run_dir, out.log, partial(own.spared, self), self.listeners.marks, partial(own.movable, self)
        )
        self.logs = Logs(out.run_dir, out.log_fd, out.log)
        self.pool = SpawnerPool(
            *(out.run_dir, out.log_fd, self._spawner_message, self._spawner_lost, partial(rejoining.rejoin, self)),
            *(self.remains.users, self.logs, out.descriptor_limit),
        )
        self.keeping = Keeping(self.pool, self.listeners, out.log)
        self.quotas = GroupLog(out.log)
        self.weighing = Weighing(pss_of)
        self.unserved = UnservedGroups(self.listeners, out.log_fd, out.log)
        self.hooks = Hooks(self._daemon_message, self._daemon_cut, self._daemon_exited)
        self.retuning = Retuning(self.processes, self.remains, self.logs, self.dispatch, self.published)
        self.beside_routes = BesideRoutes(self.published, self.processes, self.logs, out.log)
        self.scaler = Scaler(lambda: self.state, self.processes, self.listeners, self.dispatch)
        self.letting_go = LettingGo(lambda life: self.dispatch(model.LifeLetGo(life)))
        self.molds = Molds(
            *(self.pool, self.remains, self.processes, lambda: self.state, self.dispatch, out.log),
            lambda: self.changed,
        )
        self.forking = Forking(
            *(self.pool, self.listeners, self.keeping, self.remains, self.processes, self.hooks),
            *(lambda: self.state, self.dispatch, out.log, self.logs, out.umask, self.published),
            self.molds,
        )

    def dispatch(self, event: model.Event) -> None:
        """Let the core handle one event and carry out what it says."""
        now = time.monotonic()
        for known in (*rolling.before(self.state, event, now), *rolling.due(self.state, self.processes, event, now)):
            self.dispatch(known)
        before = self.state
        self.state, commands = handling.handle(before, event, now)
        self.outside.record(happened(before, event, self.state, commands))
        if self.state.next_life // LIFE_STEP != before.next_life // LIFE_STEP:
            self.outside.save()
        failpoints.reached("turn: handled")
        if isinstance(event, (model.LifeBecameReady, model.LifeExited, model.LifeRefused)):
            self.forking.queue.over(event.life)
        for command in commands:
            self._perform(command)
        failpoints.reached("turn: carried out")
        if may_stop(event, commands):
            self.beside_routes.look(self.state)
        self._arm(before)
        self.molds.look_soon()
        self.tell_changed()

    def tell_changed(self) -> None:
        """Have everybody look who waits for something to happen."""
        self.changed.set()
        self.changed = asyncio.Event()

    def _arm(self, before: model.State | None = None) -> None:
        """Have time alone be noticed. before: the state that the present one follows from, by one event."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        groups, former = self.state.groups, before.groups if before else None
        deadline = earliest(self._deadlines.next(groups, former, self.state.touched), self.state.drains_at)
        if deadline is not None:
            self._timer = asyncio.get_running_loop().call_at(deadline, self.dispatch, model.Tick())

    def postpone(self, late_s: float) -> None:
        """The manager itself was stopped for this long: nobody is killed for that."""
        self.state = handling.extend_deadlines(self.state, late_s)
        self._arm()

    def _perform(self, command: model.Command) -> None:
        match command:
            case model.SpawnLife(record, target):
                failpoints.reached("spawn: asked for")
                task = asyncio.get_running_loop().create_task(self.forking.spawn(record, target))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            case model.DrainLife(record):
                self._drain(record)
            case model.KillLife(record, after_s):
                self._kill(record.life, after_s)
            case model.TuneGroup(target, lives):
                self.retuning.tell(target, lives)
            case model.ServeOn(lives) | model.PartFromClients(lives):
                kind = messages.PartMessage if isinstance(command, model.PartFromClients) else messages.Tune
                for process in filter(None, map(self.processes.get, lives)):
                    process.send(kind(process.life))
            case model.ReleaseGroup(group):
                failpoints.reached("release: about to begin")
                self.quotas.forget(group)
                closing.forget(self, group, list(self.listeners.of(group)))
                failpoints.reached("release: listeners closed")
                self.remains.release(group)
                self._retire_users()
                failpoints.reached("release: done")
            case model.FinishChange(change):
                failpoints.reached("end: change over")
                self.remains.flush()
                self.outside.log("info", f"change {change.id} ({change.kind}): {change.outcome}")
                for group in change.groups:
                    closing.release_unwanted(self, group)
                self._retire_users()
                self.outside.save()
                failpoints.reached("end: state stored")
                self.outside.finished(change)
            case model.StoreState():
                self._store_later()
            case model.Note(level, text, group):
                self.quotas.log(group, level, text)

    def _drain(self, record: Record) -> None:
        process = self.processes.get(record.life)
        if process:
            failpoints.reached("drain: about to go")
            self.remains.leaves(process)
            closing.drain(self, process, record)
            failpoints.reached("drain: gone")
            if record.window_s <= 0:
                self.letting_go.follow(process)

    def _kill(self, life: int, after_s: float) -> None:
        process = self.processes.get(life)
        if process and after_s:
            process.dump_stacks()
            asyncio.get_running_loop().call_later(after_s, self.remains.kill, process)
        elif process:
            self.remains.kill(process)

    def reopen_logs(self) -> None:
        """Open every log again, the manager's own included: somebody has renamed the files."""
        if self.outside.own_log:
            try:
                logs.reopen_own(self.outside.own_log)
            except OSError as error:
                self.outside.log("error", f"cannot open {self.outside.own_log} again: {error.strerror}")
        for spawner in self.pool.all():
            self._try(spawner.key, partial(spawner.send, messages.Reopen(), (self.outside.log_fd,)))
        self.logs.reopen_outlets()
        for process in self.processes.values():
            found = self.state.find(process.life)
            if found and process.pid > 0:
                if not process.log_said:
                    self._try(self._name(process), partial(self.logs.retarget, process, found[0].target))
                self._try(self._name(process), partial(self.forking.send_routes, process, found[0].target))

    def reopen_streams(self) -> None:
        """Give those that write to a former manager's streams ours, and the log writer what it writes to."""
        for process in self.processes.values():
            found = self.state.find(process.life)
            if found and process.pid > 0 and logs.is_the_managers(found[0].target):
                self._try(self._name(process), partial(self.logs.retarget, process, found[0].target))
                self._try(self._name(process), partial(self.forking.send_routes, process, found[0].target))

    def _try(self, who: str, reopen: Callable[[], None]) -> None:
        try:
            reopen()
        except OSError as error:
            self.outside.log("error", f"{who} keeps the log that it has: {error.strerror}")

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
                self.forking.admit(spawner, process, pid)
            case messages.Spawned(_life, pid) if process and len(fds) == 1:
                failpoints.reached("spawn: forked")
                process.watch(pid, fds.pop())
                self.forking.begin(process)
            case messages.Refused(life, reason) if process and process.pid == 0:
                self.processes.pop(life).close()
                # of a mold that is gone, which is followed by another one
                accident = process.info.get("mold", str(life)) != str(life)
                self.dispatch(model.LifeRefused(life, reason[:4096], accident=accident))
            case messages.Molded():
                self.molds.came(spawner, message)
                self.tell_changed()
            case messages.Unmolded():
                self.molds.gone(spawner, message)
                self.tell_changed()
            case messages.Exited():
                self.take_exit(spawner, message)
            case messages.Spawned() if process is None and isinstance(spawner, ConnectedSpawner) and fds:
                rejoining.end_unwanted(self, message.life, message.pid, fds[0])
            case _:
                text = f"spawner {spawner.key}: {type(message).__name__} concerns nothing here"
                self.quotas.log(f"spawner {spawner.key}", "warning", text)
        for fd in fds:
            os.close(fd)

    def take_exit(self, spawner: AnySpawner, message: messages.Exited) -> None:
        """How it ended is the spawner's word, that it did is seen: a user's spawner could tell of the end of a life."""
        process = self.processes.get(message.life)
        if process is None or process.info["spawner"] != spawner.key:  # its spec could not be sent, or another's
            spawner.send(messages.Drop("process", str(message.life)))
            return
        if isinstance(spawner, UserSpawner) and not process.has_ended:
            spawner.end(f"it told of the end of pid {process.pid}, which is alive")
            return
        failpoints.reached("exit: told")
        process.spent = dying.spent_by(message)
        process.reported(Exit(message.exit_code, message.signal))

    def _spawner_lost(self, spawner: AnySpawner) -> None:
        self.pool.child_pids()
        self.molds.lost(spawner.key)
        if self.state.draining:
            return
        why = f": {spawner.why}" if isinstance(spawner, UserSpawner) else ""
        what = f"spawner {spawner.key} (pid {spawner.pid})"
        forked = any(process.forked_by == spawner.key for process in self.processes.values())
        if isinstance(spawner, ConnectedSpawner) and spawner.former_of and not forked:
            self.outside.log("info", f"{what} has ended with its last process")
        else:
            self.outside.log("error", f"{what} is gone, its daemons are adopted{why}")
        for process in list(self.processes.values()):
            if process.forked_by == spawner.key:
                if isinstance(spawner, ConnectedSpawner) and spawner.former_of:
                    process.info["spawner"] = spawner.former_of  # who keeps it from now on
                if process.pid:
                    process.adopt()
                else:
                    # one that was ended for what it did would do it again
                    reason = f"its spawner (pid {spawner.pid}) is gone{why}"
                    rejoining.not_forked(self, process.life, reason, accident=not why.strip(": "))
        if isinstance(spawner, UserSpawner):
            return  # it kept nothing, and the next fork starts another
        key = spawner.former_of or spawner.key
        if any(keeper_of(group.target.spawner.key) == key for group in self.state.groups.values()):
            asyncio.get_running_loop().call_later(RESPAWN_S, self._respawn, key)

    def succeed_former(self) -> None:
        """Start spawners in the place of those of another version, which end with their last process."""
        for former in self.pool.former():
            text = "it forks nothing any more, its processes go on until they are replaced"
            self.outside.log("info", f"spawner {former.key} (pid {former.pid}) has the runtime of another one: {text}")
            if not self._respawn(former.former_of):
                self.pool.retire_former(former.former_of)

    def _respawn(self, key: str) -> bool:
        """Start a spawner anew, so that what the old one kept is kept again; False when no group has a use for it."""
        for group in self.state.groups.values():
            if group.bare:
                continue  # what such a spawner is started with is not known
            if keeper_of(group.target.spawner.key) == key and not self.state.draining:
                spawner = keeper_target() if key == KEEPER else group.target.spawner
                task = asyncio.get_running_loop().create_task(self._hand_over(spawner))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                return True
        return False

    async def _hand_over(self, target: SpawnerTarget) -> None:
        try:
            spawner = await self.pool.get(target)
        except (WsgigroupsError, OSError) as error:
            attempts = self._attempts[target.key] = self._attempts.get(target.key, 0) + 1
            delay_s = max(RESPAWN_S, backoff.delay_s(attempts, attempts))
            self.outside.log("error", f"{error}; it is tried again in {delay_s:.2g} s")
            asyncio.get_running_loop().call_later(delay_s, self._respawn, target.key)
            return
        self._attempts.pop(target.key, None)
        for name, group in self.state.groups.items():
            if keeper_of(group.target.spawner.key) == target.key:
                self.keeping.group(name, spawner)
        for process in kept_processes(self.processes.values(), target.key):
            self.keeping.process(process, spawner)
        self.pool.retire_former(target.key)

    # What daemons say

    def _daemon_message(self, process: Process, message: messages.Message) -> bool:
        """Take what a daemon reports; False for what is not a daemon's to say."""
        life = process.life
        match message:
            case messages.Ready() if message.life == life:
                process.confined = message.confinement
                process.start_bytes = usage(process.pid, pss=False).rss_bytes
                failpoints.reached("ready: heard")
                self.unserved.serves(process.group)
                self.dispatch(model.LifeBecameReady(life))
                failpoints.reached("ready: handled")
                self._catch_up(process)
                self.scaler.became_ready(process.group)
            case messages.Failed() if message.life == life:
                text = message.message[:4096]
                self.quotas.log(process.group, "error", f"{self._name(process)}: {text}")
                reason = message.reason if message.reason in board.REASON else ""
                self.dispatch(model.LifeFailed(life, message.step[:64], text, message.traceback[:65536], reason))
            case messages.InFlight() if message.life == life:
                process.testimony = dying.testimony_of(process, message)
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
            self.retuning.tell(found[0].target, (process.life,))

    def _daemon_exited(self, process: Process, status: Exit) -> None:
        failpoints.reached("exit: seen")
        self.processes.pop(process.life, None)
        group, snapshot = process.group, process.snapshot()
        counted = {**(counters(snapshot.values) if snapshot else {}), **of_sites(process.site_pages.read())}
        kills, before = self.remains.ended(process), self.state.find(process.life)
        # first, because the state may be stored on the way
        self.acknowledge_later(process.life, CountedExit(group, str(process.info["spawner"])))
        end = (dying.signal_name(status.signal), bool(snapshot and snapshot.busy), process.spent.cpu_s)
        self.dispatch(model.LifeExited(process.life, status, counted, group, kills > 0, *end))
        dying.record(self.state, self.outside, process, before, status, out_of_memory=kills > 0)
        failpoints.reached("exit: handled")
        closing.release_unwanted(self, group)
        self._retire_users()  # it may have been the last, after the change that it was replaced by

    def acknowledge_later(self, life: int, counted: CountedExit) -> None:
        """Let the spawner forget an exit once the state that has what the process counted is stored.

        A manager that dies before that leaves it to the next one, which is told of the exit again.
        """
        self.unacknowledged[life] = counted
        self._store_later()

    def _store_later(self) -> None:
        """Store the state soon: what happens to many groups at once is stored together."""
        if self._acknowledging is None:
            self._acknowledging = asyncio.get_running_loop().call_later(ACKNOWLEDGE_S, self._acknowledge)

    def settle(self) -> None:
        """Store at once what exits have changed: a manager that follows must not take back what is told now."""
        if self._acknowledging is not None:
            self._acknowledging.cancel()
            self._acknowledge()

    def _acknowledge(self) -> None:
        self._acknowledging = None
        if not self.outside.save():
            self._acknowledging = asyncio.get_running_loop().call_later(AGAIN_S, self._acknowledge)
            return
        failpoints.reached("exit: state stored")
        for life, counted in self.unacknowledged.items():
            self.keeping.forget_process(life, counted.spawner)
        self.unacknowledged.clear()
        failpoints.reached("exit: acknowledged")

    def _name(self, process: Process) -> str:
        return f"{process.info['group']}/{process.info['slot']} life={process.life} pid={process.pid}"
