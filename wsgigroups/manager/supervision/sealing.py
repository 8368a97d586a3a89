"""Ending a listening socket for everybody who has it, and telling whether somebody has done so.

Runs in the manager's only thread. A process that a tenant left behind keeps its copy of a listener for as long as it
lives; closing ours changes nothing for it.
"""

from __future__ import annotations

import contextlib
import ctypes
import select
import socket
import struct

# <asm-generic/socket.h>; the socket module has no names for them
_SO_ATTACH_FILTER = 26
_SO_LOCK_FILTER = 44
_RETURN_NOTHING = struct.pack("=HBBI", 0x06, 0, 0, 0)  # BPF_RET | BPF_K, 0 bytes of each packet (struct sock_filter)


def seal(sock: socket.socket) -> None:
    """Take nothing any more from this socket, in whatever process: who waits in its queue is refused.

    A TCP socket could listen again after shutdown(2): a filter that drops every packet, and that cannot be taken away
    again (socket(7), SO_LOCK_FILTER), makes that useless. A UNIX socket that is shut stays shut.
    """
    if sock.family != socket.AF_UNIX:
        code = ctypes.create_string_buffer(_RETURN_NOTHING, len(_RETURN_NOTHING))
        program = struct.pack("@HP", 1, ctypes.addressof(code))  # struct sock_fprog
        with contextlib.suppress(OSError):  # somebody has locked a filter of his own: then shutdown has to do
            sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
            sock.setsockopt(socket.SOL_SOCKET, _SO_LOCK_FILTER, 1)
    with contextlib.suppress(OSError):  # it was shut already
        sock.shutdown(socket.SHUT_RDWR)


def is_shut(sock: socket.socket) -> bool:
    """Whether nobody can connect any more: a process that inherited it has shut it down."""
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return True
    if sock.family != socket.AF_UNIX:
        return False
    poller = select.poll()
    poller.register(sock, select.POLLRDHUP)  # a UNIX socket that is shut goes on to be one that listens
    return bool(poller.poll(0))
