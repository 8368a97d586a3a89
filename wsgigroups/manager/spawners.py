"""The manager's side of the spawners: starting one per interpreter and locale, finding those that live, asking them.

Runs in the manager's only thread. A spawner outlives the manager; a lost one is replaced and given what it kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import setproctitle

import wsgigroups.runtime
from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.connection import FrameConnection
from wsgigroups.runtime.wire import messages
from wsgigroups.trust.sockets import bind_unix
from wsgigroups.trust.walking import private_directory, trusted_here

if TYPE_CHECKING:
    from wsgigroups.plan.desired import SpawnerTarget

START_TIMEOUT_S = 20.0
HELLO_TIMEOUT_S = 10.0  # for a spawner that runs already: it has nothing to do but to answer
_SUFFIX = f"-{messages.ABI}"  # of a socket's name: a spawner of an earlier version keeps its own beside
KNOWN_ABIS = (1, messages.ABI)  # whose inventory is understood
_BOOTSTRAP = Path(wsgigroups.runtime.__file__).parent / "spawner" / "__main__.py"
_LIBRARY_DIR = Path(setproctitle.__file__).parent.parent  # the site-packages that spawners may take it from

OnMessage = Callable[["ConnectedSpawner", messages.Message, list[int]], None]
OnLost = Callable[["ConnectedSpawner"], None]


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


class ConnectedSpawner:
    """One connected spawner."""

    def __init__(self, key: str, path: Path, sock: socket.socket, on_message: OnMessage, on_lost: OnLost) -> None:
        self.key = key
        self.path = path
        self.abi = messages.ABI
        self.pid = 0
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
        self, run_dir: Path, log_fd: int, on_message: OnMessage, on_lost: OnLost, descriptor_limit: int = 0
    ) -> None:
        self._descriptor_limit = descriptor_limit
        self.directory = run_dir / "spawners"
        self._log_fd = log_fd
        self._on_message = on_message
        self._on_lost = on_lost
        self._ready: dict[str, ConnectedSpawner] = {}
        self._former: list[ConnectedSpawner] = []  # of an earlier version: they end with their last daemon
        self._coming: dict[str, asyncio.Task[ConnectedSpawner]] = {}
        self._children: list[subprocess.Popen[bytes]] = []

    def ready(self, key: str) -> ConnectedSpawner | None:
        """The connected spawner of this key, if there is one."""
        return self._ready.get(key) or next((former for former in self._former if former.key == key), None)

    def all(self) -> list[ConnectedSpawner]:
        """Every connected spawner."""
        return [*self._ready.values(), *self._former]

    def child_pids(self) -> set[int]:
        """Spawners that this manager started and that have not ended; reaps those that have."""
        self._children = [child for child in self._children if child.poll() is None]
        return {child.pid for child in self._children}

    async def get(self, target: SpawnerTarget) -> ConnectedSpawner:
        """The spawner for this interpreter and locale, started when there is none. Raises WsgigroupsError."""
        spawner = self._ready.get(target.key)
        if spawner:
            return spawner
        task = self._coming.get(target.key)
        if task is None:
            task = asyncio.create_task(self._start(target))
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

    def retire(self, spawner: ConnectedSpawner) -> None:
        """Let a spawner end once its last process has ended, and forget it."""
        self._ready.pop(spawner.key, None)
        spawner.send(messages.Retire())
        spawner.path.unlink(missing_ok=True)

    def retire_former(self) -> None:
        """Let spawners of an earlier version end with their last process; until then a later manager finds them."""
        for spawner in self._former:
            spawner.send(messages.Retire())

    async def _start(self, target: SpawnerTarget) -> ConnectedSpawner:
        path = self.directory / f"{target.key}{_SUFFIX}.sock"
        path.unlink(missing_ok=True)
        listener = bind_unix(str(path), trusted_here())
        read_end, write_end = os.pipe()
        try:
            listener.listen(4)
            child = self._popen(target, listener.fileno(), write_end)
            self._children.append(child)
            os.close(write_end)
            write_end = -1
            await _ready_line(read_end, target, child)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            listener.close()
            os.close(read_end)
            if write_end >= 0:
                os.close(write_end)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(str(path))
        spawner = ConnectedSpawner(target.key, path, sock, self._on_message, self._lost)
        await spawner.introduced
        self._ready[target.key] = spawner
        return spawner

    def _popen(self, target: SpawnerTarget, listen_fd: int, ready_fd: int) -> subprocess.Popen[bytes]:
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
        if target.lang:
            environment["LANG"] = target.lang
        if target.locale:
            environment["LC_ALL"] = target.locale
        arguments = [target.executable, "-I", "-S", str(_BOOTSTRAP), "--listen-fd", str(listen_fd)]
        arguments += ["--key", target.key, "--ready-fd", str(ready_fd), "--library-dir", str(_LIBRARY_DIR)]
        arguments += ["--descriptor-limit", str(self._descriptor_limit)]
        try:
            return subprocess.Popen(
                arguments,
                env=environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=self._log_fd,
                stderr=self._log_fd,
                pass_fds=(listen_fd, ready_fd),
                start_new_session=True,
            )
        except OSError as error:
            raise WsgigroupsError(
                f"cannot start the interpreter {target.executable}: {error.strerror}", hint="check python-home"
            ) from None

    def _lost(self, spawner: ConnectedSpawner) -> None:
        if self._ready.get(spawner.key) is spawner:
            del self._ready[spawner.key]
        elif spawner in self._former:
            self._former.remove(spawner)
            spawner.path.unlink(missing_ok=True)
        self._on_lost(spawner)


async def _ready_line(fd: int, target: SpawnerTarget, child: subprocess.Popen[bytes]) -> None:
    """Wait until the spawner says that it is ready; end-of-file without the line means that it died."""
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()

    def came() -> None:
        if not readable.done():
            readable.set_result(None)

    loop.add_reader(fd, came)
    try:
        await asyncio.wait_for(readable, START_TIMEOUT_S)
        line = os.read(fd, 64)
    except asyncio.TimeoutError:
        line = b""
    finally:
        loop.remove_reader(fd)
    if not line.startswith(b"ready"):
        child.kill()
        status = child.wait()
        raise WsgigroupsError(
            f"cannot start a spawner with {target.executable}: it ended with status {status}",
            hint="the manager's log has what it said; python-home needs CPython 3.8 or newer",
        )


def _close_all(fds: Sequence[int]) -> None:
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)
