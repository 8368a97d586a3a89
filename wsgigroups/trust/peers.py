"""Who is at the other end of a UNIX socket, as the kernel says (unix(7)). Runs in the manager and in commands."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from dataclasses import dataclass

_PEERCRED = struct.Struct("3i")
_SO_PEERGROUPS = 59  # <asm-generic/socket.h>, Linux 4.13
_MAXIMUM_GROUPS = 65536  # NGROUPS_MAX
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Peer:
    """Who connected, or who listens: at the time of connect(2) or listen(2)."""

    uid: int
    gid: int
    pid: int


def peer_of(sock: socket.socket) -> Peer:
    """Return who is there. Raises OSError."""
    pid, uid, gid = _PEERCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size))
    return Peer(uid, gid, pid)


def groups_of(sock: socket.socket) -> set[int]:
    """Return all groups of who connected, the primary one too. Raises OSError.

    Not socket.getsockopt, which takes no more than 1024 bytes: 256 groups, of 65536 that somebody may have.
    """
    buffer = (ctypes.c_uint32 * _MAXIMUM_GROUPS)()
    size = ctypes.c_uint32(ctypes.sizeof(buffer))
    option = ctypes.c_int(_SO_PEERGROUPS)
    if _LIBC.getsockopt(sock.fileno(), socket.SOL_SOCKET, option, buffer, ctypes.byref(size)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return {peer_of(sock).gid, *buffer[: size.value // ctypes.sizeof(ctypes.c_uint32)]}
