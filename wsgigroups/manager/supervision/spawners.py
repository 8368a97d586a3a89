"""The manager's side of the spawners: starting one per interpreter and locale, finding those that live, asking them.

Runs in the manager's only thread. A spawner outlives the manager; a lost one is replaced and given what it kept. One of
another installation would fork that one's runtime: it forks nothing here, and ends with its last process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.manager.supervision import user_spawners
from wsgigroups.manager.supervision.connected_spawners import KNOWN_ABIS, ConnectedSpawner, Inventory
from wsgigroups.manager.supervision.starting import Starter, keeper_target
from wsgigroups.manager.supervision.user_spawners import UserSpawner
from wsgigroups.runtime.wire import identity, messages
from wsgigroups.targets.interpreters import uid_of_key
from wsgigroups.trust.sockets import bind_unix, inode_of, remove_stale
from wsgigroups.trust.walking import judging_root, private_directory, trusted_here

if TYPE_CHECKING:
    from pathlib import Path

    from wsgigroups.manager.supervision.cgroups.user_cgroups import UserCgroups
    from wsgigroups.manager.supervision.logs import Logs
    from wsgigroups.plan.desired import SpawnerTarget

HELLO_TIMEOUT_S = 10.0  # for a spawner that runs already: it has nothing to do but to answer
# below the run directory: the socket of the first spawner; those of users, and of versions with longer names, have more
FIRST_SOCKET = f"spawners/{platform.python_version()}-0123456789ab.sock"
_FORMER = ".former-"  # in the name of the socket of one that another has taken the place of
_SUFFIX = f"-{messages.ABI}"  # of a socket's name: a spawner of an earlier version keeps its own beside
REJOIN_S = (0.0, 0.1, 0.5)  # before each attempt to reach one again that lives and closed the connection
END_S = 5.0  # for a spawner without a process to end
PING_LOOKS = 2  # looks between two pings
HUNG_PINGS = 5  # so many without an answer

AnySpawner = ConnectedSpawner | UserSpawner
OnMessage = Callable[[AnySpawner, messages.Message, list[int]], None]
OnLost = Callable[[AnySpawner], None]
OnRejoined = Callable[[ConnectedSpawner, Inventory], None]


class LostSpawnerError(WsgigroupsError):
    """A spawner that was in use died: that says nothing about what it was asked for."""


@dataclass(slots=True)
class Discovery:
    """What a manager found at its start."""

    asked: list[ConnectedSpawner] = field(default_factory=list)
    found: list[tuple[ConnectedSpawner, Inventory]] = field(default_factory=list)
    silent: list[Path] = field(default_factory=list)  # sockets of those that do not answer
    impostors: list[str] = field(default_factory=list)  # what is wrong with who listens where a user's spawner did
    ahead: list[ConnectedSpawner] = field(default_factory=list)  # of a version that is not understood: left serving


class SpawnerPool:
    """All spawners by key."""

    def __init__(
        self,
        run_dir: Path,
        log_fd: int,
        on_message: OnMessage,
        on_lost: OnLost,
        on_rejoined: OnRejoined,
        cgroups: UserCgroups,
        logs: Logs,
        descriptor_limit: int = 0,
    ) -> None:
        self.directory = run_dir / "spawners"
        self._starter = Starter(log_fd, descriptor_limit, logs)
        self._on_message = on_message
        self._on_lost = on_lost
        self._on_rejoined = on_rejoined
        self._looks = 0
        identity.own()  # what lies on the disk may be another version later
        self._cgroups = cgroups
        self._ready: dict[str, ConnectedSpawner] = {}
        self._users: dict[str, UserSpawner] = {}
        self._former: list[ConnectedSpawner] = []  # of another version: they end with their last daemon
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
                    else f"{path.stem} of another version"
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
            except WsgigroupsError as error:
                if spawner.abi not in KNOWN_ABIS:
                    discovery.ahead.append(spawner)
                elif spawner.alive:  # what it keeps cannot be bound a second time
                    raise WsgigroupsError(
                        f"cannot take over: {error.message}",
                        hint="what runs goes on; with too few descriptors, raise the limit (ulimit -n, LimitNOFILE=)",
                        exit_code=ExitCode.FAILED,
                    ) from None
                spawner.release()
                continue
            if spawner.abi == messages.ABI and spawner.runtime.digest == identity.own().digest:
                self._ready[spawner.key] = spawner
            else:
                self._set_aside(spawner)
        return discovery

    def _set_aside(self, spawner: ConnectedSpawner) -> None:
        """Let a spawner of another version fork nothing any more; its socket leaves its name to who takes its place."""
        spawner.former_of = spawner.key
        if spawner.abi == messages.ABI and _FORMER not in spawner.path.stem:
            names = (spawner.path.with_name(f"{spawner.path.stem}{_FORMER}{number}.sock") for number in count(1))
            aside = next(path for path in names if not path.exists())
            spawner.path.rename(aside)
            spawner.path = aside
        else:
            spawner.former_of = spawner.path.stem.partition(_FORMER)[0].rpartition("-")[0]
        spawner.key = f"{spawner.path.stem} of another version"
        self._former.append(spawner)

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
            self._users[key].digest = identity.own().digest
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

    def former(self) -> list[ConnectedSpawner]:
        """Spawners of other versions, whose processes go on until they are replaced."""
        return list(self._former)

    def retire_former(self, key: str | None = None) -> None:
        """Let spawners of another version end with their last process; until then a later manager finds them.

        key: those that have a successor now; None: all.
        """
        for spawner in self._former:
            if key is None or spawner.former_of == key:
                spawner.send(messages.Retire())

    async def end(self) -> list[ConnectedSpawner]:
        """End all spawners, when no process is left; return those that had to be killed."""
        if self._coming:  # one that is being started, or whose connection was lost: it is no other's to end
            await asyncio.wait(self._coming.values(), timeout=END_S)
        spawners = self.all()
        for spawner in spawners:
            self._former = [former for former in self._former if former is not spawner]
            self.retire(spawner)
        ended = await asyncio.gather(*(spawner.ended(END_S) for spawner in spawners))
        killed = [spawner for spawner, over in zip(spawners, ended, strict=True) if not over]
        for spawner in killed:
            spawner.kill()
        await asyncio.gather(*(spawner.ended(END_S) for spawner in killed))
        for spawner in spawners:
            spawner.abandon()
        return killed

    def remove_left(self) -> None:
        """Remove the sockets of spawners that were killed and have no successor, and their directory."""
        for path in self.directory.glob("*.sock"):
            with contextlib.suppress(OSError):  # somebody answers there: it is no longer ours alone
                remove_stale(str(path), judging_root())
        with contextlib.suppress(OSError):
            self.directory.rmdir()

    def look(self, log: Callable[[str, str], None]) -> None:
        """Ask now and then whether spawners are there, and kill one that does not answer: its daemons go on.

        Counted in looks: whoever stops the manager stops them, too.
        """
        self._looks += 1
        if self._looks % PING_LOOKS:
            return
        for spawner in list(self._ready.values()):
            if spawner.unanswered < HUNG_PINGS:
                spawner.ping()
                continue
            log("error", f"spawner {spawner.key} (pid {spawner.pid}) does not answer: it is killed and replaced")
            spawner.unanswered = 0
            spawner.kill()

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
            listener.close()  # it has its own: with ours, a connection would wait for ever for one that died just now
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
        return self._connect_own(target.key, path)

    def _connect_own(self, key: str, path: Path) -> ConnectedSpawner:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.connect(str(path))
        except OSError:
            sock.close()
            raise
        return ConnectedSpawner(key, path, sock, self._on_message, self._lost)

    def _user_lost(self, spawner: UserSpawner) -> None:
        if self._users.get(spawner.key) is spawner:
            del self._users[spawner.key]
            self._cgroups.leave(spawner.key)
        self._on_lost(spawner)

    def _lost(self, spawner: ConnectedSpawner) -> None:
        known = True
        if self._ready.get(spawner.key) is spawner:
            del self._ready[spawner.key]
        elif spawner in self._former:
            self._former.remove(spawner)
        else:
            known = False
        if known and spawner.alive:
            task: asyncio.Task[AnySpawner] = asyncio.create_task(self._rejoin(spawner))
            self._coming[spawner.key] = task
            task.add_done_callback(lambda done: self._rejoined(spawner.key, done))
            return
        self._gone(spawner)

    def _gone(self, spawner: ConnectedSpawner) -> None:
        if spawner.former_of:
            spawner.path.unlink(missing_ok=True)
        spawner.release()
        self._on_lost(spawner)

    async def _rejoin(self, lost: ConnectedSpawner) -> ConnectedSpawner:
        """Reach a spawner again that lives, else kill it: a second one must not take its place beside it.

        Raises WsgigroupsError when it is gone.
        """
        for pause_s in REJOIN_S:
            await asyncio.sleep(pause_s)
            if not lost.alive:
                break
            try:
                spawner = self._connect_own(lost.key, lost.path)
            except OSError:
                continue
            spawner.former_of = lost.former_of
            done, _pending = await asyncio.wait([spawner.introduced], timeout=HELLO_TIMEOUT_S)
            if not done or spawner.introduced.exception():
                spawner.abandon()
                continue
            lost.release()
            if lost.former_of:
                self._former.append(spawner)
            else:
                self._ready[lost.key] = spawner
            self._on_rejoined(spawner, spawner.introduced.result())
            return spawner
        lost.kill()
        await lost.ended(END_S)
        self._gone(lost)
        raise LostSpawnerError(f"cannot use the spawner {lost.key} (pid {lost.pid}): the connection to it was lost")

    def _rejoined(self, key: str, task: asyncio.Task[AnySpawner]) -> None:
        self._coming.pop(key, None)
        if not task.cancelled():
            task.exception()  # told to whom it concerns by then


def uid_of_socket(path: Path) -> int | None:
    """The uid of the spawner whose socket this is; None: it runs as the manager does."""
    return uid_of_key(path.stem.removesuffix(_SUFFIX))
