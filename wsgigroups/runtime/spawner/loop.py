"""The spawner's loop: accept managers, fork daemons, reap them, keep what the next manager will ask for.

Runs in the spawner's only thread from start to end. Must never block, must have no second thread when it forks, never
sees a spec, and lets nothing that a manager or a daemon does end it: only Retire and SIGKILL do.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import socket
import sys
import threading
import time
import traceback
from typing import Callable, List, NoReturn, Optional, Sequence, Tuple

from .. import kernel
from ..log import Log
from ..wire import identity, messages, origin, rights, room
from ..wire.frames import Frame, FrameError
from ..wire.in_flight import in_flight
from ..wire.rates import Bucket
from ..wire.sender import PAUSE_S
from ..wire.words import COUNTER, WORDS
from .children import Child, Item, Registry, close
from .connection import ConnectionLostError, ManagerConnection, peer_uid
from .found_again import bound_again
from .molds import MoldRegistry
from .sessions import kill_sessions
from .strangers import RefusedConnections

MAXIMUM_CONNECTIONS = 8  # one manager, and those that have not said hello yet
_PAUSE_MS = int(PAUSE_S * 1000)  # before trying again what the kernel refused for want of descriptors
_LOOK_MS = 250  # between looks whether the next manager can find us: a service manager starts it at once
_REFUSALS, _REFUSALS_PER_S = 20.0, 1.0  # lines about connections that were refused: at once, and a second after that
_NO_REASON = 0
_RESERVE = 8  # descriptors for the next manager's connections, and for what a fork needs
_MOLDS = 2  # the first protocol that knows of them
_ALL = frozenset(map(int, signal.valid_signals()))
_HEARD_OUT = 4096  # reads of what a manager said before it was lost

# channel, reports, board, and where a founder's mold is asked and answers: turns the forked child into a daemon
Become = Callable[..., NoReturn]


class Spawner:
    """State and loop. `become` is called in each forked child and must not return.

    limits: soft RLIMIT_NOFILE of daemons, and the hard one, which is the spawner's own.
    """

    def __init__(
        self, key: str, listener: socket.socket, become: Become, log: Log, limits: Optional[Tuple[int, int]] = None
    ) -> None:
        self._limits = limits or resource.getrlimit(resource.RLIMIT_NOFILE)
        self._key = key
        self._listener = listener
        self._become = become
        self._log = log
        self._registry = Registry()
        self._molds = MoldRegistry(self._registry, log, self._tell)
        self._connections: List[ManagerConnection] = []
        self._manager: Optional[ManagerConnection] = None
        self._retiring = False
        self._accept_paused = False
        self._refused = RefusedConnections()
        self._refusals = Bucket(_REFUSALS, _REFUSALS_PER_S, time.monotonic())
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        listener.setblocking(False)
        rights.take_rights(listener, take=False)  # of strangers, until it is known who connected

    def run(self) -> int:
        """Serve until retired; returns the exit code."""
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _only_wake)
        self._reap()
        while not self._is_over():
            for fd in self._wait():
                self._serve(fd)
        for connection in self._connections:
            connection.close()
        self._log("notice", "retired")
        return 0

    def _is_over(self) -> bool:
        flushed = self._manager is None or self._manager.is_flushed
        return self._retiring and not len(self._registry) and not len(self._molds) and flushed

    def _wait(self) -> List[int]:
        if self._manager is None:
            self._be_found()
        poller = select.poll()
        poller.register(self._wake_read, select.POLLIN)
        paused = self._accept_paused
        if self._refused.is_full:  # no child could be forked for them; tried again as soon as one ends, or later
            self._refused.flush()
            paused = paused or self._refused.is_full
        if not paused and len(self._connections) < MAXIMUM_CONNECTIONS:
            poller.register(self._listener, select.POLLIN)
        for connection in self._connections:
            poller.register(connection, select.POLLIN | (select.POLLOUT if connection.wants_to_write else 0))
            unsaid_fd = connection.unsaid_fd()
            if unsaid_fd is not None:
                poller.register(unsaid_fd, select.POLLOUT)
            paused = paused or connection.starved
        for answers in self._molds.answers():
            poller.register(answers, select.POLLIN)
        ready = poller.poll(_PAUSE_MS if paused else _LOOK_MS if self._manager is None else None)
        if paused:
            self._accept_paused = False
            for connection in list(self._connections):
                if connection.starved:
                    self._guarded(connection, connection.flush)
        return [fd for fd, _events in ready]

    def _serve(self, fd: int) -> None:
        if fd == self._wake_read:
            self._drain_wake()
            self._reap()
        elif fd == self._listener.fileno():
            self._accept()
        else:
            connection = next((item for item in self._connections if fd in (item.fileno(), item.unsaid_fd())), None)
            if connection is not None:
                self._guarded(connection, lambda: self._exchange(connection))
            else:
                self._molds.hear(fd)

    def _drain_wake(self) -> None:
        try:
            while os.read(self._wake_read, 4096):
                pass
        except BlockingIOError:
            pass

    # Connections

    def _be_found(self) -> None:
        """Make the socket again that somebody has removed, as long as there is something that a manager would want."""
        if len(self._registry):
            listener = bound_again(self._listener)
            if listener is not None:
                self._accept_on(listener)
                self._log("warning", "its socket was gone, and is there again")

    def _accept(self) -> None:
        try:
            sock, _address = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            self._accept_paused = True
            self._log("error", "cannot accept a manager's connection: %s" % error)
            return
        sock.setblocking(False)
        try:
            reason = self._reason_to_refuse_peer(sock)
        except (OSError, origin.UnknownPeerError) as error:
            reason = "cannot tell who connected: %s" % error
        if reason:
            self._refused.let_go(sock)
            if self._refusals.take(1, time.monotonic()):
                self._log("warning", reason)
            return
        rights.take_rights(sock, take=True)
        self._connections.append(ManagerConnection(sock))

    def _reason_to_refuse_peer(self, sock: socket.socket) -> str:
        """Why whoever connected is no manager of ours; empty if it may be one. A daemon can have our user id."""
        uid = peer_uid(sock)
        if uid not in (0, os.geteuid()):
            return "refused a connection from uid %d" % uid
        if uid and origin.connected_by_daemon(sock):
            return "refused a connection from a process that comes from a daemon"
        return ""

    def _exchange(self, connection: ManagerConnection) -> None:
        connection.flush()
        frames = connection.receive()
        for body, fds in frames:
            if connection in self._connections:
                self._handle(connection, (body, fds))
            else:  # an earlier frame of the same read ended it
                close(fds)

    def _guarded(self, connection: ManagerConnection, work: Callable[[], None]) -> None:
        """Do the work; when it shows that the connection is lost, forget it."""
        try:
            work()
        except (ConnectionLostError, FrameError) as error:
            if str(error):
                self._log("warning", "dropped a manager's connection: %s" % error)
            self._hear_out(connection)
            self._forget(connection)
        except Exception:  # noqa: BLE001 - our own mistake in one conversation must not end the keeper of all daemons
            self._log("error", "dropped a manager's connection:\n%s" % traceback.format_exc())
            self._forget(connection)

    def _hear_out(self, connection: ManagerConnection) -> None:
        """Note what it said before it was lost: a write shows its end first, and a Retire may wait to be read."""
        if connection is not self._manager:
            return
        with contextlib.suppress(ConnectionLostError, FrameError):
            for _read in range(_HEARD_OUT):
                frames = connection.receive()
                for body, fds in frames:
                    if body["type"] in ("keep", "drop", "retire"):
                        self._handle(connection, (body, fds))
                    else:
                        close(fds)
                if not frames:
                    return

    def _forget(self, connection: ManagerConnection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
        if connection is self._manager:
            self._manager = None
        connection.close()

    def _tell(self, message: messages.Message, fds: "tuple[int, ...]" = ()) -> None:
        """Send to the present manager; without one nothing is lost, the inventory has it all."""
        manager = self._manager
        if manager is not None:
            self._guarded(manager, lambda: manager.send(message, fds))

    # Messages

    def _handle(self, connection: ManagerConnection, frame: Frame) -> None:
        body, fds = frame
        try:
            message = messages.decode(body)
        except messages.MessageError as error:
            close(fds)
            self._log("warning", "ignored a message: %s" % error)
            return
        if isinstance(message, messages.Hello):
            if len(fds) == 1:
                connection.report_on(fds.pop())
            close(fds)
            self._greet(connection, message)
        elif isinstance(message, messages.Look):
            close(fds)
            self._describe(connection)
        elif connection is not self._manager:
            close(fds)
            raise ConnectionLostError("it spoke before its hello, or after another manager's")
        elif isinstance(message, messages.Fork):
            self._fork(message, fds, dropped=bool(body.get("dropped")))
        elif isinstance(message, messages.Keep):
            self._keep(message, fds, dropped=bool(body.get("dropped")))
        elif isinstance(message, messages.Listen):
            self._listen(fds)
        else:
            if isinstance(message, messages.Reopen) and len(fds) == 1:
                os.dup2(fds[0], 1)
                os.dup2(fds[0], 2)
            close(fds)
            if isinstance(message, messages.Drop):
                self._drop(message)
            elif isinstance(message, messages.Retire):
                self._retiring = True
                self._molds.end_all()  # nothing is forked any more
            elif isinstance(message, messages.Ping):
                connection.send(messages.Pong(message.number))
            elif not isinstance(message, messages.Reopen):
                self._log("warning", "ignored a message: %s is not for a spawner" % body["type"])

    def _drop(self, message: messages.Drop) -> None:
        if message.kind == "mold":
            self._molds.drop(message.key)
        else:
            self._registry.drop(message.kind, message.key)

    def _greet(self, connection: ManagerConnection, hello: messages.Hello) -> None:
        if self._manager is not None and self._manager is not connection:
            self._log("notice", "a manager with pid %d took over" % hello.pid)
            self._forget(self._manager)
        self._manager = connection
        connection.send(self._hello())
        if hello.abi != messages.ABI:
            self._log("warning", "the manager speaks ABI %d, this spawner %d" % (hello.abi, messages.ABI))
        if not connection.reports:  # else it has all of it from elsewhere, and would not believe it from here
            self._give_back(connection)
        for exited in self._registry.exits():
            connection.send(exited)
        connection.send(messages.InventoryEnded())
        if hello.protocol >= _MOLDS:
            for molded in self._molds.told():
                connection.send(molded)

    def _hello(self) -> messages.Hello:
        python = sys.version.split()[0].rstrip("+")
        own = identity.own()
        return messages.Hello(
            messages.ABI, os.getpid(), self._key, python, sys.executable, messages.PROTOCOL, own.path, own.digest
        )

    def _describe(self, connection: ManagerConnection) -> None:
        """Tell somebody who is no manager what is kept."""
        connection.send(self._hello())
        for kind, key, item in self._registry.items():
            connection.send(messages.Kept(kind, key, item.info))
        for child in self._registry.children():
            connection.send(messages.Kept("process", str(child.life), dict(child.info, pid=child.pid)))
        connection.send(messages.InventoryEnded())

    def _listen(self, fds: List[int]) -> None:
        """Take another socket to accept on. Who calls listen(2) is who a manager finds behind it (unix(7))."""
        if len(fds) != 1:
            close(fds)
            self._log("warning", "ignored a message: %d descriptors are no listener" % len(fds))
            return
        try:
            listener = socket.socket(fileno=fds[0])
        except OSError as error:
            close(fds)
            self._log("error", "cannot listen on what is no socket: %s" % error)
            return
        try:
            listener.listen(4)
            self._accept_on(listener)
        except OSError as error:
            listener.close()
            self._log("error", "cannot listen on another socket: %s" % error)

    def _accept_on(self, listener: socket.socket) -> None:
        """Take a socket that listens in the place of the one before. Raises OSError."""
        listener.setblocking(False)
        rights.take_rights(listener, take=False)
        self._listener.close()
        self._listener = listener

    def _give_back(self, connection: ManagerConnection) -> None:
        for kind, key, item in self._registry.items():
            connection.send(messages.Kept(kind, key, item.info), item.descriptors)
        for child in self._registry.children():
            info = dict(child.info, pid=child.pid)
            connection.send(messages.Kept("process", str(child.life), info), child.descriptors())

    def _keep(self, message: messages.Keep, fds: List[int], *, dropped: bool) -> None:
        full = room.full() if dropped else room.reason_for_none(0, _RESERVE)
        if full:
            close(fds)
            self._log("error", "cannot keep %s %s: %s" % (message.kind, message.key, full))
            return
        self._registry.keep(message.kind, message.key, Item(message.info, fds))

    # Processes

    def _fork(self, request: messages.Fork, fds: List[int], *, dropped: bool) -> None:
        reason = self._reason_to_refuse(request, fds, dropped=dropped)
        if reason:
            close(fds)
            self._refuse(request, reason)
            return
        manager_end = reports = -1
        if len(fds) == 5:
            daemon_end, manager_end, reports, reports_write, board = fds
        else:
            daemon_end, reports_write, board = fds
        ours, theirs = [manager_end, reports, board], [daemon_end, reports_write]
        if request.mold and request.mold != str(request.life):
            reason = self._molds.ask(request, (daemon_end, reports_write, board), ours)
            close(fds if reason else theirs)
            if reason:
                self._refuse(request, reason)
            return
        founder_fds: Sequence[int] = ()
        try:
            founder_fds = self._molds.prepare(request) if request.mold else ()
            pid, pidfd = self._fork_off(daemon_end, reports_write, board, *founder_fds)
        except OSError as error:
            close(fds)
            if founder_fds:
                self._molds.founded(request.mold, 0)
            self._refuse(request, "cannot fork: %s" % error)
            return
        finally:
            close(list(founder_fds))
        if request.mold:
            self._molds.founded(request.mold, pid)
        close(theirs)
        self._registry.add(Child(request.life, pid, request.info, pidfd, *ours))
        self._tell(messages.Spawned(request.life, pid), (pidfd,))

    def _fork_off(self, *passed: int) -> Tuple[int, int]:
        """Fork a daemon with these descriptors; return its pid and a pidfd. Raises OSError."""
        # With signals blocked none can arrive in the child while it still has the parent's handlers and wake-up pipe.
        unblocked = kernel.signals.pthread_sigmask(signal.SIG_BLOCK, _ALL)
        # Before the fork and not after it: whoever may raise a limit of the child must not be overtaken by the child.
        self._limit_descriptors(self._limits[0])
        try:
            try:
                pid = os.fork()
                if pid == 0:
                    self._become(*passed)
            finally:
                self._limit_descriptors(self._limits[1])
            try:
                return pid, kernel.pidfd_open(pid)  # the zombie at least is there: only this thread reaps
            except OSError:
                os.kill(pid, signal.SIGKILL)
                raise
        finally:
            kernel.signals.pthread_sigmask(signal.SIG_SETMASK, unblocked)

    def _limit_descriptors(self, soft: int) -> None:
        with contextlib.suppress(OSError, ValueError):  # a container may forbid it; then fewer daemons fit
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, self._limits[1]))

    def _reason_to_refuse(self, request: messages.Fork, fds: List[int], *, dropped: bool) -> str:
        wanted = 3 if self._manager is not None and self._manager.reports else 5
        full = room.full() if dropped else room.reason_for_none(1, _RESERVE)
        if full:
            return "cannot fork: %s" % full
        if len(fds) != wanted:
            return "cannot fork with %d descriptors: %d are needed" % (len(fds), wanted)
        if self._retiring:
            return "cannot fork: this spawner is retiring"
        if self._registry.has_life(request.life):
            return "cannot fork: life %d is running" % request.life
        if threading.active_count() != 1:
            return "cannot fork: this spawner has %d threads" % threading.active_count()
        return self._molds.reason_to_refuse(request) if request.mold else ""

    def _refuse(self, request: messages.Fork, reason: str) -> None:
        self._log("error", "life=%d %s" % (request.life, reason))
        self._tell(messages.Refused(request.life, reason))

    def _reap(self) -> None:
        """Take every child that has ended. SIGCHLD coalesces (signal(7)), so look until there is none."""
        self._molds.hear_all()
        while True:
            try:
                # WNOWAIT: the zombie stays and pins its pid until its session has been killed.
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            if not self._registry.has_process(found.si_pid):
                if self._molds.reaping(found.si_pid):
                    kill_sessions({found.si_pid}, apart=self._registry.pids())
                os.waitpid(found.si_pid, 0)
                continue
            dead = {child.pid for child in self._registry.dead()} | {found.si_pid}
            # a child that lives leads a session of its own, or is still in ours (setsid(2): nobody joins another's)
            for pid, left in kill_sessions(dead, apart=self._registry.pids()).items():
                self._take(pid, left)

    def _take(self, pid: int, left: int) -> None:
        """Reap one child and tell of its end; left: processes of its session that were killed."""
        self._molds.reaping(pid)  # a founder before its mold
        _pid, status, usage = os.wait4(pid, 0)
        child = self._registry.remove(pid)
        if child is None:
            return
        if left:
            self._log("notice", "life=%d pid=%d left %d processes behind: killed" % (child.life, pid, left))
        words = child.words()
        exited = messages.Exited(
            life=child.life,
            pid=pid,
            exit_code=os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1,
            signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
            user_s=usage.ru_utime,
            system_s=usage.ru_stime,
            maximum_rss_bytes=usage.ru_maxrss * 1024,
            reason=words.get("reason", _NO_REASON) & 0xFFFF,
            info=child.info,
            words={word.name: words[word.name] for word in WORDS if word.kind == COUNTER and word.name in words},
            in_flight=in_flight(child.board, child.threads),
            ended_at=time.time(),
        )
        close(child.descriptors())
        self._registry.ended(exited)
        self._tell(exited)


def _only_wake(_number: int, _frame: object) -> None:
    """The wake-up descriptor has the signal's number; the loop does the work."""
