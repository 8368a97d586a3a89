"""One listening socket, and what the environs of its connections have in common."""

from __future__ import annotations

import struct
from typing import Any, Callable, Dict, Optional, Tuple, Type, cast

from .. import accelerator
from ..originals import select, socket
from ..protocol.forwarding import Trust
from ..protocol.names import TRUSTED, UNTRUSTED
from ..wire.pulse import Pulse
from ..wire.rights import take_rights
from .connection import RECEIVE_BYTES, Connection

_INFO_BYTES, _UNACKED = 104, struct.Struct("24x I")  # struct tcp_info of linux/tcp.h, as far as tcpi_unacked
# Seconds, as the kernel reads them back: it counts in retransmissions, five of which come to this (secs_to_retrans in
# net/ipv4/inet_connection_sock.c). So a wait of ours is told from one that somebody else has set.
DEFER_S = 31
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: struct ucred of unix(7)


class Listener:
    """One listening socket and what its connections have in common."""

    connection: Type[Connection] = Connection  # what is made of each
    # What takes a connection of a UNIX socket with what it has sent, so that a packet of a gateway is there at once.
    arrive: Optional[Callable[[int], Tuple[int, int, bytes]]] = accelerator.IN_USE and accelerator.IN_USE.arrive

    def __init__(self, sock: socket.socket, base: Dict[str, Any], pulse: Optional[Pulse] = None) -> None:
        self.sock = sock
        self.pulse = pulse  # shared with all who accept here; None: nobody else does
        self.fd = sock.fileno()
        # What socket.accept does with it, but for the enumerations that it makes of numbers, for each connection anew.
        self._accept: Callable[[], Tuple[int, Any]] = sock._accept  # type: ignore[attr-defined]
        self._family = int(sock.family)
        self.unix = sock.family == socket.AF_UNIX
        self._hung_up = select.poll()
        self._hung_up.register(self.fd, 0)  # POLLHUP alone, which is always told
        self.base = dict(base)
        self._wildcard = False
        if self.unix:
            take_rights(sock, take=False)
            # No port and no name: what the Host field says is completed by the caller.
            self.base.update(SERVER_NAME="", SERVER_PORT="80", REMOTE_ADDR="", REMOTE_PORT="")
        else:
            address = sock.getsockname()
            self._wildcard = address[0] in ("0.0.0.0", "::")  # noqa: S104 — compared, not bound
            self.base.update(_server(address[0]), SERVER_PORT=str(address[1]))
            self.base["mod_wsgi.listener_port"] = str(address[1])

    def defer(self, wanted: bool) -> None:
        """Have the kernel keep connections back until their first bytes have come, for DEFER_S, or no longer.

        The socket is that of all siblings, and of whoever came before. A wait that is not ours stays. UNIX sockets
        have none.
        """
        if self.unix:
            return
        present = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT)
        if present in (0, DEFER_S) and (present == DEFER_S) is not wanted:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, DEFER_S if wanted else 0)

    def is_shut(self) -> bool:
        """Whether a UNIX socket was shut down; accept(2) without waiting says of it what it says of an empty queue."""
        return self.unix and bool(self._hung_up.poll(0))

    def waiting(self) -> int:
        """How many connections wait to be accepted; 0 where the kernel does not say, as of UNIX sockets.

        Of a socket that listens, tcpi_unacked is the length of its queue (tcp_get_info in net/ipv4/tcp.c).
        """
        if self.unix:
            return 0
        try:
            return int(_UNACKED.unpack_from(self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES))[0])
        except (OSError, struct.error):
            return 0

    def accept(self, trust: Trust) -> Connection:
        """Take one connection, perhaps with what has come. Raises BlockingIOError when there is none, OSError."""
        if self.unix and self.arrive is not None:
            return self._arrived(trust, *self.arrive(self.fd))
        fd, address = self._accept()
        # Without what the class in socket.py adds, which costs a microsecond and is not used here.
        sock = cast(socket.socket, socket.SocketType(self._family, socket.SOCK_STREAM, 0, fd))
        if sock.gettimeout() is not None:  # the application has called socket.setdefaulttimeout
            sock.setblocking(False)
        base = self.base.copy()
        if self.unix:
            trusted = trust.unix and trust.covers_user(_uid_of_peer(sock))
            return self.connection(sock, base, TRUSTED if trusted else UNTRUSTED, "unix peer", True)
        base["REMOTE_ADDR"] = host = address[0]
        base["REMOTE_PORT"] = str(address[1])
        if self._wildcard:
            base.update(_server(sock.getsockname()[0]))
        trusted = trust.covers(host) if trust else False
        return self.connection(sock, base, TRUSTED if trusted else UNTRUSTED, host, False)

    def _arrived(self, trust: Trust, fd: int, uid: int, data: bytes) -> Connection:
        sock = cast(socket.socket, socket.SocketType(self._family, socket.SOCK_STREAM, 0, fd))
        if sock.gettimeout() is not None:  # as above
            sock.setblocking(False)
        keys = TRUSTED if trust.unix and trust.covers_user(uid) else UNTRUSTED
        connection = self.connection(sock, self.base, keys, "unix peer", True)
        connection.data = data
        connection.more = len(data) == RECEIVE_BYTES
        return connection


def _server(address: str) -> Dict[str, str]:
    """Return what an IP address says of the server; a zone is of this machine alone.

    As a name it is as a host is written (RFC 3875 sections 3.3 and 4.1.14), and else as Apache has it.
    """
    address = address.partition("%")[0]
    name = "[%s]" % address if ":" in address else address
    return {"SERVER_NAME": name, "SERVER_ADDR": address, "mod_wsgi.listener_host": address}


def _uid_of_peer(sock: socket.socket) -> int:
    """Return who connected (SO_PEERCRED, unix(7)), as the kernel noted it then; -1 if it does not say."""
    try:
        _pid, uid, _gid = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    except OSError:
        return -1
    return int(uid)
