"""An upgrade from the call to execve(2): rehearse, look whether the moment fits, store, let go of the control socket.

Runs in the manager's only thread. Nothing is handed over but what handover.py names: the next version finds spawners,
daemons and listeners as it would after our death, by the same code.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import wsgigroups
from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager import early_signals
from wsgigroups.manager.control.documents import UpgradeDocument
from wsgigroups.manager.core.happenings import Happening
from wsgigroups.manager.upgrade import handover, rehearsal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from wsgigroups.manager.applying import Applying
    from wsgigroups.manager.control.server import ControlServer
    from wsgigroups.manager.lock import HeldLock
    from wsgigroups.manager.queueing import Asked
    from wsgigroups.manager.upgrade.rehearsal import InstalledVersion

_TURNS = 3  # of the loop, for a signal that has come to be followed: it wakes the loop, is read, and handled


@dataclass(slots=True)
class Upgrading:
    """argv: what this process was started with; on_begin: everything is ready to be handed over."""

    applying: Applying
    argv: Sequence[str]
    on_begin: Callable[[], None]
    server: ControlServer | None = None
    begun: bool = False

    async def asked(self, asked: Asked, *, rehearse_only: bool) -> UpgradeDocument:
        """Rehearse, and begin unless that is all. Raises WsgigroupsError, and BusyError while an apply is under way."""
        async with self.applying.queue.turn(asked):
            self._check_moment()
            found = await asyncio.to_thread(rehearsal.ask, self.argv)
            self._check_moment()
            self._check_spawners(found)
            document = self._document(found)
            if rehearse_only:
                return document
            if not self.applying.save():
                raise WsgigroupsError("cannot upgrade: the state cannot be stored", hint="the manager's log says why")
            self.begun = True
            if self.server:
                self.server.hold_back()  # who asks from here on is answered by the next version
            shell = self.applying.shell
            shell.changed.set()
            shell.changed = asyncio.Event()
            self.on_begin()
            return document.model_copy(update={"begun": True})

    def _check_moment(self) -> None:
        state = self.applying.shell.state
        if state.stopping or self.begun:
            what = "the manager is ending" if state.stopping else "an upgrade has begun"
            raise WsgigroupsError(f"cannot upgrade: {what}")
        for change in state.changes.values():
            if not change.finished:
                text = f"cannot upgrade: change {change.id} ({change.kind}) is under way"
                raise WsgigroupsError(text, hint=f"wait for its end: wsgigroups wait {change.id}")

    def _check_spawners(self, found: InstalledVersion) -> None:
        for spawner in self.applying.shell.pool.all():
            if spawner.abi not in found.abis:
                raise WsgigroupsError(
                    f"cannot upgrade: version {found.version} does not understand spawner {spawner.key}, "
                    f"whose ABI is {spawner.abi}",
                    hint="an earlier version begins anew: wsgigroups shutdown, then apply",
                )

    def _document(self, found: InstalledVersion) -> UpgradeDocument:
        former = {
            process.group
            for process in self.applying.shell.processes.values()
            if process.info.get("runtime") != found.digest
        }
        groups = self.applying.shell.state.groups
        return UpgradeDocument(
            former_version=wsgigroups.__version__,
            version=found.version,
            pid=os.getpid(),
            handovers=self.applying.shell.outside.handovers,
            groups=sorted(name for name in former if name in groups and not groups[name].unknown),
            begun=False,
        )

    async def hand_over(
        self, server: ControlServer, locks: Mapping[Path, HeldLock], given: Mapping[str, str], umask: int
    ) -> None:
        """Become the installed version. Comes back when that failed or somebody asked for an end: all goes on then.

        given: what was taken out of the environment at the start.
        """
        shell, log = self.applying.shell, self.applying.log
        listener = await server.let_go()
        observing = self.applying.own.observing
        if observing:
            await observing.rest()
        early_signals.block()  # who comes from here on waits for the next version
        for _turn in range(_TURNS):
            await asyncio.sleep(0)
        if not shell.state.stopping and self.applying.save():
            passed = shell.listeners.passed
            sockets = (*passed.units.values(), *passed.kept.values())
            what = handover.Handover(
                os.getpid(),
                version=wsgigroups.__version__,
                handovers=shell.outside.handovers + 1,
                control=listener.fileno(),
                locks={str(path): lock.fd for path, lock in locks.items()},
                passed=[(found.sock.fileno(), found.name) for found in sockets],
                names=sorted(passed.names),
                observing=observing.descriptors() if observing else {},
                unresolved=any(group.unresolved for group in shell.state.groups.values()),
            )
            log("info", f"handing over to the version that is installed, with {sys.executable}")
            shell.outside.record(
                [Happening("manager-ended", "it hands over to the installed version", pid=os.getpid())]
            )
            try:
                _execute(self.argv, what, given, umask, shell.outside.descriptor_limit)
            except OSError as error:
                log("error", f"cannot execute {self.argv[0]}: {error.strerror}; this manager goes on")
        self.begun = False
        early_signals.unblock()
        if observing:
            observing.go_on()
        await server.start(listener)


def _execute(
    argv: Sequence[str], what: handover.Handover, given: Mapping[str, str], umask: int, descriptor_limit: int
) -> None:
    """Execute it with the mask and the limit that this process was started with. Raises OSError."""
    ours = os.umask(umask)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        if descriptor_limit:
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptor_limit, hard))
        handover.execute(argv, what, dict(given))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        os.umask(ours)
