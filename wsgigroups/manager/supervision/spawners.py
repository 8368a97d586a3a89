"""The manager's side of the spawners: starting one per interpreter and locale, finding those that live, asking them.

Runs in the manager's only thread. A spawner outlives the manager; a lost one is replaced and given what it kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Union

from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.supervision import user_spawners
from wsgigroups.manager.supervision.connection import FrameConnection
from wsgigroups.manager.supervision.starting import Starter, keeper_target
from wsgigroups.manager.supervision.user_spawners import UserSpawner
from wsgigroups.runtime.wire import messages
from wsgigroups.targets.interpreters import uid_of_key
from wsgigroups.trust.sockets import bind_unix, inode_of
from wsgigroups.trust.walking import private_directory, trusted_here

if TYPE_CHECKING:
    from pathlib import Path

    from wsgigroups.manager.supervision.cgroups.user_cgroups import UserCgroups
    from wsgigroups.plan.desired import SpawnerTarget

HELLO_TIMEOUT_S = 10.0  # for a spawner that runs already: it has nothing to do but to answer
_SUFFIX = f"-{messages.ABI}"  # of a socket's name: a spawner of an earlier version keeps its own beside
KNOWN_ABIS = (1, messages.ABI)  # whose inventory is understood

AnySpawner = Union["ConnectedSpawner", UserSpawner]
OnMessage = Callable[[AnySpawner, messages.Message, list[int]], None]
OnLost = Callable[[AnySpawner], None]


@dataclass(slots=True)
class Inventory:
    """What a spawner kept, as it reported after hello."""

    kept: list[tuple[messages.Kept, list[int]]] = field(default_factory=list)
    exited: list[messages.Exited] = field(default_factory=list)


@dataclass(slots=True)
class Discovery:
    """What a manager found at its start."""

    asked: list[ConnectedSpawner] = field(default_factory=list)
    found: list[tuple[ConnectedSpawner, Inventory]] = field(default_factory=list)
    silent: list[Path] = field(default_factory=list)  # sockets of those that do not answer
    impostors: list[str] = field(default_factory=list)  # what is wrong with who listens where a user's spawner did


class ConnectedSpawner:
    """One connected spawner."""

    def __init__(self, key: str, path: Path, sock: socket.socket, on_message: OnMessage, on_lost: OnLost) -> None:
        self.key = key
        self.path = path
        self.inode = inode_of(str(path))
        self.abi = messages.ABI
        self.pid = 0
        self.executable = self.python = ""
        self._on_message = on_message
        self._on_lost = on_lost
        self._inventory: Inventory | None = Inventory()
        self.introduced: asyncio.Future[Inventory] = asyncio.get_running_loop().create_future()
        self.connection = FrameConnection(sock, self._frame, self._closed)
        self.send(messages.Hello(messages.ABI, os.getpid()))

    def send(self, message: messages.Message, fds: Sequence[int] = ()) -> None:
        """Send one message; the caller keeps its descriptors. Raises OSError when they cannot wait in the queue."""
        self.connection.send(message.to_frame(), fds)

    def abandon(self) -> None:
        """Close the connection without a word to anybody."""
        self._on_lost = lambda _spawner: None
        self.connection.close()

    def _frame(self, body: dict[str, Any], fds: list[int]) -> None:
        try:
            message = messages.decode(body)
        except messages.MessageError as error:
            _close_all(fds)
            self.connection.close(str(error))
            return
        if self._inventory is None:
            self._on_message(self, message, fds)
            return
        match message:
            case messages.Hello():
                self.pid, self.abi = message.pid, message.abi
                self.executable, self.python = message.executable, message.python
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
        self._on_lost(self)


class SpawnerPool:
    """All spawners by key."""

    def __init__(
        self,
        run_dir: Path,
        log_fd: int,
        on_message: OnMessage,
        on_lost: OnLost,
        cgroups: UserCgroups,
        descriptor_limit: int = 0,
    ) -> None:
        self.directory = run_dir / "spawners"
        self._starter = Starter(log_fd, descriptor_limit)
        self._on_message = on_message
        self._on_lost = on_lost
        self._cgroups = cgroups
        self._ready: dict[str, ConnectedSpawner] = {}
        self._users: dict[str, UserSpawner] = {}
        self._former: list[ConnectedSpawner] = []  # of an earlier version: they end with their last daemon
        self._coming: dict[str, asyncio.Task[AnySpawner]] = {}

    def ready(self, key: str) -> ConnectedSpawner | None:
        """The connected spawner of this key, if there is one."""
        return self._ready.get(key) or next((former for former in self._former if former.key == key), None)

    def all(self) -> list[ConnectedSpawner]:
        """Every connected spawner that keeps what it is given."""
        return [*self._ready.values(), *self._former]

    def child_pids(self) -> set[int]:
        """Spawners that this manager started and that have not ended; reaps those that have."""
        return self._starter.child_pids()

    def users(self) -> list[UserSpawner]:
        """Every spawner that is a user's."""
        return list(self._users.values())

    def user(self, key: str) -> UserSpawner | None:
        """The user's spawner of this key, if there is one."""
        return self._users.get(key)

    async def get(self, target: SpawnerTarget, log_path: str = "") -> AnySpawner:
        """The spawner for this interpreter and locale, started when there is none. Raises WsgigroupsError, OSError.

        log_path: where one that is a user's writes. There is a keeper then, for what such a one is not given to keep.
        """
        if target.uid is not None:
            await self.get(keeper_target())
        spawner = self._ready.get(target.key) or self._users.get(target.key)
        if spawner:
            return spawner
        task = self._coming.get(target.key)
        if task is None:
            task = asyncio.create_task(self._start(target, log_path))
            self._coming[target.key] = task
            task.add_done_callback(lambda _task: self._coming.pop(target.key, None))
        return await asyncio.shield(task)

    async def discover(self) -> Discovery:
        """Connect to every spawner whose socket lies in the run directory; remove the sockets of the dead.

        One that does not answer is ended, with its listeners. Raises WsgigroupsError when one is in the way that
        cannot be: nothing may be bound a second time while it holds the addresses.
        """
        private_directory(str(self.directory), 0o700)
        discovery = Discovery()
        for path in sorted(self.directory.glob("*.sock")):
            uid = uid_of_socket(path)
            if uid is not None:
                self._find_user(path, uid, discovery)
                continue
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.setblocking(False)
            try:
                sock.connect(str(path))
            except BlockingIOError:  # its queue is full: managers before this one have asked in vain
                sock.close()
                discovery.silent.append(path)
            except OSError:
                sock.close()
                path.unlink(missing_ok=True)
            else:
                key = (
                    path.stem.removesuffix(_SUFFIX)
                    if path.stem.endswith(_SUFFIX)
                    else f"{path.stem} of an earlier version"
                )
                discovery.asked.append(ConnectedSpawner(key, path, sock, self._on_message, self._lost))
        if discovery.asked:
            await asyncio.wait([spawner.introduced for spawner in discovery.asked], timeout=HELLO_TIMEOUT_S)
        for spawner in discovery.asked:
            if not spawner.introduced.done():
                spawner.abandon()
                discovery.silent.append(spawner.path)
                continue
            try:
                discovery.found.append((spawner, spawner.introduced.result()))
            except WsgigroupsError:
                if spawner.abi not in KNOWN_ABIS:
                    raise
                continue  # it ended while it was asked
            if spawner.abi == messages.ABI:
                self._ready[spawner.key] = spawner
            else:
                self._former.append(spawner)
        return discovery

    def _find_user(self, path: Path, uid: int, discovery: Discovery) -> None:
        """Connect to a user's spawner, and wait for nothing of it: what a next manager needs, others keep."""
        key = path.stem.removesuffix(_SUFFIX)
        try:
            link = user_spawners.connect(path, uid)
        except user_spawners.ImpostorError as error:
            discovery.impostors.append(str(error))
        except BlockingIOError:
            discovery.silent.append(path)
            return
        except OSError:
            pass  # nobody is there
        else:
            self._cgroups.adopt(key, link.pid, link.pidfd)
            self._users[key] = UserSpawner(key, path, link, self._on_message, self._user_lost)
            return
        path.unlink(missing_ok=True)

    def retire_user(self, spawner: UserSpawner) -> None:
        """End a user's spawner that has no process any more, and forget it: it is not asked."""
        self._users.pop(spawner.key, None)
        spawner.retire()
        self._cgroups.leave(spawner.key)

    def retire(self, spawner: ConnectedSpawner) -> None:
        """Let a spawner end once its last process has ended, and forget it."""
        self._ready.pop(spawner.key, None)
        spawner.send(messages.Retire())
        spawner.path.unlink(missing_ok=True)

    def retire_former(self) -> None:
        """Let spawners of an earlier version end with their last process; until then a later manager finds them."""
        for spawner in self._former:
            spawner.send(messages.Retire())

    def listen_again(self) -> list[str]:
        """Give spawners whose socket's file is gone another one; return their keys. Raises OSError.

        Without it a next manager would not find them. One of an earlier version would not understand it.
        """
        private_directory(str(self.directory), 0o700)
        present: list[AnySpawner] = [*self._ready.values(), *self._users.values()]
        lost = [spawner for spawner in present if inode_of(str(spawner.path)) != spawner.inode]
        for spawner in lost:
            spawner.path.unlink(missing_ok=True)
            with bind_unix(str(spawner.path), trusted_here()) as listener:
                spawner.send(messages.Listen(), [listener.fileno()])
            spawner.inode = inode_of(str(spawner.path))
        return [spawner.key for spawner in lost]

    async def _start(self, target: SpawnerTarget, log_path: str) -> AnySpawner:
        private_directory(str(self.directory), 0o700)
        path = self.directory / f"{target.key}{_SUFFIX}.sock"
        path.unlink(missing_ok=True)
        listener = bind_unix(str(path), trusted_here())
        entrance = self._cgroups.enter(target.key) if target.uid is not None else -1
        try:
            await self._starter.start(target, listener, log_path, entrance)
            spawner = self._connect(target, path)
            await spawner.introduced
        except BaseException as error:
            path.unlink(missing_ok=True)
            self._cgroups.leave(target.key)
            if isinstance(error, user_spawners.ImpostorError):
                raise WsgigroupsError(f"cannot use the spawner {target.key}: {error}") from None
            raise
        finally:
            listener.close()
            if entrance >= 0:
                os.close(entrance)
        if isinstance(spawner, UserSpawner):
            self._users[target.key] = spawner
        else:
            self._ready[target.key] = spawner
        return spawner

    def _connect(self, target: SpawnerTarget, path: Path) -> AnySpawner:
        if target.uid is not None:
            link = user_spawners.connect(path, target.uid)
            return UserSpawner(target.key, path, link, self._on_message, self._user_lost)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(str(path))
        return ConnectedSpawner(target.key, path, sock, self._on_message, self._lost)

    def _user_lost(self, spawner: UserSpawner) -> None:
        if self._users.get(spawner.key) is spawner:
            del self._users[spawner.key]
            self._cgroups.leave(spawner.key)
        self._on_lost(spawner)

    def _lost(self, spawner: AnySpawner) -> None:
        if self._ready.get(spawner.key) is spawner:
            del self._ready[spawner.key]
        elif isinstance(spawner, ConnectedSpawner) and spawner in self._former:
            self._former.remove(spawner)
            spawner.path.unlink(missing_ok=True)
        self._on_lost(spawner)


def uid_of_socket(path: Path) -> int | None:
    """The uid of the spawner whose socket this is; None: it runs as the manager does."""
    return uid_of_key(path.stem.removesuffix(_SUFFIX))


def _close_all(fds: Sequence[int]) -> None:
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)
