"""A socket at which others look at the manager: few at a time, none for long, and whoever comes is let in.

Runs in the manager's only thread. Anybody may come to a loopback port or to a UNIX socket that is open to all, also
those who only want to keep others out: when all places are taken, who has been there longest leaves. Nobody gets more
than one answer. Those whom a dashboard lets stay are few, and take nobody's place. Descriptors that somebody sends are
never taken (runtime.wire.rights).
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING

from wsgigroups.manager.control.farewells import Farewells
from wsgigroups.runtime.wire.rates import Bucket
from wsgigroups.runtime.wire.rights import read_without_rights, take_rights

if TYPE_CHECKING:
    from collections.abc import Callable

PLACES = 32
LASTING = 16  # connections that may stay, besides; the oldest leaves
STAY_S = 20.0  # from coming in to leaving, at most
_TURN = 32  # connections accepted in a turn of the loop
_PAUSE_S = 0.5  # when none can be accepted
_LINES, _LINES_PER_S = 5.0, 0.1


class GuestSocket(socket.socket):
    """An accepted connection as asyncio has it. left is told instead of its being closed."""

    left: Callable[[GuestSocket], None]

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Return data that came without descriptors. Raises RightsError for other data, and OSError."""
        return read_without_rights(self, size) if self.family == socket.AF_UNIX else super().recv(size, flags)

    def close(self) -> None:
        """Leave."""
        self.left(self)


class ObservingDoor:
    """One listening socket, which it owns, with the connections that came from it. log(level, text)."""

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        log: Callable[[str, str], None],
    ) -> None:
        self.listener = listener
        self.protocol = protocol  # makes the HTTP side of a connection
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._lines = Bucket(_LINES, _LINES_PER_S, time.monotonic())
        self._guests: dict[GuestSocket, asyncio.BaseTransport | None] = {}  # in the order in which they came
        self._timers: dict[GuestSocket, asyncio.TimerHandle] = {}
        self._lasting: dict[GuestSocket, None] = {}  # likewise, of those who may stay
        self._greeting: set[asyncio.Task[None]] = set()
        self._farewells = Farewells()
        self._closed = self._resting = False
        listener.setblocking(False)
        if listener.family == socket.AF_UNIX:
            take_rights(listener, take=False)
        self._loop.add_reader(listener.fileno(), self._accept_some)

    def close(self) -> None:
        """Let nobody in any more, and have all leave."""
        self._closed = True
        self._loop.remove_reader(self.listener.fileno())
        self.listener.close()
        for task in self._greeting:
            task.cancel()
        for guest in list(self._guests):
            self._show_out(guest)
        self._farewells.close()

    @property
    def is_visited(self) -> bool:
        """Whether somebody is to be answered who does not stay for long."""
        return len(self._guests) > len(self._lasting)

    def rest(self) -> None:
        """Let nobody in until `go_on`: who comes waits in the queue of the listener."""
        self._resting = True
        self._loop.remove_reader(self.listener.fileno())

    def go_on(self) -> None:
        """Let people in again."""
        self._resting = False
        self._open_again()

    def let_stay(self, fd: int) -> None:
        """Have the guest with this descriptor leave when it likes: it has shown that it may. One of LASTING."""
        guest = next((guest for guest in self._guests if guest.fileno() == fd and guest not in self._lasting), None)
        if guest is None:
            return
        while len(self._lasting) >= LASTING:
            self._show_out(next(iter(self._lasting)))
        self._lasting[guest] = None
        self._forget_timer(guest)

    def _accept_some(self) -> None:
        for _number in range(_TURN):
            if self._farewells.is_full:
                self._pause()
                return
            try:
                sock = self.listener.accept()[0]
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if self._lines.take(1, time.monotonic()):
                    self._log("warning", f"cannot accept a connection at {self.listener}: {error.strerror}")
                self._pause()
                return
            self._let_in(sock)

    def _pause(self) -> None:
        self._loop.remove_reader(self.listener.fileno())
        self._loop.call_later(_PAUSE_S, self._open_again)

    def _open_again(self) -> None:
        if not (self._closed or self._resting):
            self._loop.add_reader(self.listener.fileno(), self._accept_some)

    def _let_in(self, sock: socket.socket) -> None:
        guest = GuestSocket(fileno=sock.detach())
        guest.left = self._left
        guest.setblocking(False)
        if len(self._guests) - len(self._lasting) >= PLACES:
            self._show_out(next(other for other in self._guests if other not in self._lasting))
        self._guests[guest] = None
        self._timers[guest] = self._loop.call_later(STAY_S, self._show_out, guest)
        task = self._loop.create_task(self._serve(guest))
        self._greeting.add(task)
        task.add_done_callback(self._greeting.discard)

    async def _serve(self, guest: GuestSocket) -> None:
        try:
            transport, _protocol = await self._loop.connect_accepted_socket(self.protocol, guest)
        except OSError:
            guest.close()
            return
        if guest in self._guests:
            self._guests[guest] = transport
        elif isinstance(transport, asyncio.Transport):  # shown out meanwhile
            transport.abort()

    def _show_out(self, guest: GuestSocket) -> None:
        transport = self._guests.pop(guest, None)
        self._lasting.pop(guest, None)
        self._forget_timer(guest)
        if isinstance(transport, asyncio.Transport):
            transport.abort()

    def _left(self, guest: GuestSocket) -> None:
        self._guests.pop(guest, None)
        self._lasting.pop(guest, None)
        self._forget_timer(guest)
        self._farewells.let_go(guest)

    def _forget_timer(self, guest: GuestSocket) -> None:
        if timer := self._timers.pop(guest, None):
            timer.cancel()
