"""A spawner that was left by a former manager and does not answer: found by its socket, and ended with what it holds.

Runs in the manager's only thread, before anything is served. It holds the listening sockets of its groups, so that
nobody can bind their addresses while it is there; it forks nothing and reaps nothing, so that nothing is lost with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import socket
from typing import TYPE_CHECKING

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.manager.supervision.sealing import seal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NR_PIDFD_GETFD = 438  # pidfd_getfd(2), Linux 5.6; the same on every architecture
_END_S = 5.0
_ACCEPTS = "00010000"  # __SO_ACCEPTCON in the flags of /proc/net/unix


def end_spawner(path: Path) -> tuple[int, list[int]]:
    """End the spawner that listens on this socket; return its pid and pidfds of daemons that are left to leave.

    Their listeners are shut, so that they take nothing more and their addresses are free; where the kernel does not
    let us, they are killed. Raises WsgigroupsError when the spawner cannot be found or does not end.
    """
    found = _find(path, os.geteuid())
    if found is None:
        raise WsgigroupsError(
            f"cannot take over: the spawner at {path} does not answer, and no process of this user holds its socket",
            hint=f"end it, and remove {path}",
            exit_code=ExitCode.FAILED,
        )
    pid, pidfd = found
    try:
        daemons = [opened for child in _children(pid) if (opened := _pidfd(child)) is not None]
        freed = _shut_listeners(pid, pidfd)
        _kill(pidfd)
        if not freed:
            for daemon in daemons:
                _kill(daemon)
        if not _ended(pidfd):
            for daemon in daemons:
                os.close(daemon)
            raise WsgigroupsError(
                f"cannot take over: the spawner at {path} (pid {pid}) does not answer and cannot be ended",
                hint="it waits in the kernel: see /proc/PID/stack",
                exit_code=ExitCode.FAILED,
            )
        if not freed:
            for daemon in daemons:
                _ended(daemon)
    finally:
        os.close(pidfd)
    return pid, daemons


def end_user_spawner(path: Path, uid: int) -> int:
    """SIGKILL the process of a user that listens on this socket; return its pid, 0 if there is none.

    It holds nothing of ours, and is not waited for: it is a tenant, who could make that last.
    """
    found = _find(path, uid)
    if found is None:
        return 0
    pid, pidfd = found
    _kill(pidfd)
    os.close(pidfd)
    return pid


def kill_and_close(pidfds: list[int]) -> None:
    """SIGKILL what has not ended by now."""
    for pidfd in pidfds:
        _kill(pidfd)
        os.close(pidfd)
    pidfds.clear()


def _find(path: Path, uid: int) -> tuple[int, int] | None:
    """The process of a user that listens on this socket: pid and pidfd."""
    inodes = _inodes(path)
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid() or not _holds(int(name), inodes, uid):
            continue
        pidfd = _pidfd(int(name))
        if pidfd is None:
            continue
        if _holds(int(name), inodes, uid):  # it is that process, not one that has its number now
            return int(name), pidfd
        os.close(pidfd)
    return None


def _inodes(path: Path) -> set[str]:
    """Inodes of the listening sockets that were bound to this path (/proc/net/unix, proc(5))."""
    with open("/proc/net/unix", encoding="utf-8", errors="surrogateescape") as file:
        lines = [line.rstrip("\n").split(None, 7) for line in file]
    return {line[6] for line in lines if len(line) == 8 and line[7] == str(path) and line[3] == _ACCEPTS}


def _holds(pid: int, inodes: set[str], uid: int) -> bool:
    """Whether a process of a user has one of these sockets. Only a spawner has: its children close it first."""
    try:
        if os.stat(f"/proc/{pid}").st_uid != uid:
            return False
        numbers = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return False
    for number in numbers:
        with contextlib.suppress(OSError):
            link = os.readlink(f"/proc/{pid}/fd/{number}")
            if link.startswith("socket:[") and link[8:-1] in inodes:
                return True
    return False


def _children(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _kill(pidfd: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)


def _ended(pidfd: int) -> bool:
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return bool(poller.poll(_END_S * 1000))


def _shut_listeners(pid: int, pidfd: int) -> bool:
    """Seal every listening socket that the process holds; False when the kernel does not let us have them."""
    for fd in _sockets(pid):
        copy = _copied(pidfd, fd)
        if copy is None:
            return False
        with socket.socket(fileno=copy) as sock:
            if sock.type == socket.SOCK_STREAM and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                seal(sock)
    return True


def _sockets(pid: int) -> Iterator[int]:
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:["):
                yield int(name)


def _copied(pidfd: int, fd: int) -> int | None:
    """A copy of another process's descriptor, close-on-exec; None when it is not to be had."""
    copy = int(ctypes.CDLL(None, use_errno=True).syscall(_NR_PIDFD_GETFD, pidfd, fd, 0))
    return copy if copy >= 0 else None
