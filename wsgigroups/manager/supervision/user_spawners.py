"""The manager's side of a spawner that is a user's, with an interpreter that this user could change.

It is a tenant: what it says may be a lie, it may say nothing or too much, and it gets nothing that is not its user's
already. It is spoken to on a socket that takes nothing from it, and heard on a pipe, by which no descriptor can come.
A process that it names is looked at by other means than its word before that is given a specification.

Runs in the manager's only thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import select
import signal
import socket
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.supervision.connection import FrameConnection
from wsgigroups.manager.supervision.reports import Reports
from wsgigroups.runtime.wire import messages
from wsgigroups.trust.peers import peer_of
from wsgigroups.trust.sockets import inode_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wsgigroups.runtime.wire.spec import Spec

ANSWER_TIMEOUT_S = 20.0  # to a hello, and to a fork
_BURST, _PER_S = 4096.0, 200.0  # one message for each fork and each exit
_LOWEST_PRIORITY = 19  # setpriority(2) takes 20 and sets 19
_PIDFD_SIGNAL_PROCESS_GROUP = 1 << 2  # pidfd_send_signal(2)


class ImpostorError(Exception):
    """A process is not what it is said to be; the text says how that is known."""


class UserSpawner:
    """One connected spawner that is a user's. It is ended when it breaks a rule."""

    def __init__(
        self,
        key: str,
        path: Path,
        link: SpawnerLink,
        on_message: Callable[[UserSpawner, messages.Message, list[int]], None],
        on_lost: Callable[[UserSpawner], None],
    ) -> None:
        """Own the link."""
        self.key = key
        self.path = path
        self.inode = inode_of(str(path))
        self.uid = link.uid
        self.pid = link.pid
        self._pidfd = link.pidfd
        self._on_message = on_message
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self.introduced: asyncio.Future[None] = self._loop.create_future()
        self._lost = False
        self.why = ""  # it was ended
        self.digest = ""  # of the runtime that it must have
        self._timer = self._loop.call_later(ANSWER_TIMEOUT_S, self._still_strange)
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
        try:
            self._reports = Reports(read_end, self._told, self.end, stays=True, burst=_BURST, per_s=_PER_S)
            self._connection = FrameConnection(link.sock, None, self.end)
            self._loop.add_reader(self._pidfd, self._ended)
            self._reports.start()
            hello = messages.Hello(messages.ABI, os.getpid(), protocol=messages.PROTOCOL)
            self._connection.send(hello.to_frame(), [write_end])
        finally:
            os.close(write_end)

    def send(self, message: messages.Message, fds: Sequence[int] = ()) -> None:
        """Send one message; the caller keeps its descriptors. Raises OSError when they cannot wait in the queue."""
        if not self._lost:
            self._connection.send(message.to_frame(), fds)

    def end(self, why: str) -> None:
        """SIGKILL it, let go of it and tell the owner; its daemons go on. Again does nothing."""
        if self._lost:
            return
        self._lost, self.why = True, why
        self._timer.cancel()
        self._loop.remove_reader(self._pidfd)
        kill(self._pidfd)
        os.close(self._pidfd)
        self._connection.close()
        self._reports.close()
        self.path.unlink(missing_ok=True)
        if not self.introduced.done():
            self.introduced.set_exception(WsgigroupsError(f"cannot use the spawner {self.key} (pid {self.pid}): {why}"))
            self.introduced.exception()  # somebody may have stopped waiting
        self._on_lost(self)

    def retire(self) -> None:
        """End it without a word to anybody: nothing of it is needed any more."""
        self._on_lost = lambda _spawner: None
        self.end("it is not needed any more")

    def _ended(self) -> None:
        self.end("it has ended")

    def _still_strange(self) -> None:
        if not self.introduced.done():
            self.end(f"it did not answer within {ANSWER_TIMEOUT_S:g} s")

    def _told(self, message: messages.Message) -> bool:
        match message:
            case messages.Hello():
                if message.abi != messages.ABI:
                    self.end(f"it speaks another ABI than {messages.ABI}")
                elif self.digest not in ("", message.digest):
                    self.end("it has the runtime of another version")
            case messages.InventoryEnded():
                if not self.introduced.done():
                    self.introduced.set_result(None)
            case messages.Spawned() | messages.Refused() | messages.Exited() | messages.Molded() | messages.Unmolded():
                self._on_message(self, message, [])
            case _:
                return False
        return True


class SpawnerLink:
    """A connection to who listens on a path, and a hold on that process. Its descriptors are its owner's."""

    def __init__(self, sock: socket.socket, uid: int, pid: int, pidfd: int) -> None:
        self.sock = sock
        self.uid = uid
        self.pid = pid
        self.pidfd = pidfd


def connect(path: Path, uid: int) -> SpawnerLink:
    """Connect to a user's spawner. Raises ImpostorError for somebody else there, and OSError.

    Nothing can be sent to us: the socket takes nothing before it has a peer.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.shutdown(socket.SHUT_RD)
        sock.connect(str(path))
        pid = _pid_behind(sock, path, uid)
        pidfd = _held(pid, {"Uid": [str(uid)] * 4})
    except BaseException:
        sock.close()
        raise
    return SpawnerLink(sock, uid, pid, pidfd)


def _pid_behind(sock: socket.socket, path: Path, uid: int) -> int:
    peer = peer_of(sock)  # who called listen(2), which the launcher does as the user
    if peer.uid != uid:
        raise ImpostorError(f"uid {peer.uid} answers on {path}, not uid {uid}")
    return peer.pid


def hold_child(pid: int, spawner: UserSpawner, gid: int, known: set[int]) -> int:
    """Return a pidfd of a process that a user's spawner says it has forked. Raises ImpostorError.

    It is that user's in every respect, cannot become anybody else, is that spawner's child, and none that is known.
    """
    if pid in known:
        raise ImpostorError(f"process {pid} has a life already")
    wanted = {"Uid": [str(spawner.uid)] * 4, "Gid": [str(gid)] * 4, "PPid": [str(spawner.pid)], "NoNewPrivs": ["1"]}
    return _held(pid, wanted)


def hold_as(pid: int, uid: int, parent: int) -> int:
    """Return a pidfd of a process that is this user's, and the child of another one. Raises ImpostorError."""
    return _held(pid, {"Uid": [str(uid)] * 4, "PPid": [str(parent)]})


def parent_of(pid: int) -> int:
    """The parent of a process; 0 for one that is not there."""
    return int((_status(pid).get("PPid") or ["0"])[0])


def _held(pid: int, wanted: dict[str, list[str]]) -> int:
    """A pidfd of a process of which /proc says all of this."""
    try:
        pidfd = os.pidfd_open(pid)
    except (OSError, ValueError, OverflowError) as error:
        raise ImpostorError(f"there is no process {pid}: {error}") from None
    found = _status(pid)
    wrong = {name: found.get(name) for name, values in wanted.items() if found.get(name) != values}
    if wrong or _has_ended(pidfd):  # it has not: what was read is of that process, and of no later one with its number
        os.close(pidfd)
        name, value = next(iter(wrong.items()), ("State", ["ended"]))
        raise ImpostorError(f"process {pid} has {name} {' '.join(value or ['unknown'])}")
    return pidfd


def _status(pid: int) -> dict[str, list[str]]:
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return {}
    return {name: value.split() for name, _colon, value in (line.partition(":") for line in lines)}


def _has_ended(pidfd: int) -> bool:
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return bool(poller.poll(0))


def prepare_child(pid: int, pidfd: int, spec: Spec) -> None:
    """Do to a child that waits for its specification what its user could not. Raises OSError that says what failed.

    The pidfd shows before each of it that the number is that child's still. Limits that are not above our own it sets
    itself; in a container root may be kept from setting any of another user's.
    """
    changes: list[tuple[str, Callable[[], None]]] = [
        (f"cpu-priority {spec.cpu_priority}", partial(_set_priority, pid, min(spec.cpu_priority, _LOWEST_PRIORITY))),
        ("oom_score_adj 0", partial(_set_oom_score, pid, 0)),
    ]
    for name, pair in spec.rlimits.items():
        number = getattr(resource, f"RLIMIT_{name}")
        if _is_above(pair[1], resource.getrlimit(number)[1]):
            changes.append((f"the limit {name} {pair[1]}", partial(_set_limit, pid, number, pair)))
    for what, change in changes:
        if _has_ended(pidfd):
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        try:
            change()
        except (OSError, ValueError) as error:
            number = getattr(error, "errno", None) or errno.EPERM
            raise OSError(number, f"cannot set {what}: {os.strerror(number)}") from None


def _is_above(wanted: int, present: int) -> bool:
    if present == resource.RLIM_INFINITY:
        return False
    return wanted == resource.RLIM_INFINITY or wanted > present


def _set_priority(pid: int, priority: int) -> None:
    if os.getpriority(os.PRIO_PROCESS, pid) != priority:
        os.setpriority(os.PRIO_PROCESS, pid, priority)


def _set_oom_score(pid: int, score: int) -> None:
    path = Path(f"/proc/{pid}/oom_score_adj")
    if int(path.read_text(encoding="ascii")) != score:
        path.write_text(str(score), encoding="ascii")


def _set_limit(pid: int, number: int, pair: tuple[int, int]) -> None:
    resource.prlimit(pid, number, pair)


def kill(pidfd: int) -> None:
    """SIGKILL a process, and its group where the kernel can name that by a pidfd."""
    with contextlib.suppress(OSError):  # EINVAL before Linux 6.9
        signal.pidfd_send_signal(pidfd, signal.SIGKILL, None, _PIDFD_SIGNAL_PROCESS_GROUP)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
