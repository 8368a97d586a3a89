"""`run_manager`: lock, recover, serve the control API, watch, and in the end leave nothing behind.

This is the manager process's main thread; the only other one tells whether it was stopped (heartbeat.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import resource
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING

from wsgigroups import __version__
from wsgigroups.config.addresses import MAXIMUM_SOCKET_PATH_BYTES
from wsgigroups.config.observing import places_from
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.lifecycle.watch import PERIOD_S
from wsgigroups.manager import early_signals, gateway_root, lock
from wsgigroups.manager.applying import Applying
from wsgigroups.manager.control.auditing import Audit
from wsgigroups.manager.control.handlers import Handlers
from wsgigroups.manager.control.server import ControlServer, refuse_foreign
from wsgigroups.manager.core import model
from wsgigroups.manager.core.happenings import Happening
from wsgigroups.manager.death_store import DeathStore
from wsgigroups.manager.guarding import Guard
from wsgigroups.manager.heard import HeardSignals
from wsgigroups.manager.inherited import inherited
from wsgigroups.manager.journal import Journal
from wsgigroups.manager.observing.application_metrics import ApplicationMetrics
from wsgigroups.manager.observing.observing import Observing
from wsgigroups.manager.observing.push import Pusher
from wsgigroups.manager.observing.scraping import Scrapes
from wsgigroups.manager.observing.telemetry_sender import TelemetrySender
from wsgigroups.manager.readiness import AwaitedStart
from wsgigroups.manager.renewing import CertificateWatch
from wsgigroups.manager.signals import Signals
from wsgigroups.manager.start_up import StartUp
from wsgigroups.manager.store import Store
from wsgigroups.manager.supervision.cgroups.strays import adopted
from wsgigroups.manager.supervision.heartbeat import Heartbeat
from wsgigroups.manager.supervision.logs import is_own_log
from wsgigroups.manager.supervision.passed import PassedSockets, passed_by
from wsgigroups.manager.supervision.recovery import recover
from wsgigroups.manager.supervision.shell import Outside, Shell
from wsgigroups.manager.supervision.spawners import FIRST_SOCKET
from wsgigroups.manager.supervision.vitals import Watcher
from wsgigroups.manager.systemd.fdstore import FdStore, places
from wsgigroups.manager.systemd.notifying import taken_from
from wsgigroups.manager.systemd.telling import Telling
from wsgigroups.manager.upgrade import handover
from wsgigroups.manager.upgrade.rehearsal import rehearse
from wsgigroups.manager.upgrade.upgrading import Upgrading
from wsgigroups.runtime.counted import CountedLines
from wsgigroups.runtime.text import clean
from wsgigroups.targets.resolve import surroundings
from wsgigroups.trust.sockets import TakenPathError
from wsgigroups.trust.volumes import protect
from wsgigroups.trust.walking import judging_root, make_directories, private_directory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wsgigroups.config import Configuration
    from wsgigroups.manager.observing.served_dashboard import ServedDashboard
    from wsgigroups.manager.upgrade.handover import Handover

# of the main process of a service alone, and of what it becomes; LISTEN_… names descriptors, which are handed over
_GIVEN = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "FDSTORE")
_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
OOM_SCORE_ADJ = -900  # proc_pid_oom_score_adj(5): behind everybody else, and not beyond reach


@dataclass(frozen=True, slots=True)
class ManagerOptions:
    """How to run. reload reads the configuration anew on SIGHUP; ready_fd: of who waits, readiness.py has what it gets.

    handover: of the version that this process was before; what it began with is not begun again.
    """

    run_dir: Path
    state_dir: Path
    log_dir: Path
    read_gid: int | None = None
    configuration: Configuration | None = None
    reload: Callable[[], Configuration] | None = None
    ready_fd: int | None = None
    handover: Handover | None = None


def run_manager(options: ManagerOptions) -> int:
    """Run until shut down; return the exit code. Raises WsgigroupsError when it cannot start."""
    handed = options.handover
    if handed and handed.rehearses:
        return rehearse(options.run_dir, options.state_dir)
    given = {name: os.environ[name] for name in _GIVEN if name in os.environ}
    notifier, maximum = taken_from(os.environ, log_line), places(os.environ)
    passed = passed_by(os.environ, log_line)
    if handed:
        passed = handed.sockets(log_line)
        early_signals.unblock()
    if early_signals.asked_to_end() and not handed:  # else there is something to drain
        return int(ExitCode.DONE)
    umask = os.umask(0o022)  # ours; daemons without one of their own get what was inherited
    _be_spared()
    telling = Telling(notifier, FdStore(notifier, maximum, log_line))
    run_lock, state_lock = options.run_dir / "manager.lock", options.state_dir / "manager.lock"
    held = handed.locks if handed else {}
    starter = AwaitedStart(None if handed else options.ready_fd)
    try:
        _prepare_run_dir(options.run_dir)
        Store(options.state_dir).prepare()
        with (
            lock.held(run_lock, held.get(str(run_lock), -1)) as in_run,
            lock.held(state_lock, held.get(str(state_lock), -1)) as in_state,
        ):
            locks = {run_lock: in_run, state_lock: in_state}
            if not handed:
                _refuse_foreign_socket(options.run_dir / "control.sock")
            return asyncio.run(_Manager(options, locks, telling, passed, umask, given, starter).run())
    except WsgigroupsError as error:
        notifier.send([f"STATUS={clean(error.message)}"])
        starter.tell_failed(error, runs=isinstance(error, lock.TakenLockError) and error.path == run_lock)
        raise


def _raise_descriptor_limit() -> int:
    """Let the manager have as many descriptors as it may (five for each daemon); return what daemons shall have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # a container may forbid it; then fewer daemons fit
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(soft, 0)


def _be_spared() -> None:
    """When memory runs out, daemons are to go and not who replaces them; spawners inherit it, daemons give it up."""
    with contextlib.suppress(OSError, ValueError):  # an ordinary user, or a container, may not
        with open("/proc/self/oom_score_adj", encoding="ascii") as file:
            present = int(file.read())
        if present > OOM_SCORE_ADJ:
            with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
                file.write(str(OOM_SCORE_ADJ))


def _prepare_run_dir(path: Path) -> None:
    if len(os.fsencode(path / FIRST_SOCKET)) > MAXIMUM_SOCKET_PATH_BYTES:
        raise WsgigroupsError(
            f"cannot use {path} as the run directory: its path is too long for sockets in it (unix(7))",
            hint="choose another with --run-dir",
        )
    try:
        if protect(path):
            log_line("info", f"{path.parent} is sticky now: whoever can write it could have moved {path.name} away")
        private_directory(str(path), 0o755)
    except OSError as error:
        raise WsgigroupsError(
            f"cannot use {path} as the run directory: {error.strerror}", hint="choose another with --run-dir"
        ) from None


def _refuse_foreign_socket(path: Path) -> None:
    """Before what runs is taken over: nobody could ask a manager whose socket is another's."""
    try:
        refuse_foreign(path, 0.3)
    except TakenPathError as error:
        raise WsgigroupsError(f"cannot use {path}: {error.strerror}", hint=error.hint) from None


def _prepare_log_dir(path: Path) -> None:
    try:
        os.close(make_directories(str(path), judging_root()))
    except OSError as error:
        raise WsgigroupsError(
            f"cannot use {path} as the log directory: {error.strerror}", hint="choose another with --log-dir"
        ) from None


def log_line(level: str, text: str) -> None:
    """One line to stderr; control characters of foreign text cannot forge another line."""
    _own_lines.write(_line(level, text))


def _line(level: str, text: str) -> bytes:
    stamp = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{stamp} manager pid={os.getpid()} {level}: {clean(text)}\n".encode(errors="replace")


def _tell(text: str) -> bool:
    return _own_lines.put(_line("warning", text))


_own_lines = CountedLines(2, _tell)  # a full disk or a reader that left must not stop the manager


class _Manager:
    """The parts of a running manager, put together."""

    def __init__(
        self,
        options: ManagerOptions,
        locks: dict[Path, lock.HeldLock],
        telling: Telling,
        passed: PassedSockets,
        umask: int,
        given: dict[str, str],
        starter: AwaitedStart,
    ) -> None:
        self._options = options
        self._starter = starter
        self._locks = locks
        self._telling = telling
        self._passed = passed
        self._umask = umask
        self._given = given  # what a service manager had put into the environment
        self._ending = asyncio.Event()
        self._child_ended = asyncio.Event()
        self._exit_code = int(ExitCode.DONE)

    async def run(self) -> int:
        options = self._options
        started_at = time.monotonic()
        # a signal that another thread took would be lost at a handover: it waits for this one, or for the next version
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(initializer=early_signals.block))
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        store = Store(options.state_dir)
        for revision in store.interrupt_pending():
            log_line("warning", f"how the rollout of revision {revision} ended is not known: a manager ended in it")
        _prepare_log_dir(options.log_dir)
        outside = Outside(options.run_dir, 2, log_line, _raise_descriptor_limit(), umask=self._umask)
        own_log = str(options.log_dir / "manager.log")
        outside.own_log = own_log if is_own_log(own_log) else ""
        journal = Journal(options.state_dir, log_line)
        journal.open()
        outside.record = journal.record
        deaths = DeathStore(options.state_dir, log_line)
        deaths.open()
        outside.died = deaths.record
        handed = options.handover
        outside.handovers = handed.handovers if handed else 0
        before = f", taken over from version {handed.version}" if handed else ""
        journal.record([Happening("manager-started", f"version {__version__}{before}", pid=os.getpid())])
        shell = Shell(outside)
        shell.listeners.passed = self._passed
        self._telling.begin(shell)
        applying = Applying(
            *(shell, store),
            surroundings(options.run_dir, options.log_dir, options.state_dir, store.digest_key(log_line)),
            log_line,
        )
        outside.save, outside.finished = applying.save, applying.finished
        heard = HeardSignals(asyncio.get_running_loop())
        signals = Signals(applying, options.reload, self._ending.set, self._telling, log_line, heard)
        signals.listen()
        stored = store.load_or_set_aside(log_line)
        scrapes = Scrapes(shell, started_at)
        counting = ApplicationMetrics(options.run_dir)
        observing = Observing(shell, scrapes, log_line, counting, places_from(stored.observing))
        observing.handed.update(handed.observed() if handed else {})
        applying.own.observing, applying.own.drain_delay_s = observing, stored.drain_delay_s
        adopted = await recover(shell, stored)
        if shell.state.groups:
            applying.around = inherited(stored, applying.around)
        applying.save()  # before a life is handed out: were this manager killed, the next would give the number again
        applying.socket_files.clear(shell.state)
        upgrading = Upgrading(applying, handover.command(), self._ending.set)
        handlers = Handlers(applying, journal, deaths, started_at, self._ending.set, upgrading, scrapes, counting)
        observing.make_dashboard = partial(_dashboard, handlers)
        await observing.start()
        applying.own.follow_revision(stored.revision)
        audit = Audit(options.state_dir, journal, log_line)
        server = ControlServer(options.run_dir / "control.sock", handlers, options.read_gid, log_line, audit)
        upgrading.server = server
        await server.start(handed.listener() if handed else None)
        heard.listen(signal.SIGCHLD, lambda _number: self._sigchld(shell))
        log_line("info", f"manager started, {adopted} daemons adopted")
        shell.dispatch(model.Recovered())
        shell.retuning.tell_again(shell.state)
        start_up = StartUp(applying)
        server.admit()
        watching = asyncio.create_task(self._watch(shell, applying, server))
        scaling = asyncio.create_task(shell.scaler.watch())
        renewing = asyncio.create_task(CertificateWatch(applying, log_line).watch())
        ordering = asyncio.create_task(applying.orders.watch())
        sender = TelemetrySender(shell, log_line)
        sending = asyncio.create_task(sender.watch())
        pusher = Pusher(shell, started_at, log_line)
        pushing = asyncio.create_task(pusher.watch())
        guarding = asyncio.create_task(Guard(applying, server, tuple(self._locks.values())).watch())
        try:
            shell.reopen_streams()
            signals.follow()
            configuration = await self._begins_with()
            if configuration is not None and not shell.state.stopping:
                await start_up.begin(configuration)
            self._telling.started()
            observing.begun = True
            self._starter.tell_ready()
            await self._ending.wait()
            while upgrading.begun:
                self._ending.clear()
                await upgrading.hand_over(server, self._locks, self._given, self._umask)
                if not shell.state.stopping:
                    await self._ending.wait()
            await _all_gone(shell)
        finally:
            watching.cancel()
            scaling.cancel()
            guarding.cancel()
            renewing.cancel()
            ordering.cancel()
            sending.cancel()
            sender.close()
            pushing.cancel()
            pusher.close()
            start_up.stop()
            await server.stop()
            await observing.stop()
        shell.molds.end()
        for spawner in await shell.pool.end():
            log_line("warning", f"spawner {spawner.key} (pid {spawner.pid}) did not end by itself and was killed")
        shell.unserved.close()
        await shell.logs.writer.end()
        await self._spawners_reaped(shell)
        await shell.remains.close()
        shell.listeners.close_all()
        gateway_root.remove(options.run_dir)
        applying.save()
        shell.pool.remove_left()
        self._telling.end()
        journal.record([Happening("manager-ended", pid=os.getpid())])
        journal.close()
        audit.close()
        log_line("info", "manager ended")
        early_signals.block_all()
        heard.close()
        return self._exit_code

    async def _begins_with(self) -> Configuration | None:
        """What is begun now: after a handover only what the version before could not have yet."""
        options = self._options
        if options.handover is None:
            return options.configuration
        if not options.handover.unresolved or options.reload is None:
            return None
        try:
            return await asyncio.to_thread(options.reload)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a file, what runs goes on
            log_line("error", f"the configuration cannot be read again: {error}; what runs stays")
            return None

    async def _spawners_reaped(self, shell: Shell) -> None:
        """Give the spawners that are our children the moment they need to end."""
        until = time.monotonic() + 5.0
        while shell.pool.child_pids() and time.monotonic() < until:
            self._child_ended.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._child_ended.wait(), max(0.0, until - time.monotonic()))

    def _sigchld(self, shell: Shell) -> None:
        _reap_strangers(shell)
        self._child_ended.set()

    async def _watch(self, shell: Shell, applying: Applying, server: ControlServer) -> None:
        heartbeat = Heartbeat()
        heartbeat.start()
        watcher = Watcher(shell, heartbeat.missed_s)
        try:
            while True:
                await asyncio.sleep(PERIOD_S)
                watcher.look()
                shell.pool.look(log_line)
                shell.logs.look()
                shell.unserved.look(shell.state.groups)
                shell.beside_routes.look(shell.state)
                applying.look()
                server.admit()
        finally:
            heartbeat.stop()


def _reap_strangers(shell: Shell) -> None:
    """Reap orphans that were re-parented to this subreaper; never a daemon or a spawner, whose ends others report."""
    ours = {process.pid for process in shell.processes.values()} | shell.pool.child_pids()
    ours |= shell.logs.writer.child_pids()
    # one look per child instead of waitid(P_ALL): a zombie of ours at the head of the queue would hide the others
    for pid in adopted() - ours:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _dashboard(handlers: Handlers) -> ServedDashboard:
    """Load the dashboard and make it: most managers have none."""
    from wsgigroups.manager.observing.dashboard_source import HandlersSource
    from wsgigroups.manager.observing.served_dashboard import ServedDashboard

    return ServedDashboard(HandlersSource(handlers), log_line)


async def _all_gone(shell: Shell) -> None:
    while shell.state.groups:
        await shell.changed.wait()
