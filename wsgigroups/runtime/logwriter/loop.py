"""The log writer's loop: a listener for managers, one manager, pipes of processes, and outlets that write.

One thread reads; each outlet has its own to write. Must never wait for anybody, and outlives its manager: it ends when
it is told to, when there is neither a manager nor a pipe any more, and when none ever came.
"""

from __future__ import annotations

import contextlib
import select
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from ..originals import os, socket, time
from ..wire import identity, log_messages
from ..wire.frames import FrameError, Receiver, receive_what_fits
from ..wire.log_messages import LogMessage
from ..wire.sender import PAUSE_S, Sender, SendError
from .outlet import Outlet
from .pipes import LogPipe
from .rendering import FORMATS, LogAuthor, LogEntry, entry, for_syslog, with_priorities

_TICK_S = 1.0
COMES_S = 5.0  # until a manager has come: the one that started it may have been killed before
_FLUSH_S = 0.9  # that what was asked for by Flush may take
_END_S = 3.0  # to write what is left
_QUEUED_BYTES = 8 << 20
BACKLOG = 4


class WritingLoop:
    """All of it."""

    def __init__(self, listener: socket.socket, manager_uid: int) -> None:
        """listener: bound and listening; manager_uid: whose connections are taken."""
        listener.setblocking(False)
        self._listener = listener
        self._manager_uid = manager_uid
        self._manager: Optional[_Manager] = None
        self._sources: Dict[str, LogPipe] = {}
        self._outlets: Dict[str, Outlet] = {}
        self._full: Set[str] = set()  # told by threads
        self._flushes: List[Tuple[int, float]] = []  # number, until when
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._epoll = select.epoll()
        self._on: Dict[int, Callable[[], object]] = {}
        self._watch(listener.fileno(), self._accept)
        self._watch(self._wake_read, self._woken)
        self._had_manager = False
        self._ending: Optional[bool] = None  # whether pipes are read to their end first

    def run(self) -> int:
        """Write until told to end, or until there is nothing that could be written; return the exit code."""
        ticked = began = time.monotonic()
        while self._ending is None:
            wait_s = PAUSE_S if self._flushes or (self._manager and self._manager.sender.starved) else _TICK_S
            for fd, _events in self._epoll.poll(wait_s):
                handler = self._on.get(fd)
                if handler is not None:
                    handler()
            self._answer_flushes()
            now = time.monotonic()
            if now - ticked >= _TICK_S:
                ticked = now
                for source in self._sources.values():
                    self._put(source, source.left_out())
            if self._manager is not None:
                self._flush_manager(self._manager)
            elif not self._sources and (self._had_manager or now - began > COMES_S):
                break
        self._end(drain=self._ending is not False)
        return 0

    def close(self) -> None:
        """Let go of everything, when it has run."""
        self._lose_manager()
        self._listener.close()
        for source in self._sources.values():
            os.close(source.fd)
        for outlet in self._outlets.values():
            outlet.close()
        self._epoll.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _watch(self, fd: int, handler: Callable[[], object]) -> None:
        self._on[fd] = handler
        self._epoll.register(fd, select.EPOLLIN)

    def _forget(self, fd: int) -> None:
        del self._on[fd]
        self._epoll.unregister(fd)

    def _end(self, *, drain: bool) -> None:
        until_s = time.monotonic() + _END_S
        for source in list(self._sources.values()):
            while drain and time.monotonic() < until_s:
                lines, over = source.read()
                self._put(source, lines)
                if over or not lines:
                    break
        for outlet in self._outlets.values():
            outlet.flushed(until_s)
        if self._manager is not None:
            self._flush_manager(self._manager)

    # Managers

    def _accept(self) -> None:
        try:
            sock, _address = self._listener.accept()
        except OSError:
            return
        if peer_uid(sock) not in (self._manager_uid, 0):
            sock.close()
            return
        if self._manager is not None:  # a manager has one connection: the former has ended, or is about to
            while self._hear():  # what it said last counts: a process may have that pipe already
                pass
            self._lose_manager()
        self._manager = _Manager(sock)
        self._had_manager = True
        self._watch(sock.fileno(), self._hear)

    def _lose_manager(self) -> None:
        if self._manager is not None:
            self._forget(self._manager.sock.fileno())
            self._manager.close()
            self._manager = None

    def _say(self, message: LogMessage, fds: Sequence[int] = ()) -> None:
        if self._manager is None:
            return
        try:
            self._manager.sender.send(message.to_frame(), fds)
        except (SendError, FrameError, OSError):
            self._lose_manager()

    def _flush_manager(self, manager: "_Manager") -> None:
        if manager.sender.behind:
            try:
                manager.sender.flush()
            except SendError:
                self._lose_manager()

    def _hear(self) -> bool:
        """Read once; whether there may be more."""
        manager = self._manager
        if manager is None:
            return False
        try:
            data, fds, dropped = receive_what_fits(manager.sock)
            received = manager.receiver.feed(data, fds, dropped=dropped)
        except (BlockingIOError, InterruptedError):
            return False
        except (OSError, FrameError):
            data, received = b"", []
        if not data:
            self._lose_manager()
            return False
        for body, passengers in received:
            try:
                message = log_messages.decode(body)
            except ValueError:
                _close(passengers)
                continue
            _close(self._told(message, passengers))
        return True

    def _told(self, message: LogMessage, fds: List[int]) -> List[int]:
        """Carry out what a manager says; return the descriptors that are not taken."""
        if isinstance(message, log_messages.LogHello):
            self._say(log_messages.LogHello(log_messages.ABI, os.getpid(), identity.own().digest))
            for source in self._sources.values():
                self._say(source.kept(), (source.fd,))
            self._say(log_messages.SourcesEnded())
        elif isinstance(message, log_messages.LogOutlet) and not fds:
            unused = self._outlets.pop(message.key, None)
            if unused is not None:
                unused.close()
        elif isinstance(message, log_messages.LogOutlet) and len(fds) == 1:
            outlet = self._outlet(message.key)
            outlet.open(fds[0], message.format, message.rotate_bytes, message.lines)
            return []
        elif isinstance(message, log_messages.LogSource):
            return self._source(message, fds)
        elif isinstance(message, log_messages.Flush):
            self._read_all()
            self._flushes.append((message.number, time.monotonic() + _FLUSH_S))
        elif isinstance(message, log_messages.LastWords):
            asked = self._sources.get(message.key)
            if asked is not None:
                self._read(asked)
            self._say(log_messages.Words(message.key, asked.last_words() if asked else ""))
        elif isinstance(message, log_messages.LogPing):
            self._say(log_messages.LogPong(message.number))
        elif isinstance(message, log_messages.LogListen) and len(fds) == 1:
            self._listen(fds[0])
            return []
        elif isinstance(message, log_messages.EndWriting):
            self._ending = message.drain
        return fds

    def _listen(self, fd: int) -> None:
        self._forget(self._listener.fileno())
        self._listener.close()
        self._listener = socket.socket(fileno=fd)
        self._listener.setblocking(False)
        self._listener.listen(BACKLOG)
        self._watch(fd, self._accept)

    # Pipes

    def _source(self, facts: log_messages.LogSource, fds: List[int]) -> List[int]:
        known = self._sources.get(facts.key)
        if known is not None:
            known.told(facts)
        elif len(fds) == 1:
            source = LogPipe(fds[0], facts, self._rendered)
            os.set_blocking(source.fd, False)
            self._sources[facts.key] = source
            self._watch(source.fd, lambda: self._read(source))
            return []
        return fds

    def _read(self, source: LogPipe) -> None:
        lines, over = source.read()
        self._put(source, lines)
        if over and self._sources.get(source.facts.key) is source:
            del self._sources[source.facts.key]
            self._forget(source.fd)
            os.close(source.fd)
            self._say(log_messages.SourceOver(source.facts.key, source.last_words()))

    def _read_all(self) -> None:
        """Read what is in the pipes now, a bounded part of it where somebody goes on writing."""
        for source in list(self._sources.values()):
            for _turn in range(32):
                lines, over = source.read()
                self._put(source, lines)
                if over or not lines:
                    break

    def _rendered(self, source: LogPipe, whose: LogAuthor, said: NamedTuple) -> bytes:
        assert isinstance(said, LogEntry)
        return FORMATS.get(self._outlet(source.facts.outlet).format, FORMATS["text"])(whose, said)

    def _put(self, source: LogPipe, lines: List[Tuple[str, bytes]]) -> None:
        if not lines:
            return
        outlet = self._outlet(source.facts.outlet)
        if outlet.lines == "journal":
            outlet.put(b"".join([with_priorities(data, level) for level, data in lines]))
        elif outlet.lines == "syslog":
            outlet.put(
                b"".join(
                    [
                        for_syslog(data, level, source.facts.pid, time.time_ns() // 1_000_000_000)
                        for level, data in lines
                    ]
                )
            )
        else:
            outlet.put(b"".join([data for _level, data in lines]))

    def _outlet(self, key: str) -> Outlet:
        outlet = self._outlets.get(key)
        if outlet is None:
            outlet = self._outlets[key] = Outlet(key, self._own_record, self._tell_full)
        return outlet

    def _own_record(self, level: str, text: str) -> bytes:
        now_ns = time.time_ns()
        return FORMATS["text"](LogAuthor("log writer", 0, 0, os.getpid()), entry(level, now_ns, now_ns, text))

    # What threads and time bring

    def _tell_full(self, key: str) -> None:
        self._full.add(key)
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_write, b"f")

    def _woken(self) -> None:
        os.read(self._wake_read, 4096)
        while self._full:
            self._say(log_messages.Full(self._full.pop()))

    def _answer_flushes(self) -> None:
        if not self._flushes:
            return
        now = time.monotonic()
        until_s = min(now + 0.05, self._flushes[0][1])
        written = sum(not outlet.flushed(until_s) for outlet in self._outlets.values()) == 0  # each is asked
        for number, latest in self._flushes[:]:
            if written or now >= latest:
                self._flushes.remove((number, latest))
                self._say(log_messages.Flushed(number))


class _Manager:
    """One connection of a manager."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.receiver = Receiver(forgiving=True)
        self.sender = Sender(sock, _QUEUED_BYTES)

    def close(self) -> None:
        self.receiver.close()
        self.sender.close()
        self.sock.close()


def _close(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)


def peer_uid(sock: socket.socket) -> int:
    """Return whose process connected (SO_PEERCRED)."""
    from ..spawner.connection import peer_uid as found

    return found(sock)
