"""What a group sets on a listening socket, and whether it is in force: set, then read back.

Runs in the manager's only thread. On a socket that listens already nothing of its queue is lost by it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from typing import TYPE_CHECKING

from wsgigroups.config.addresses import parse
from wsgigroups.trust.sockets import own_file
from wsgigroups.trust.walking import judging_root

if TYPE_CHECKING:
    from wsgigroups.plan.desired import ListenerTarget
    from wsgigroups.trust.sockets import Inode

_SO_RCVBUFFORCE, _SO_SNDBUFFORCE = 33, 32  # asm-generic/socket.h: beyond the system's limit, for CAP_NET_ADMIN
_SO_BUF_LOCK = 72  # likewise, since Linux 5.18: which of the two sizes stay as they were set
_BUFFERS = (
    ("receive-buffer-size", socket.SO_RCVBUF, _SO_RCVBUFFORCE, "net.core.rmem"),
    ("send-buffer-size", socket.SO_SNDBUF, _SO_SNDBUFFORCE, "net.core.wmem"),
)
_SACKED = struct.Struct("=28xI")  # tcp_info.tcpi_sacked (linux/tcp.h)


def tune(sock: socket.socket, target: ListenerTarget, inode: Inode | None) -> None:
    """Bring a listening socket, and the file of a UNIX one, to what its target says.

    Raises OSError for what did not take effect, its strerror the option and the reason.
    """
    wanted = (target.receive_buffer_size_bytes, target.send_buffer_size_bytes)
    for (option, number, force, sysctl), size in zip(_BUFFERS, wanted, strict=True):
        _set_buffer(sock, option, number, force, sysctl, size)
    if not any(wanted):
        with contextlib.suppress(OSError):  # a kernel that cannot has its sizes still, and adapts them no more
            sock.setsockopt(socket.SOL_SOCKET, _SO_BUF_LOCK, 0)
    sock.listen(target.backlog)  # on a listening socket this only changes the backlog (listen(2))
    _check_backlog(sock, target.backlog)
    path = parse(target.address).path
    if path and inode and target.owner_uid is not None and os.geteuid() == 0:
        own_file(path, inode, judging_root(), target.owner_uid)


def _set_buffer(sock: socket.socket, option: str, number: int, force: int, sysctl: str, size: int) -> None:
    """Set one size; 0 is the system's own, which only a socket needs to be given that had another one."""
    default = _system(f"{sysctl}_default")
    if not size:
        if default and sock.getsockopt(socket.SOL_SOCKET, number) != default and _was_set(sock, number):
            sock.setsockopt(socket.SOL_SOCKET, number, default // 2)
        return
    sock.setsockopt(socket.SOL_SOCKET, number, size)
    found = sock.getsockopt(socket.SOL_SOCKET, number)  # twice what was set (socket(7))
    if found < size:
        with contextlib.suppress(PermissionError):
            sock.setsockopt(socket.SOL_SOCKET, force, size)
        found = sock.getsockopt(socket.SOL_SOCKET, number)
    if found < size:
        text = f"{option} cannot be {size}: the system allows {found // 2} ({sysctl}_max)"
        raise OSError(errno.EPERM, text)


def _was_set(sock: socket.socket, number: int) -> bool:
    """Whether somebody has set this size; an older kernel does not say, then it is taken to be so."""
    try:
        locks = sock.getsockopt(socket.SOL_SOCKET, _SO_BUF_LOCK)
    except OSError:
        return True
    return bool(locks & (2 if number == socket.SO_RCVBUF else 1))


def backlog_of(sock: socket.socket) -> int | None:
    """The bound of a listening TCP socket's queue, as the kernel says (tcp(7): TCP_INFO); None for another one."""
    if sock.family == socket.AF_UNIX:
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SACKED.size)
        return int(_SACKED.unpack(info)[0])
    except (OSError, struct.error):
        return None


def _check_backlog(sock: socket.socket, wanted: int) -> None:
    found, most = backlog_of(sock), _system("net.core.somaxconn")
    if found is not None and found < wanted and not (most and found == most):  # that one is a warning of validate's
        raise OSError(errno.EPERM, f"listen-backlog cannot be {wanted}: the system says {found}")


def _system(name: str) -> int:
    try:
        with open(f"/proc/sys/{name.replace('.', '/')}", encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0
