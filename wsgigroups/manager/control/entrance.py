"""Who comes in at the control socket: how many, from where, and without descriptors.

Runs in the manager's only thread. Whoever may connect may send descriptors, and a descriptor that does not close would
freeze who lets go of it: members of the read group, and an ordinary user's daemons, must not have that in their hands.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsgigroups.manager.control.farewells import Farewells
from wsgigroups.runtime.wire.origin import UnknownPeerError, connected_by_daemon
from wsgigroups.runtime.wire.rates import Bucket
from wsgigroups.runtime.wire.rights import read_without_rights, take_rights
from wsgigroups.trust.peers import Peer, peer_of

if TYPE_CHECKING:
    from collections.abc import Callable

MAXIMUM_OF_A_USER = 16  # connections of one user who may only read, or may nothing; nobody needs more than a few
MAXIMUM_OF_USERS = 64  # of all of them
_TURN = 64  # connections accepted in a turn of the loop
_PAUSE_S = 0.5  # when none can be accepted
_LINES, _LINES_PER_S = 20.0, 1.0  # about refusals: at once, and a second after that


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who connected. administers: root, or the manager's user without its daemons, which give no orders to anybody."""

    peer: Peer
    administers: bool
    from_daemon: bool = False


class VisitorSocket(socket.socket):
    """An accepted connection as asyncio has it. left is told instead of its being closed."""

    left: Callable[[VisitorSocket], None]

    def recv(self, size: int, _flags: int = 0, /) -> bytes:
        """Return data that came without descriptors. Raises RightsError for other data, and OSError."""
        return read_without_rights(self, size)

    def close(self) -> None:
        """Leave."""
        self.left(self)


class Entrance:
    """The listening socket with all connections that came from it. protocol makes the HTTP side of one."""

    def __init__(
        self, listener: socket.socket, protocol: Callable[[], asyncio.Protocol], log: Callable[[str, str], None]
    ) -> None:
        self._listener = _prepared(listener)
        self._protocol = protocol
        self._log = log
        self._lines = Bucket(_LINES, _LINES_PER_S, time.monotonic())
        self._visitors: dict[int, Visitor] = {}  # by descriptor
        self._farewells = Farewells()
        self._greeting: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._held_back = False

    def open(self) -> None:
        """Let visitors in."""
        self._loop.add_reader(self._listener.fileno(), self._accept_some)

    def move(self, listener: socket.socket) -> None:
        """Let visitors in here from now on; who waits outside the former one comes in still."""
        self._loop.remove_reader(self._listener.fileno())
        self._accept_some()
        self._listener.close()
        self._listener = _prepared(listener)
        self.open()

    def hold_back(self) -> None:
        """Let nobody in any more; who comes waits outside, for whoever is given the listener."""
        self._held_back = True
        self._loop.remove_reader(self._listener.fileno())

    async def let_go(self) -> socket.socket:
        """Return the listener after `hold_back`, once everybody who came in has a protocol."""
        await asyncio.gather(*self._greeting)
        return self._listener

    def visitor(self, fd: int) -> Visitor:
        """Who connected the connection with this descriptor."""
        return self._visitors[fd]

    def complain(self, text: str) -> None:
        """Log a warning about a visitor, unless there were too many of them."""
        if self._lines.take(1, time.monotonic()):
            self._log("warning", text)

    async def shut(self) -> None:
        """Let nobody in any more; who waits outside is sent away, and who is inside has a protocol."""
        self._loop.remove_reader(self._listener.fileno())
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # nobody connects from here on
        with contextlib.suppress(OSError):
            while True:
                self._farewells.let_go(self._accept())
        self._listener.close()
        await asyncio.gather(*self._greeting)

    def close(self) -> None:
        """Let go of the connections that were closed."""
        self._farewells.close()

    def _accept(self) -> VisitorSocket:
        sock = self._listener.accept()[0]
        connection = VisitorSocket(fileno=sock.detach())
        connection.left = self._left
        connection.setblocking(False)
        return connection

    def _accept_some(self) -> None:
        for _number in range(_TURN):
            if self._farewells.is_full:
                self._pause()
                return
            try:
                connection = self._accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self.complain(f"cannot accept a connection: {error.strerror}")
                self._pause()
                return
            self._greet(connection)

    def _pause(self) -> None:
        self._loop.remove_reader(self._listener.fileno())
        self._loop.call_later(_PAUSE_S, self._reopen)

    def _reopen(self) -> None:
        if self._listener.fileno() != -1 and not self._held_back:
            self.open()

    def _greet(self, connection: VisitorSocket) -> None:
        try:
            visitor = _look_at(connection)
        except (OSError, UnknownPeerError) as error:
            self.complain(f"refused a connection: {error}")
            self._farewells.let_go(connection)
            return
        reason = self._crowded(visitor)
        if reason:
            self.complain(f"refused a connection: {reason}")
            self._farewells.let_go(connection)
            return
        self._visitors[connection.fileno()] = visitor
        task = self._loop.create_task(self._serve(connection))
        self._greeting.add(task)
        task.add_done_callback(self._greeting.discard)

    def _crowded(self, visitor: Visitor) -> str:
        """Why there is no room for another visitor like this; empty when there is."""
        if visitor.administers:
            return ""
        others = [other.peer.uid for other in self._visitors.values() if not other.administers]
        if others.count(visitor.peer.uid) >= MAXIMUM_OF_A_USER:
            return f"uid {visitor.peer.uid} has {MAXIMUM_OF_A_USER} of them"
        return f"there are {MAXIMUM_OF_USERS} of them" if len(others) >= MAXIMUM_OF_USERS else ""

    async def _serve(self, connection: VisitorSocket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection)
        except OSError:
            connection.close()

    def _left(self, connection: VisitorSocket) -> None:
        self._visitors.pop(connection.fileno(), None)
        self._farewells.let_go(connection)


def _prepared(listener: socket.socket) -> socket.socket:
    listener.setblocking(False)
    take_rights(listener, take=False)
    return listener


def _look_at(connection: VisitorSocket) -> Visitor:
    """Raises UnknownPeerError for a process of our user that has ended, and OSError."""
    peer = peer_of(connection)
    if peer.uid == 0:
        return Visitor(peer, administers=True)
    if peer.uid != os.geteuid():
        return Visitor(peer, administers=False, from_daemon=_may_be_a_daemon(connection))
    from_daemon = connected_by_daemon(connection)
    return Visitor(peer, administers=not from_daemon, from_daemon=from_daemon)


def _may_be_a_daemon(connection: socket.socket) -> bool:
    """Of another user: of whom it cannot be known may read, and operates nothing."""
    try:
        return connected_by_daemon(connection)
    except (OSError, UnknownPeerError):
        return True
