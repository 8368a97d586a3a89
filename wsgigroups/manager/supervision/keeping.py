"""What a next manager needs, given to spawners to keep: listeners, and processes that their own spawner does not keep.

Runs in the manager's only thread. A user's spawner is given nothing to keep, the keeper has it all.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.manager.supervision.starting import KEEPER
from wsgigroups.manager.supervision.user_spawners import UserSpawner
from wsgigroups.runtime.wire import messages
from wsgigroups.targets.interpreters import uid_of_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wsgigroups.manager.supervision.listeners import Listeners
    from wsgigroups.manager.supervision.processes import Process
    from wsgigroups.manager.supervision.spawners import AnySpawner, SpawnerPool


NO_FILE = (0, 0)  # in the place of a file's device and number: it has none, or that is lost


def keeper_of(spawner_key: str) -> str:
    """The key of the spawner that keeps what this one's processes and groups have."""
    return spawner_key if uid_of_key(spawner_key) is None else KEEPER


def kept_processes(processes: Iterable[Process], key: str) -> list[Process]:
    """The processes that a new spawner with this key must keep: no other living one does."""
    return [
        process
        for process in processes
        if process.pid > 0
        and keeper_of(str(process.info["spawner"])) == key
        and (key == KEEPER or process.forked_by is None)
    ]


@dataclass(frozen=True, slots=True)
class Keeping:
    """Gives spawners what they keep, and takes it back."""

    pool: SpawnerPool
    listeners: Listeners
    log: Callable[[str, str], None]
    _once: set[str] = field(default_factory=set)  # groups whose listeners only one spawner keeps

    def group(self, group: str, spawner: AnySpawner) -> None:
        """Have the group's listeners kept, by a second spawner too: one may be killed together with the manager."""
        second = next((other for other in self.pool.all() if other.key != keeper_of(spawner.key)), None)
        (self._once.discard if second else self._once.add)(group)
        for address, listener in self.listeners.of(group).items():
            info = {
                "group": group,
                "target": asdict(listener.target),
                "uid": listener.uid,
                "inode": listener.inode or NO_FILE,
            }
            message = messages.Keep("listener", f"{group} {address}", info)
            for keeper in (spawner, second) if second else (spawner,):
                self._keep(keeper, message, [listener.sock.fileno(), listener.pulse])

    def kept_once(self) -> list[str]:
        """The groups whose listeners only one spawner keeps, when there are more now."""
        return sorted(self._once) if self._once and len(self.pool.all()) > 1 else []

    def process(self, process: Process, spawner: AnySpawner) -> None:
        """Have a process kept by a spawner that has not forked it, or by the keeper in its place."""
        info = {**process.info, "pid": process.pid, "forked_here": False}
        self._keep(spawner, messages.Keep("process", str(process.life), info), process.keep_fds())

    def forget_listeners(self, group: str, addresses: Iterable[str]) -> None:
        """Have listeners closed wherever they are kept."""
        self._once.discard(group)
        for spawner in self.pool.all():
            for address in addresses:
                spawner.send(messages.Drop("listener", f"{group} {address}"))

    def forget_process(self, life: int, spawner_key: str) -> None:
        """Acknowledge the end of a process; what was kept of it goes, too."""
        for spawner in (self.pool.user(spawner_key), self.pool.ready(keeper_of(spawner_key))):
            if spawner:
                spawner.send(messages.Drop("process", str(life)))

    def _keep(self, spawner: AnySpawner, message: messages.Keep, fds: list[int]) -> None:
        keeper = self.pool.ready(KEEPER) if isinstance(spawner, UserSpawner) else spawner
        if keeper is None:
            return  # its successor is given everything
        try:
            keeper.send(message, fds)
        except OSError as error:  # the next spawn tries again; until then a next manager would have to bind anew
            what = f"{message.kind} {message.key}"
            self.log("error", f"spawner {keeper.key} does not keep {what}: {error.strerror}")
