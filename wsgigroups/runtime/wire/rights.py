"""Sockets on which strangers may send descriptors: none is taken, and none is closed by who cannot wait for it.

The last close of a descriptor can take as long as its sender wants: of a TCP socket with SO_LINGER, data that nobody
reads, until the time is over. Descriptors in a UNIX socket's queue are closed by whoever reads them away or closes the
socket; by a process that exits without waiting (inet_release in the kernel). So what waits is looked at before it is
read, and a socket with descriptors is left to a process that does nothing but exit.

Since Linux 6.16 a socket can refuse them at the sender. Runs in spawners and the manager; never blocks.
"""

from __future__ import annotations

import contextlib

from ..originals import socket

_SO_PASSRIGHTS = 83  # <asm-generic/socket.h>, Linux 6.16; on at first
_LOOK_BYTES = 65536


class RightsError(ConnectionAbortedError):
    """Somebody sent descriptors who has none to send."""


def take_rights(sock: socket.socket, *, take: bool) -> bool:
    """Have the kernel take descriptors on this socket or refuse them with EPERM; return whether it knows of that.

    A listening socket passes it on to the connections that are made from then on.
    """
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_PASSRIGHTS, 1 if take else 0)
    except OSError:
        return False
    return True


def read_without_rights(sock: socket.socket, size: int) -> bytes:
    """Return up to so many bytes of a stream, b"" at its end. Raises RightsError, reading nothing; and OSError.

    Only what was looked at is read: what is sent meanwhile comes behind it, and data with descriptors is a border that
    no read crosses (unix(7)).
    """
    seen, _rights, flags, _address = sock.recvmsg(size, 0, socket.MSG_PEEK)
    if flags & socket.MSG_CTRUNC:  # there was something beside the data, for which no room was given
        raise RightsError("it sent descriptors")
    return sock.recvmsg(len(seen))[0] if seen else b""


def is_free_of_rights(sock: socket.socket) -> bool:
    """Shut a non-blocking stream for reading and read what waits; return whether its close now closes nothing else.

    Nobody can send anything afterwards. False: descriptors wait in it.
    """
    with contextlib.suppress(OSError):  # its peer is gone; what it sent may wait nevertheless
        sock.shutdown(socket.SHUT_RD)
    try:
        while read_without_rights(sock, _LOOK_BYTES):
            pass
    except RightsError:
        return False
    except OSError:  # nothing waits, or nothing can any more
        return True
    return True
