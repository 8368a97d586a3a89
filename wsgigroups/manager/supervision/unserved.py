"""Having clients of groups that nobody serves answered 503, instead of waiting until they give up.

The answers are given by a process without privileges, the answerer (runtime/answerer): strangers choose what comes on
its connections, and neither the manager nor a spawner may be slowed down by them. It is started when it is first needed
and ends with the manager. Runs in the manager's only thread, once a second.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.host.interpreters import find_interpreter
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.supervision.connection import FrameConnection
from wsgigroups.targets.interpreters import RUNTIME

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wsgigroups.manager.core.model import GroupState
    from wsgigroups.manager.supervision.listeners import Listeners

AGAIN_S = 5.0  # between two starts of an answerer
_BOOTSTRAP = RUNTIME / "spawner" / "__main__.py"
_FAILED = frozenset({Tenancy.COOLING, Tenancy.FAILED})
_NOBODY = 65534  # as Linux has it where no account of that name is


@dataclass(slots=True)
class UnservedGroups:
    """Which listeners the answerer has, and since when groups have nobody who serves (monotonic seconds)."""

    listeners: Listeners
    log_fd: int
    log: Callable[[str, str], None]
    _since: dict[str, float] = field(default_factory=dict)
    _given: dict[str, dict[str, int]] = field(default_factory=dict)  # group → address → number of the socket
    _connection: FrameConnection | None = None
    _child: subprocess.Popen[bytes] | None = None
    _pidfd: int = -1
    _not_before: float = 0.0
    _latest: Mapping[str, GroupState] = field(default_factory=dict)  # the groups that were there at the last look

    def child_pids(self) -> set[int]:
        """The answerer, while there is one."""
        return {self._child.pid} if self._child and self._child.poll() is None else set()

    def look(self, groups: Mapping[str, GroupState]) -> None:
        """Give the answerer what nobody has served for connect-timeout, and take back what it need not have."""
        now = time.monotonic()
        if groups is self._latest and not self._since:
            return
        self._latest = groups
        for name, group in groups.items():
            if not group.wanted or any(record.state is Tenancy.READY for record in group.records):
                self.serves(name)
                continue
            patience_s = group.target.spec.serving.connect_timeout_s
            waited_s = now - self._since.setdefault(name, now)
            if (waited_s >= patience_s > 0 or _does_not_wake(group)) and now >= self._not_before:
                self._answer(name)
        for name in self._since.keys() - groups.keys():
            self.serves(name)

    def serves(self, group: str) -> None:
        """Take the group's listeners back: a process serves them, or nobody shall."""
        self._since.pop(group, None)
        given = self._given.pop(group, None)
        if given and self._connection:
            for address in given:
                self._connection.send({"type": "rest", "key": f"{group} {address}"})
            self.log("info", f"{group}: clients are not answered 503 for it any more")

    def close(self) -> None:
        """Have the answerer end."""
        if self._child:
            self._child.kill()
            self._forget()

    def _answer(self, name: str) -> None:
        held = {
            address: (listener.sock.fileno(), os.fstat(listener.sock.fileno()).st_ino)
            for address, listener in self.listeners.of(name).items()
        }
        given = self._given.setdefault(name, {})
        changed = {address: fd for address, (fd, number) in held.items() if given.get(address) != number}
        if not changed:
            return
        if self._connection is None and not self._start():
            return
        if not given:
            self.log("warning", f"{name}: nobody serves it, whoever connects is answered 503")
        for address, fd in changed.items():
            assert self._connection is not None
            try:
                self._connection.send({"type": "answer", "key": f"{name} {address}"}, [fd])
            except OSError as error:
                self.log("error", f"cannot have {address} of {name} answered: {error.strerror}")
                return
            given[address] = held[address][1]

    def _start(self) -> bool:
        self._not_before = time.monotonic() + AGAIN_S
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        who = ["-", "-"] if os.geteuid() else list(map(str, _account()))
        executable = str(find_interpreter(None).executable)
        try:
            with theirs:
                self._child = subprocess.Popen(
                    [executable, "-I", "-S", str(_BOOTSTRAP), "answer", str(theirs.fileno()), *who],
                    env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=self.log_fd,
                    stderr=self.log_fd,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
        except OSError as error:
            ours.close()
            self.log("error", f"cannot start the answerer of clients that nobody serves: {error.strerror}")
            return False
        self._pidfd = os.pidfd_open(self._child.pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._ended)
        # nothing is read: it has nothing to say
        self._connection = FrameConnection(ours, None, lambda _reason: None)
        return True

    def _ended(self) -> None:
        """Whatever it had is given to the next one."""
        self.log("warning", f"the answerer of clients that nobody serves has ended (status {self._forget()})")

    def _forget(self) -> int:
        """Reap it and let go of what was its; return how it ended."""
        assert self._child is not None
        assert self._connection is not None
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._connection.close()
        status = self._child.wait()
        self._given.clear()
        self._connection = self._child = None
        self._pidfd = -1
        return status


def _does_not_wake(group: GroupState) -> bool:
    """Whether a group slept, and its first process has failed: whoever had it started need not wait for another."""
    sleeps = group.target.scaling is not None and group.target.scaling.sleeps
    return sleeps and bool(group.records) and all(record.state in _FAILED for record in group.records)


def _account() -> tuple[int, int]:
    """Who the answerer is when the manager is root."""
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return _NOBODY, _NOBODY
    return nobody.pw_uid, nobody.pw_gid
