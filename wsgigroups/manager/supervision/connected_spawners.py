"""The manager's side of one spawner that is the manager's own user's: what it is, what it kept, whether it answers.

Runs in the manager's only thread. Decides nothing: who owns it is told of messages and of the end of the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.supervision.connection import FrameConnection
from wsgigroups.runtime.wire import identity, messages
from wsgigroups.trust.sockets import inode_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence
    from pathlib import Path

KNOWN_ABIS = (1, messages.ABI)  # whose inventory is understood
PINGED = 1  # the first protocol that knows of pings


@dataclass(slots=True)
class Inventory:
    """What a spawner kept, as it reported after hello."""

    kept: list[tuple[messages.Kept, list[int]]] = field(default_factory=list)
    exited: list[messages.Exited] = field(default_factory=list)


class ConnectedSpawner:
    """One connected spawner."""

    def __init__(
        self,
        key: str,
        path: Path,
        sock: socket.socket,
        on_message: Callable[[ConnectedSpawner, messages.Message, list[int]], None],
        on_lost: Callable[[ConnectedSpawner], None],
    ) -> None:
        self.key = key
        self.path = path
        self.inode = inode_of(str(path))
        self.former_of = ""  # it forks nothing here: the key of the spawner that takes its place
        self.abi = messages.ABI
        self.pid = 0
        self.executable = self.python = ""
        self.protocol = 0
        self.runtime = identity.Runtime("", "")  # what it forks
        self.unanswered = 0  # pings
        self._pidfd = -1
        self._on_message = on_message
        self._on_lost = on_lost
        self._inventory: Inventory | None = Inventory()
        self.introduced: asyncio.Future[Inventory] = asyncio.get_running_loop().create_future()
        self.connection = FrameConnection(sock, self._frame, self._closed)
        self.send(messages.Hello(messages.ABI, os.getpid(), protocol=messages.PROTOCOL))

    def send(self, message: messages.Message, fds: Sequence[int] = ()) -> None:
        """Send one message; the caller keeps its descriptors. Raises OSError when they cannot wait in the queue."""
        self.connection.send(message.to_frame(), fds)

    def abandon(self) -> None:
        """Close the connection without a word to anybody."""
        self._on_lost = lambda _spawner: None
        self.connection.close()
        self.release()

    def ping(self) -> None:
        """Ask whether it is there, if it understands that."""
        if self.protocol >= PINGED:
            self.unanswered += 1
            self.send(messages.Ping(self.unanswered))

    @property
    def alive(self) -> bool:
        """Whether the process is there, whatever became of the connection."""
        if self._pidfd < 0:
            return False
        poller = select.poll()
        poller.register(self._pidfd, select.POLLIN)
        return not poller.poll(0)

    def kill(self) -> None:
        """SIGKILL the process; its daemons go on."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def ended(self, timeout_s: float) -> bool:
        """Wait for its end; whether it came in time."""
        if self._pidfd < 0:
            return True
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        pidfd = os.dup(self._pidfd)  # its own: the connection may be lost, and this let go of, before the end is seen
        loop.add_reader(pidfd, over.set)
        try:
            await asyncio.wait_for(over.wait(), timeout_s)
        except asyncio.TimeoutError:
            return False
        finally:
            loop.remove_reader(pidfd)
            os.close(pidfd)
        return True

    def release(self) -> None:
        """Let go of the process. `alive` is false from then on."""
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1

    def _frame(self, body: dict[str, Any], fds: list[int]) -> None:
        try:
            message = messages.decode(body)
        except messages.MessageError as error:
            close_all(fds)
            self.connection.close(str(error))
            return
        if isinstance(message, messages.Pong):
            self.unanswered = 0
            return
        if self._inventory is None:
            self._on_message(self, message, fds)
            return
        match message:
            case messages.Hello():
                self.pid, self.abi = message.pid, message.abi
                self.executable, self.python = message.executable, message.python
                self.protocol, self.runtime = message.protocol, identity.Runtime(message.runtime, message.digest)
                with contextlib.suppress(OSError):  # it ends just now
                    self._pidfd = os.pidfd_open(message.pid)
                if message.abi not in KNOWN_ABIS:
                    self.connection.close(f"the spawner speaks ABI {message.abi}, this manager {messages.ABI}")
            case messages.Kept():
                self._inventory.kept.append((message, fds))
            case messages.Exited():
                self._inventory.exited.append(message)
            case messages.InventoryEnded():
                inventory, self._inventory = self._inventory, None
                self.introduced.set_result(inventory)

    def _closed(self, reason: str) -> None:
        if not self.introduced.done():
            self.introduced.set_exception(
                WsgigroupsError(f"cannot use the spawner {self.key} (pid {self.pid}): {reason}")
            )
            self.introduced.exception()  # somebody may have stopped waiting
        if self._inventory:
            for _kept, fds in self._inventory.kept:
                close_all(fds)
        self._on_lost(self)


def close_all(fds: Sequence[int]) -> None:
    """Close all of them."""
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)
