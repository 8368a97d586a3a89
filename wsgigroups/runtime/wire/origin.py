"""Whether a process comes from a daemon: a mark that every process inherits and none can take off.

Daemons lower a hard limit that Linux keeps and has not used since 2.4.25, RLIMIT_LOCKS. fork(2) and execve(2) pass it
on, a change of session, cgroup, parent or user namespace does not touch it, and only CAP_SYS_RESOURCE in the first user
namespace raises it again (getrlimit(2)). Whoever has a lower one than a manager descends from a daemon of that manager,
also after another manager has taken over. Runs in daemons, spawners and the manager.
"""

from __future__ import annotations

import resource
import struct
from typing import Optional, Tuple

from .. import kernel
from ..originals import os, select, socket

_LIMIT = 10  # RLIMIT_LOCKS of <asm-generic/resource.h>, the same everywhere; the module resource has no name for it
_TITLE = b"Max file locks"  # of its line in /proc/PID/limits (proc_pid_limits(5))
_HIGHEST = 1 << 62  # one below "unlimited" in this order, and far above everything that was ever set
_SO_PEERPIDFD = 77  # <asm-generic/socket.h>, Linux 6.5
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid (unix(7))


class UnknownPeerError(Exception):
    """Who connected cannot be looked at any more; the text says why."""


def mark() -> Tuple[int, int]:
    """Mark this process and all that will descend from it; return the limit, soft and hard. Raises OSError."""
    hard = resource.getrlimit(_LIMIT)[1]
    lower = _HIGHEST if hard == resource.RLIM_INFINITY else max(0, hard - 1)
    resource.setrlimit(_LIMIT, (lower, lower))
    return resource.getrlimit(_LIMIT)


def connected_by_daemon(sock: socket.socket) -> bool:
    """Whether a daemon, or what descends from one, connected this UNIX socket. Raises UnknownPeerError, OSError.

    A process outside of our pid namespace, which the kernel shows as 0, descends from no daemon of ours. Before Linux
    6.5 the process is known by its number alone.
    """
    pid = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))[0]
    if pid == 0:
        return False
    pidfd = _pidfd(sock, pid)
    try:
        limit = _hard_limit(pid)
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        if limit is None or poller.poll(0):  # looked at first: it was still itself when its limit was read
            raise UnknownPeerError("pid %d has ended" % pid)
    finally:
        os.close(pidfd)
    return _in_order(limit) < _in_order(resource.getrlimit(_LIMIT)[1])


def _pidfd(sock: socket.socket, pid: int) -> int:
    try:
        return sock.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
    except OSError:
        pass  # an older kernel, or a process that has ended; the next question tells which
    try:
        return kernel.pidfd_open(pid)
    except OSError:
        raise UnknownPeerError("pid %d has ended" % pid) from None


def _hard_limit(pid: int) -> Optional[int]:
    """Return the limit of a process as the module resource has it; None when the process has ended."""
    try:
        with open("/proc/%d/limits" % pid, "rb") as file:
            line = next((line for line in file if line.startswith(_TITLE)), b"")
    except OSError:
        return None
    words = line[len(_TITLE) :].split()
    if len(words) < 2:
        return None
    return resource.RLIM_INFINITY if words[1] == b"unlimited" else int(words[1])


def _in_order(limit: int) -> float:
    return float("inf") if limit == resource.RLIM_INFINITY else limit
