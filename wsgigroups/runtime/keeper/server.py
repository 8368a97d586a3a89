"""nginx as the gateway: what the daemon's main thread sees of it, as runtime/gateway/server.py is for the embedded one.

The main thread starts it, tells it other configurations and ends it. A thread of the keeper's own listens to what it
says, counts its answers, starts another one when it has died, and beats the heart.
"""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Dict, List, Optional, Sequence, Set

from .. import kernel
from ..gateway.table import RoutesError
from ..log import bounded
from ..originals import Lock, os, select, signal, socket, time
from ..threads import ServerThread
from ..wire.board import LISTENING, WORD, Board
from ..wire.routes import PARTING_FILE
from . import program
from .generations import Generation, new_pipe, private_directory, remove_tree, write_private
from .program import Program, children_of, is_worker, takes_requests
from .sayings import TALLY, AnswerTally, ErrorLog

BASE = "nginx"  # in the root of the process, its working directory: with a directory for each user, that one's alone
CONFIGURATION = "nginx.conf"
_START_S = 50.0  # until a worker takes requests, of a file that may name thousands of certificates
_RELOAD_S = 50.0  # likewise, until all that take requests go by the new file
_LOOK_S = 0.005  # how often is looked, while it starts or reads a file
_BEAT_S = 1.0
_LEAST_LIFE_S = 1.0  # the manager knows how long to wait for what dies at once


class KeeperServer:
    """Serves sites by an nginx of its own until it is told to stop."""

    def __init__(
        self,
        *,
        path: str,
        base: str = "",
        listeners: Sequence[socket.socket],
        board: Board,
        log: Callable[[str, str], None],
        name: str,
        least_life_s: float = _LEAST_LIFE_S,
    ) -> None:
        """Set up everything but nginx. Raises OSError.

        path: the executable. base: the directory for a directory of ours, else as BASE says; name: of that. listeners:
        listening sockets, shared with siblings. least_life_s: one that dies sooner is not started again by us.
        """
        self.on_maximum_requests: Optional[Callable[[], None]] = None  # it does not leave because of them
        self.on_all_shut: Callable[[], None] = lambda: None
        self.on_failure: Callable[[], None] = lambda: None
        self._log = bounded(log)
        self._least_life_s = least_life_s
        self._words = board.words
        self._listeners = list(listeners)
        for sock in self._listeners:
            sock.setblocking(False)  # nginx takes them as they are
        self._directory, self._held = private_directory(
            os.path.abspath(base or os.path.join(BASE, str(os.getuid()))), name
        )
        self._file = os.path.join(self._directory, CONFIGURATION)
        fds = [sock.fileno() for sock in self._listeners]
        self._program = Program(path, self._directory, fds, [self._held])
        self._said_read, self._said_write = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._said_read, False)
        self._errors = ErrorLog(self._said_read, self._log)
        self._tally_fd = new_pipe(os.path.join(self._directory, TALLY))
        self._tally = AnswerTally(self._tally_fd, self._words)
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._epoll = select.epoll()
        self._sources: Dict[int, Callable[[], object]] = {}  # what is done when there is something to read, in epoll
        self._hear(self._said_read, self._errors.pump)
        self._hear(self._tally_fd, self._tally.pump)
        self._hear(self._wake_read, lambda: os.read(self._wake_read, 4096))
        self._lock = Lock()  # held by who starts nginx, or changes what it goes by
        self._master = 0  # pid; 0: none runs
        self._born_s = 0.0
        self._workers: Set[int] = set()  # of the one that runs, as far as they have been seen
        self._orphans: List[int] = []  # workers of one that has died
        self._now: Optional[Generation] = None
        self._before: List[Generation] = []  # those that somebody may go by
        self._stopping = False
        self._cut = False  # what it has in hand is not waited for
        self._gone = False  # every process of it
        self._shut = False
        self._thread = ServerThread("wsgigroups-keeper", self._run)

    # Routes: the main thread's

    def route(self, text: bytes, number: int, directories: List[int], logs: List[int]) -> None:
        """Go by this configuration from now on: when this returns, every request that begins does.

        It is nginx's file, whose relative paths begin in the keeper's directory; number: the name that it has there.
        The descriptors stay the caller's. Requests that have begun keep what they were begun with. Raises RoutesError:
        all is as it was.
        """
        with self._lock:
            try:
                self._go_by(text, number, directories, logs)
            except OSError as error:
                raise RoutesError("nginx cannot be told them: %s" % error) from None

    def _go_by(self, text: bytes, number: int, directories: List[int], logs: List[int]) -> None:
        now = self._now
        if now is not None and now.number == number:  # the logs are others
            now.reopen(logs)
            return
        new = next((item for item in self._before if item.number == number), None)
        if new is None:
            new = Generation(self._directory, number, text, directories, logs, self._log)
            for pipe in new.pipes:
                self._hear(pipe, lambda pipe=pipe, new=new: new.pump(pipe))  # type: ignore[misc]
        else:  # some go by it still
            self._before.remove(new)
            new.reopen(logs)
        try:
            if now is None:
                self._put_in_place(new)
                self._begin()
            else:
                self._reload(now, new)
        except (RoutesError, OSError):
            self._retire(new)
            if now is not None:
                self._put_in_place(now)
            raise
        self._now = new
        if now is not None:
            self._retire(now)

    def _put_in_place(self, generation: Generation) -> None:
        """Have nginx find this when it reads its file the next time. Raises OSError."""
        write_private(self._file + ".new", generation.text)
        os.replace(self._file + ".new", self._file)

    def _begin(self) -> None:
        """Start it, and wait for its first worker. Raises RoutesError, OSError."""
        self._errors.failure = ""
        self._start()
        self._await_worker(time.monotonic() + _START_S)

    def _await_worker(self, until_s: float) -> None:
        """Wait until a worker takes requests: before, a signal would end it. Raises RoutesError."""
        while not any(map(takes_requests, children_of(self._master))):
            if program.ended(self._master) is not None:
                self._master = 0
                self._errors.pump()
                raise RoutesError(self._errors.failure or "nginx ended at once")
            if time.monotonic() > until_s:
                self._send_all(signal.SIGKILL)
                raise RoutesError("nginx does not take requests in time")
            time.sleep(_LOOK_S)

    def _start(self) -> None:
        self._master = self._program.start(self._file, self._said_write)
        self._born_s = time.monotonic()

    def _reload(self, now: Generation, new: Generation) -> None:
        """Have it read its file, and wait until nobody takes requests by the old one. Raises RoutesError, OSError."""
        why = self._program.test(new.file)
        if why:
            raise RoutesError(why)
        until_s = time.monotonic() + _RELOAD_S
        self._await_worker(until_s)
        before = now.workers = self._takers()
        self._put_in_place(new)
        self._errors.failure = ""
        program.send(self._master, signal.SIGHUP)
        while True:
            there = self._takers()
            if there and not set(there) & set(before):
                self._workers.update(there)
                return
            if not self._thread.ident:
                self._errors.pump()
            if self._errors.failure:
                raise RoutesError(self._errors.failure)
            if time.monotonic() > until_s or self._stopping:
                raise RoutesError("nginx does not go by its new file in time")
            status = program.ended(self._master)
            if status is not None:
                self._master_ended(status)  # another one goes by the new file at once
            if not self._master:
                raise RoutesError("nginx has ended")
            self._end_orphans()
            time.sleep(_LOOK_S)

    def _takers(self) -> List[int]:
        """Return the workers that take requests."""
        return [pid for pid in [*children_of(self._master), *self._orphans] if takes_requests(pid)]

    def _retire(self, generation: Generation) -> None:
        """Have the keeper's thread remove it when nobody goes by it any more."""
        self._before.append(generation)
        self._wake()

    def _forget(self, generation: Generation) -> None:
        for pipe in generation.pipes:
            self._unhear(pipe)
        generation.close()

    # As runtime/server.py

    def start(self) -> None:
        """Begin to look after it; it takes requests since its first routes. Raises RuntimeError."""
        self._words[WORD["heartbeat_ns"]] = time.monotonic_ns()
        self._words[WORD["listening"]] = LISTENING["yes"]
        self._thread.start()

    def accept_again(self) -> None:
        """Take the connections that wait for a successor: they never do here."""

    def make_way(self) -> None:
        """Leave new connections to the successor: nginx has no such word, both take them."""

    def part(self, wanted: bool) -> None:
        """Have each answer say `Connection: close`, or no more: nginx looks for the file with each request."""
        path = os.path.join(self._directory, PARTING_FILE)
        try:
            if wanted:
                write_private(path, b"")
            else:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
        except OSError as error:
            self._log("warning", "nginx cannot be told whether it keeps connections: %s" % error.strerror)

    def stop_accepting(self, _idle_s: Optional[float] = None, _closes: bool = False) -> None:
        """Have it take nothing new, finish what it has, and end; connections that nothing comes on are closed."""
        self._stopping = True
        with self._lock:
            self._send_all(signal.SIGQUIT)
        self._wake()

    def cut_off(self) -> None:
        """End it at once, whatever it is at."""
        self._stopping = self._cut = True
        with self._lock:
            self._send_all(signal.SIGKILL)
        remove_tree(self._directory)

    def is_idle(self) -> bool:
        """Whether it has ended, all that it had in hand being finished."""
        return self._gone

    def wait_idle(self, timeout_s: Optional[float]) -> bool:
        """Wait until `is_idle`, at most `timeout_s`; returns it."""
        until_s = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._gone:
            if until_s is not None and time.monotonic() >= until_s:
                return False
            time.sleep(_LOOK_S)
        return True

    def tune(self, _changes: Dict[str, Any]) -> None:
        """Do nothing: what may change comes with the routes, as all that nginx goes by."""

    def close(self, timeout_s: float = 2.0) -> None:
        """End it, and remove all that was made for it."""
        self._stopping = True
        if not self._gone:
            self.cut_off()
        self._wake()
        if self._thread.ident:
            self._thread.join(timeout_s)
        until_s = time.monotonic() + timeout_s
        while not (self._gone or self._thread.ident) and time.monotonic() < until_s:
            self._look(self._master)
            time.sleep(_LOOK_S)
        for generation in [*self._before, *([self._now] if self._now else [])]:
            generation.close()
        self._before, self._now = [], None
        remove_tree(self._directory)
        _close([self._held, self._said_read, self._said_write, self._tally_fd, self._wake_read, self._wake_write])
        self._epoll.close()

    def let_go(self) -> None:
        """Let go of the application: there is none."""

    def forget_in_child(self) -> None:
        """Do nothing in a process that was forked: it becomes nginx at once."""

    def requests_in_flight(self) -> List[str]:
        """Return what nginx says of requests that it is at: nothing."""
        return []

    def threads_in_flight(self) -> List[int]:
        """Return the idents of the threads that these requests are in: none has one."""
        return []

    def interrupt(self, _thread: int, _since_ns: int) -> bool:
        """Interrupt a request: there is no call that could be."""
        return False

    # The keeper's thread

    def _run(self) -> None:
        watched = -1
        while not self._gone:
            timeout_s = _LOOK_S if self._stopping or not self._master else _BEAT_S
            for fd, _events in self._epoll.poll(timeout_s):
                handler = self._sources.get(fd)
                if handler is not None:
                    handler()
            self._words[WORD["heartbeat_ns"]] = time.monotonic_ns()
            if self._lock.acquire(blocking=False):  # else the main thread is at it, and looks
                try:
                    watched = self._look(watched)
                finally:
                    self._lock.release()
        for handler in list(self._sources.values()):
            with contextlib.suppress(BlockingIOError):
                handler()

    def _look(self, watched: int) -> int:
        """See who has ended, and what follows; return the process whose end is waited for."""
        if self._master and watched != self._master:
            self._watch(self._master)
            watched = self._master
        if self._master:
            self._workers = set(children_of(self._master)) or self._workers
        status = program.ended(self._master) if self._master else None
        if status is not None:
            self._master_ended(status)
        self._orphans = [pid for pid in self._orphans if program.ended(pid) is None]
        self._end_orphans()
        for generation in list(self._before):
            alive = {*children_of(self._master), *self._orphans} if self._master else set(self._orphans)
            if not alive.intersection(generation.workers):
                self._before.remove(generation)
                self._forget(generation)
        self._gone = self._stopping and not self._master and not self._orphans
        if not self._shut and self._listeners and all(map(_is_shut, self._listeners)):
            self._shut = True
            self.on_all_shut()
        return watched

    def _master_ended(self, status: int) -> None:
        """Start another one in its place; its workers, which are ours now, finish what they have."""
        died, self._master = self._master, 0
        ours = set(children_of(os.getpid())).difference(self._orphans)
        self._orphans += [pid for pid in ours if pid in self._workers or is_worker(pid)]
        if self._stopping:
            return
        how = "signal %d" % (status & 0x7F) if status & 0x7F else "exit code %d" % (status >> 8)
        self._log("error", "nginx has ended by itself: pid %d, %s" % (died, how))
        why = ""
        if time.monotonic() - self._born_s < self._least_life_s:
            why = "it has run for less than %g s" % self._least_life_s
        else:
            try:
                self._start()
            except OSError as error:
                why = str(error.strerror)
        if why:
            self._log("error", "nginx is not started again: %s" % why)
            self._send_all(signal.SIGQUIT)
            self.on_failure()

    def _end_orphans(self) -> None:
        """Have workers of one that died finish what they have, as soon as others take requests."""
        if self._orphans and (self._stopping or any(map(takes_requests, children_of(self._master)))):
            for pid in self._orphans:
                program.send(pid, signal.SIGKILL if self._cut else signal.SIGQUIT)

    def _watch(self, pid: int) -> None:
        """Be woken when a child ends. Where the kernel has no such thing, the next beat sees it."""
        with contextlib.suppress(OSError):
            fd = kernel.pidfd_open(pid)

            def over() -> None:
                self._unhear(fd)
                os.close(fd)

            self._hear(fd, over)

    def _send_all(self, number: int) -> None:
        workers = children_of(self._master) if self._master else []
        self._workers.update(workers)
        if self._master:
            program.send(self._master, number)  # first: it would start others in the place of those that end
        for pid in [*(workers if number == signal.SIGKILL else []), *self._orphans]:
            program.send(pid, number)

    def _hear(self, fd: int, handler: Callable[[], object]) -> None:
        self._sources[fd] = handler
        self._epoll.register(fd, select.EPOLLIN)

    def _unhear(self, fd: int) -> None:
        self._sources.pop(fd, None)
        with contextlib.suppress(OSError):
            self._epoll.unregister(fd)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_write, b"\0")


def _is_shut(sock: socket.socket) -> bool:
    """Whether a socket does not listen any more: somebody who has it, too, has shut it down (shutdown(2))."""
    return not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)


def _close(fds: List[int]) -> None:
    for fd in fds:
        os.close(fd)
