"""The manager's side of the log writer: started when a log needs it, found again by the next manager, replaced if lost.

Runs in the manager's only thread. The manager keeps the read end of each pipe, too: while a writer is gone nobody gets
EPIPE, what is in the pipes stays there, and the next writer reads it. What a writer says is read without trust.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import select
import signal
import socket
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from wsgigroups.manager.supervision.connected_spawners import close_all
from wsgigroups.manager.supervision.connection import FrameConnection
from wsgigroups.manager.supervision.log_streams import STREAMS
from wsgigroups.manager.supervision.starting_logs import readable, start
from wsgigroups.runtime.wire import identity, log_messages
from wsgigroups.trust.peers import peer_of
from wsgigroups.trust.sockets import Inode, bind_unix, inode_of, inode_of_file
from wsgigroups.trust.walking import trusted_here

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

SOCKET = "logwriter.sock"  # in the run directory
HELLO_TIMEOUT_S = 5.0
END_S = 5.0
AGAIN_S = (0.0, 0.1, 1.0, 5.0)  # before it is started again, by the starts that failed or did not last
LASTED_S = 10.0
HUNG_PINGS = 5
THERE_S = 2.0  # that a process waits with its start for the log writer's
SAID_S = 0.25  # that the manager may wait for a process's last words
FLUSH_S = 1.0
_LARGE_PIPES = (
    100  # get more room, where there are no more of them; beyond that the kernel's share of a user is at stake
)
_LAST = 256
_PIPE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class OutletFacts:
    """How a file or stream is written."""

    format: str = "text"
    rotate_bytes: int = 0
    lines: str = "plain"  # "journal", "syslog": wire.log_messages


@dataclass(slots=True)
class _Held:
    fd: int
    facts: log_messages.LogSource


class LogWriter:
    """One for a run directory. `open_outlet` gives a descriptor for what an outlet is named by. Raises OSError."""

    def __init__(
        self,
        run_dir: Path,
        log_fd: int,
        log: Callable[[str, str], None],
        open_outlet: Callable[[str], int],
        on_full: Callable[[str], None],
    ) -> None:
        self.path = run_dir / SOCKET
        self.pid = 0
        self._log_fd = log_fd
        self._log = log
        self._open_outlet = open_outlet
        self._on_full = on_full
        self._sources: dict[str, _Held] = {}
        self._outlets: dict[str, OutletFacts] = {}
        self._files: dict[str, Inode | None] = {}  # by outlet; None for what is no file of its own
        self._inode: Inode | None = None  # of its socket
        self._connection: FrameConnection | None = None
        self._pidfd = -1
        self._children: list[subprocess.Popen[bytes]] = []
        self._coming: asyncio.Task[None] | None = None
        self._greeted: asyncio.Future[log_messages.LogHello] | None = None
        self._ending = False
        self._starts = 0  # that did not last
        self._began = 0.0
        self._unanswered = 0
        self._last: dict[str, str] = {}  # words of processes that have ended, the latest
        self._words: dict[str, str] = {}
        self._flushes: dict[int, asyncio.Future[None]] = {}
        self._number = 0

    @property
    def used(self) -> bool:
        """Whether anything is written by it."""
        return bool(self._sources)

    def child_pids(self) -> set[int]:
        """Those that this manager has started, or uses; reaps what has ended."""
        self._children = [child for child in self._children if child.poll() is None]
        return {child.pid for child in self._children} | ({self.pid} if self.pid else set())

    # Pipes

    def pipe(self, facts: log_messages.LogSource, outlet: OutletFacts) -> tuple[int, int]:
        """Make a pipe that the writer reads; return its write end and another one that does not block, the caller's.

        Raises OSError.
        """
        self._use(facts.outlet, outlet)
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
        try:
            own = os.open(f"/proc/self/fd/{write_end}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            close_all((read_end, write_end))
            raise
        if len(self._sources) < _LARGE_PIPES:
            with contextlib.suppress(OSError):  # where the user has too many of them
                fcntl.fcntl(write_end, getattr(fcntl, "F_SETPIPE_SZ", 1031), _PIPE_BYTES)
        os.set_blocking(read_end, False)
        self._drop(facts.key)
        self._sources[facts.key] = held = _Held(read_end, facts)
        self._tell_source(held, new=True)
        self._need()
        return write_end, own

    def knows(self, key: str) -> bool:
        """Whether there is such a pipe."""
        return key in self._sources

    def change(self, key: str, written: OutletFacts | None = None, **changes: Any) -> None:
        """Let a pipe's lines go elsewhere, or be named otherwise. Raises OSError."""
        held = self._sources.get(key)
        if held is None:
            return
        facts = replace(held.facts, **changes)
        if written is not None:
            self._use(facts.outlet, written)
        if facts != held.facts:
            moved = facts.outlet != held.facts.outlet
            held.facts = facts
            self._tell_source(held, new=False)
            if moved:
                self._forget_outlets()

    def _drop(self, key: str) -> None:
        held = self._sources.pop(key, None)
        if held is not None:
            os.close(held.fd)

    def _tell_source(self, held: _Held, *, new: bool) -> None:
        self._send(held.facts, [held.fd] if new else [])

    # Files and streams

    def _use(self, key: str, facts: OutletFacts) -> None:
        if self._outlets.get(key) != facts or self._replaced(key):
            fd = self._open_outlet(key)
            self._outlets[key] = facts
            self._tell_outlet(key, fd)

    def open_again(self, key: str) -> None:
        """Have what an outlet is named by opened again. Raises OSError."""
        if key in self._outlets:
            self._tell_outlet(key, self._open_outlet(key))

    def _replaced(self, key: str) -> bool:
        """Whether a file was renamed or removed since it was opened."""
        opened = self._files.get(key)
        return opened is not None and inode_of(key) != opened

    def outlets(self) -> list[str]:
        """What is written to."""
        return list(self._outlets)

    def _tell_outlet(self, key: str, fd: int) -> None:
        try:
            self._files[key] = None if key in STREAMS else inode_of_file(fd)
            facts = self._outlets[key]
            message = log_messages.LogOutlet(key, facts.format, facts.rotate_bytes, facts.lines)
            self._send(message, [fd])
        finally:
            os.close(fd)

    def _forget_outlets(self) -> None:
        used = {held.facts.outlet for held in self._sources.values()}
        for key in self._outlets.keys() - used:
            del self._outlets[key]
            self._files.pop(key, None)
            self._send(log_messages.LogOutlet(key))

    # Asking

    def last_words(self, key: str) -> str:
        """Return what came last through a pipe, "" where the writer does not answer at once."""
        connection = self._connection
        if key in self._last:
            return self._last.pop(key)
        if connection is None or key not in self._sources or self._unanswered > 1:
            return ""
        self._words.pop(key, None)
        self._send(log_messages.LastWords(key))
        until = time.monotonic() + SAID_S
        poller = select.poll()
        poller.register(connection.sock.fileno(), select.POLLIN)
        while key not in self._words and self._connection is connection:
            left_s = until - time.monotonic()
            if left_s <= 0 or not poller.poll(left_s * 1000):
                self._unanswered += 2  # so that a thousand deaths do not wait one after the other
                return ""
            connection.receive()
        return self._last.pop(key, "") or self._words.pop(key, "")  # its end may have been told of just before

    async def flush(self) -> None:
        """Wait until what was said before is written, but not for long."""
        if self._connection is None:
            return
        self._number += 1
        done = self._flushes[self._number] = asyncio.get_running_loop().create_future()
        self._send(log_messages.Flush(self._number))
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(done, FLUSH_S)
        self._flushes.pop(self._number, None)

    def look(self) -> None:
        """Ask whether it is there, and kill one that does not answer: the next one goes on. Once in a few seconds."""
        if self._connection is None:
            return
        if self._unanswered > HUNG_PINGS:
            self._log("error", f"the log writer (pid {self.pid}) does not answer: it is killed and replaced")
            self._kill()
            return
        self._unanswered += 1
        self._send(log_messages.LogPing(self._unanswered))

    def listen_again(self) -> bool:
        """Give it another socket where the file of its own is gone; whether it was. Raises OSError.

        Without it a next manager would not find it, and the pipes that it has.
        """
        if self._connection is None or inode_of(str(self.path)) == self._inode:
            return False
        self.path.unlink(missing_ok=True)
        with bind_unix(str(self.path), trusted_here()) as listener:
            self._send(log_messages.LogListen(), [listener.fileno()])
        self._inode = inode_of(str(self.path))
        return True

    # Its life

    async def discover(self) -> None:
        """Reach the writer that a former manager has left, and take over its pipes."""
        if not self.path.exists():
            return
        if not await self._reach():
            self._kill()
            self._forget_process()
            self.path.unlink(missing_ok=True)
            return
        assert self._greeted is not None
        hello = self._greeted.result()
        if hello.abi != log_messages.ABI or hello.digest != identity.own().digest:
            self._log("info", f"the log writer (pid {self.pid}) is of another version: it is replaced")
            await self._replace()

    async def _replace(self) -> None:
        self._send(log_messages.EndWriting(drain=False))
        await self._wait_for_end()
        self._lose()
        self._need()

    def tell_all(self) -> None:
        """Tell the writer of everything: it has just been started, or has not opened what it is to write to."""
        for key in list(self._outlets):
            try:
                self.open_again(key)
            except OSError as error:
                self._log("error", f"cannot open {key}: {error.strerror}")
        for held in self._sources.values():
            self._tell_source(held, new=True)

    async def end(self) -> None:
        """Have it write what there is, and end."""
        self._ending = True
        if self._coming is not None:
            with contextlib.suppress(Exception):
                await self._coming
        if self._connection is not None:
            self._send(log_messages.EndWriting())
            await self._wait_for_end()
            self._lose()
        for key in list(self._sources):
            self._drop(key)
        self._outlets.clear()
        if self.pid == 0:
            self.path.unlink(missing_ok=True)

    async def leave(self) -> None:
        """Let it go on for the next manager."""
        self._ending = True
        if self._coming is not None:
            with contextlib.suppress(Exception):
                await self._coming
        self._lose()
        for key in list(self._sources):
            self._drop(key)

    def begin(self) -> None:
        """Have it started, if it is not there: a pipe comes soon."""
        if self._connection is None and self._coming is None and not self._ending:
            self._coming = asyncio.get_running_loop().create_task(self._come())
            self._coming.add_done_callback(self._came)

    async def there(self) -> None:
        """Wait for one that is being started: what a process says last is lost if nobody reads it when it ends.

        Not for long, and not for one that did not come the first time: processes start without it.
        """
        if self._connection is None and self._coming is not None and self._starts < 2:
            await asyncio.wait({self._coming}, timeout=THERE_S)

    def _need(self) -> None:
        if self._sources:
            self.begin()

    def _came(self, task: asyncio.Task[None]) -> None:
        self._coming = None
        if not task.cancelled() and task.exception() is not None:
            self._log("error", f"cannot start the log writer: {task.exception()}")
            self._discard()
        if self._connection is None:
            self._need()

    def _discard(self) -> None:
        """Read what nobody writes: pipes that fill up would keep those waiting who write to them."""
        lost = 0
        for held in self._sources.values():
            with contextlib.suppress(OSError):
                while data := os.read(held.fd, _PIPE_BYTES):
                    lost += data.count(b"\n")
        if lost:
            self._log("warning", f"{lost} lines of logs are lost: there is no log writer")

    async def _come(self) -> None:
        await asyncio.sleep(AGAIN_S[min(self._starts, len(AGAIN_S) - 1)])
        if self._ending:
            return
        self._starts += 1
        await start(self.path, self._log_fd, self._children)
        if not await self._reach():
            self._kill()
            self._forget_process()
            raise OSError("it does not answer")
        self._began = time.monotonic()
        self.tell_all()

    async def _reach(self) -> bool:
        """Connect, and wait for its hello with the pipes that it has."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.connect(str(self.path))
            self.pid = peer_of(sock).pid  # who called listen(2): the writer itself
            self._pidfd = os.pidfd_open(self.pid)
            self._inode = inode_of(str(self.path))
        except (OSError, BlockingIOError):
            sock.close()
            self.pid = 0
            return False
        self._greeted = asyncio.get_running_loop().create_future()
        self._unanswered = 0
        self._connection = FrameConnection(sock, self.hear, self._closed)
        self._send(log_messages.LogHello(log_messages.ABI, os.getpid(), identity.own().digest))
        try:
            await asyncio.wait_for(asyncio.shield(self._greeted), HELLO_TIMEOUT_S)
        except (asyncio.TimeoutError, OSError):
            return False
        return self._connection is not None

    def _send(self, message: log_messages.LogMessage, fds: list[int] | None = None) -> None:
        if self._connection is not None:
            try:
                self._connection.send(message.to_frame(), fds or ())
            except OSError as error:  # descriptors that cannot wait: the next writer is told everything
                self._connection.close(str(error))

    _hello: log_messages.LogHello | None = None

    def hear(self, body: dict[str, Any], fds: list[int]) -> None:
        """Take a frame of the writer's, with its descriptors."""
        try:
            message = log_messages.decode(body)
        except ValueError:
            close_all(fds)
            return
        match message:
            case log_messages.LogHello():
                self._hello = message
            case log_messages.KeptSource() if fds and message.key not in self._sources:
                self._sources[message.key] = _Held(fds.pop(0), log_messages.LogSource(**asdict(message)))
            case log_messages.SourcesEnded():
                if self._greeted is not None and not self._greeted.done() and self._hello is not None:
                    self._greeted.set_result(self._hello)
            case log_messages.SourceOver():
                self._drop(message.key)
                self._forget_outlets()
                self._last[message.key] = message.text
                while len(self._last) > _LAST:
                    del self._last[next(iter(self._last))]
            case log_messages.Words():
                self._words = {message.key: message.text}
            case log_messages.Flushed() if (done := self._flushes.pop(message.number, None)) and not done.done():
                done.set_result(None)
            case log_messages.LogPong():
                self._unanswered = 0
            case log_messages.Full() if message.key in self._outlets:  # it names no path that is not written to
                asyncio.get_running_loop().call_soon(self._on_full, message.key)
        close_all(fds)

    def _closed(self, reason: str) -> None:
        if self._greeted is not None and not self._greeted.done():
            self._greeted.set_exception(OSError(reason))
            self._greeted.exception()
        if self._connection is None:
            return
        pid = self.pid
        self._kill()  # a second one must not read the same pipes
        self._lose()
        if not self._ending:
            if time.monotonic() - self._began > LASTED_S:
                self._starts = 0
            self._log("warning", f"the log writer (pid {pid}) is gone; another one goes on")
            self._need()

    def _lose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        for done in self._flushes.values():
            if not done.done():
                done.set_result(None)
        self._flushes.clear()
        self._forget_process()

    def _forget_process(self) -> None:
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
        self.pid = 0
        self.child_pids()

    def _kill(self) -> None:
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def _wait_for_end(self) -> None:
        if self._pidfd < 0:
            return
        pidfd = os.dup(self._pidfd)
        try:
            if not await readable(pidfd, END_S):
                self._log("warning", f"the log writer (pid {self.pid}) did not end by itself and was killed")
                self._kill()
                await readable(pidfd, END_S)
        finally:
            os.close(pidfd)


def new_token() -> str:
    """Return what frames of one pipe begin with."""
    return secrets.token_hex(8)
