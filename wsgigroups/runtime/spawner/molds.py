"""The spawner's molds: processes of groups that have loaded the application, and fork daemons when they are asked to.

Runs in the spawner's only thread. A mold is a tenant. It is asked on a socket that takes nothing from it, so that no
descriptor can come; it answers on a pipe, with what was asked for and nothing else; and a process that it names is one
that the kernel says is our child, nobody else's, and has the mold's own credentials. Who breaks a rule is ended, and so
is whoever has died: what was asked of it is refused then, and never waited for.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

from .. import kernel
from ..log import Log
from ..wire import messages
from ..wire.frames import FrameError, send
from ..wire.lines import READ_BYTES, LineError, LineReceiver
from .children import Child, Registry, close

_CREDENTIALS = ("Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
Tell = Callable[..., None]  # a message to the manager, and descriptors


class RuleError(Exception):
    """A mold is of no further use; the text says why."""


@dataclass
class ForkingMold:
    """One, from the fork of its founder on. pid: 0 until it has said that it is there."""

    name: str  # the life of its founder
    founder: int  # the founder's pid
    info: Dict[str, Any]
    requests: socket.socket
    answers: int
    pid: int = 0
    receiver: LineReceiver = field(default_factory=LineReceiver)
    asked: Dict[int, Tuple[messages.Fork, List[int]]] = field(default_factory=dict)  # life → with what we keep of it


class MoldRegistry:
    """All of them, by name."""

    def __init__(self, registry: Registry, log: Log, tell: Tell) -> None:
        self._registry = registry
        self._log = log
        self._tell = tell
        self._molds: Dict[str, ForkingMold] = {}
        self._ended: Dict[int, str] = {}  # pid → name: killed, and not reaped yet

    def __len__(self) -> int:
        return len(self._molds) + len(self._ended)

    def answers(self) -> List[int]:
        """Return the pipes to read, for poll."""
        return [mold.answers for mold in self._molds.values()]

    def told(self) -> Iterator[messages.Molded]:
        """Give those that are there, as a manager is told of them."""
        return iter([messages.Molded(mold.name, mold.pid, mold.info) for mold in self._molds.values() if mold.pid])

    # The founder

    def prepare(self, request: messages.Fork) -> Tuple[int, int]:
        """Make what a founder gets: where its mold is asked, where it answers. Raises OSError."""
        kernel.adopt_orphans()  # a mold is its founder's grandchild, and what it forks its own
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            ours.shutdown(socket.SHUT_RD)
            ours.setblocking(False)
            read_end, write_end = os.pipe2(os.O_CLOEXEC)
        except BaseException:
            ours.close()
            theirs.close()
            raise
        os.set_blocking(read_end, False)
        self._molds[request.mold] = ForkingMold(request.mold, 0, request.info, ours, read_end)
        return theirs.detach(), write_end

    def founded(self, name: str, founder: int) -> None:
        """Say who the founder is; 0: it could not be forked."""
        if founder:
            self._molds[name].founder = founder
        else:
            self._let_go(self._molds.pop(name))

    # Forks

    def reason_to_refuse(self, request: messages.Fork) -> str:
        """Return why there is no such mold to ask; "" if there is, or is to be."""
        founds = request.mold == str(request.life)
        mold = self._molds.get(request.mold)
        if founds:
            return "cannot fork: there is a mold of this life" if mold else ""
        return "" if mold and mold.pid else "cannot fork: its mold is gone"

    def ask(self, request: messages.Fork, sent: Sequence[int], kept: List[int]) -> str:
        """Ask a mold to fork; return why that cannot be, or "". sent: descriptors for it; kept: manager's end, …"""
        mold = self._molds[request.mold]
        try:
            send(mold.requests, messages.Fork(request.life).to_frame(), sent)
        except (OSError, FrameError) as error:  # it has not read what was asked before
            self._end(mold, "its mold does not listen: %s" % error)
            return "cannot fork: its mold does not listen"
        mold.asked[request.life] = (request, kept)
        return ""

    def hear(self, fd: int) -> None:
        """Read what a mold has said."""
        mold = next((mold for mold in self._molds.values() if mold.answers == fd), None)
        if mold is None:
            return
        try:
            self._hear(mold)
        except (RuleError, LineError, messages.MessageError) as error:
            self._end(mold, str(error))
        except OSError as error:  # no descriptor is left for what it forked
            self._end(mold, "what it says cannot be taken: %s" % error)

    def hear_all(self) -> None:
        """Read what is awaited of molds: before anybody is reaped whom it may name."""
        for mold in list(self._molds.values()):
            if mold.asked or not mold.pid:
                self.hear(mold.answers)

    def _hear(self, mold: ForkingMold) -> None:
        try:
            data = os.read(mold.answers, READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        if not data:
            raise RuleError("")  # most likely it has ended; it is of no further use in any case
        mold.receiver.feed(data)
        while mold.receiver.waiting:
            self._take(mold, messages.decode(mold.receiver.take()))

    def _take(self, mold: ForkingMold, message: messages.Message) -> None:
        if isinstance(message, messages.Molded) and not mold.pid:
            self._require_child(message.pid, mold.founder)
            mold.pid = message.pid
            self._tell(messages.Molded(mold.name, mold.pid, mold.info))
            return
        if isinstance(message, (messages.Spawned, messages.Refused)) and message.life in mold.asked:
            if isinstance(message, messages.Refused):
                raise RuleError(message.reason[:256])
            self._require_child(message.pid, mold.pid)
            self._spawned(mold, message)
            return
        raise RuleError("it said what it was not asked for")

    def _spawned(self, mold: ForkingMold, message: messages.Spawned) -> None:
        pidfd = kernel.pidfd_open(message.pid)  # our child: nobody else reaps it
        request, kept = mold.asked.pop(message.life)
        manager_end, reports, board = kept
        self._registry.add(Child(request.life, message.pid, request.info, pidfd, manager_end, reports, board))
        self._tell(messages.Spawned(request.life, message.pid), (pidfd,))

    def _require_child(self, pid: int, like: int) -> None:
        """Raise RuleError unless a process is our child, known to nobody, and may do what that other one may."""
        known = self._registry.has_process(pid) or any(pid == mold.pid for mold in self._molds.values())
        if known or pid in self._ended or not _is_child(pid) or not _are_alike(pid, like):
            raise RuleError("it named process %d, which it has not forked" % pid)

    # The end

    def drop(self, name: str) -> None:
        """End one that is not needed any more; an unknown one is no error."""
        mold = self._molds.get(name)
        if mold is not None:
            self._end(mold, "")

    def end_all(self) -> None:
        """End all."""
        for mold in list(self._molds.values()):
            self._end(mold, "")

    def reaping(self, pid: int) -> bool:
        """Whether a process that has ended is a mold, which is forgotten. The caller ends its session and reaps it."""
        for mold in list(self._molds.values()):
            if mold.pid == pid:
                self._end(mold, "", alive=False)
                return True
            if mold.founder == pid and not mold.pid:
                self._end(mold, "")
        return self._ended.pop(pid, None) is not None

    def _end(self, mold: ForkingMold, why: str, *, alive: bool = True) -> None:
        """Kill it and forget it, and refuse what it was asked for. why: the rule that it broke, if it did."""
        del self._molds[mold.name]
        if why:
            self._log("warning", "the mold of life %s (pid %d) is ended: %s" % (mold.name, mold.pid, why))
        if mold.pid and alive:
            with contextlib.suppress(OSError):
                os.kill(mold.pid, signal.SIGKILL)  # our child, not reaped yet: the number is its own
            self._ended[mold.pid] = mold.name
        self._let_go(mold)
        for life, (_request, kept) in mold.asked.items():
            close([fd for fd in kept if fd >= 0])
            self._tell(messages.Refused(life, "cannot fork: its mold has ended"))
        self._tell(messages.Unmolded(mold.name, why))

    @staticmethod
    def _let_go(mold: ForkingMold) -> None:
        mold.requests.close()
        os.close(mold.answers)


def _is_child(pid: int) -> bool:
    """Whether a process is this one's child, ended or not."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (OSError, OverflowError):
        return False
    return pid > 0


def _are_alike(pid: int, like: int) -> bool:
    """Whether two processes may do the same; where that cannot be told they are not."""
    found = _credentials(pid)
    return bool(found) and found == _credentials(like)


def _credentials(pid: int) -> Dict[bytes, bytes]:
    """Return what a process may do, as /proc/PID/status has it; {} where that is not to be had."""
    try:
        fd = os.open("/proc/%d/status" % pid, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return {}
    try:
        text = os.read(fd, 65536)
    except OSError:
        return {}
    finally:
        os.close(fd)
    wanted = tuple(name.encode() for name in _CREDENTIALS)
    lines = (line.partition(b":") for line in text.splitlines())
    return {name: value.strip() for name, _colon, value in lines if name in wanted}
