"""The configuration that a manager starts with: each group stands for itself.

Nobody is there to be asked, and a refusal would leave every group down for what one of them lacks: an account, an
environment, a directory. Such a group is shown as failed with the reason and tried again, until it can be had or
another configuration is applied. Runs in the manager's only thread, what looks at the host in another.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.core import model
from wsgigroups.manager.log_checks import Writers, check_log
from wsgigroups.manager.owning import Wanted
from wsgigroups.manager.queueing import Asked
from wsgigroups.manager.supervision.logs import writes_itself
from wsgigroups.plan.routing import GATEWAY
from wsgigroups.targets.resolve import described

if TYPE_CHECKING:
    from collections.abc import Collection

    from wsgigroups.config import Configuration
    from wsgigroups.manager.applying import Applying
    from wsgigroups.manager.supervision.listeners import HeldListener
    from wsgigroups.plan.desired import Desired, GroupTarget

FIRST_S, LONGEST_S = 1.0, 60.0  # between attempts at what cannot be had: doubled each time


@dataclass(slots=True)
class StartUp:
    """Begins with a configuration, and tries again what could not be had of it."""

    applying: Applying
    _task: asyncio.Task[None] | None = None
    _writers: Writers = field(default_factory=dict)

    async def begin(self, configuration: Configuration) -> None:
        """Apply a configuration, group by group."""
        self.applying.own.follow(configuration.server)
        targets, failed = await self._resolve(configuration, None)
        if self.applying.shell.state.stopping:
            return  # asked to end meanwhile
        self.applying.socket_files.note(self.applying.shell.state, targets.values())
        for name in sorted(targets):
            try:
                self._prepare(targets[name])
            except WsgigroupsError as error:
                failed[name] = error.message
                targets = {key: target for key, target in targets.items() if key != name}
        for name, reason in sorted(failed.items()):
            self.applying.log("error", f"{name} cannot be had now, it is tried again: {reason}")
        planned = self.applying.plan_for(targets)
        if planned.empty and not failed:
            return
        unresolved = {
            name: model.Unresolved(reason, described(name, configuration, self.applying.around))
            for name, reason in failed.items()
        }
        in_use: dict[str, dict[str, HeldListener]] = {name: {} for name in targets}
        asked = Asked(model.START_UP, "run", os.geteuid(), os.getpid(), "run")
        wanted = Wanted(configuration, targets)
        self.applying.accept(wanted, in_use, asked, unresolved, planned.with_new_code)
        if failed:
            self._task = asyncio.create_task(self._again(configuration, self.applying.shell.state.revision))

    def stop(self) -> None:
        """Try nothing any more."""
        if self._task:
            self._task.cancel()

    async def _resolve(
        self, configuration: Configuration, names: Collection[str] | None
    ) -> tuple[Desired, dict[str, str]]:
        targets, failed = await self.applying.resolving.resolve_each(configuration, names)
        starting = [target for target in targets.values() if not self.applying.stays_stopped(target.name)]
        has_logs = not all(writes_itself(target) for target in starting)
        self.applying.shell.forking.start_ahead([target.spawner for target in starting], logs=has_logs)
        noted: dict[str, GroupTarget] = {}
        for name, target in targets.items():
            try:
                noted[name] = self.applying.resolving.noted(target)
            except WsgigroupsError as error:
                failed[name] = error.message
        try:
            await self.applying.prepare_gateway(noted)
        except WsgigroupsError as error:
            failed[GATEWAY] = error.message
            noted.pop(GATEWAY, None)
        return await self.applying.code.look(noted), failed

    def _prepare(self, target: GroupTarget) -> None:
        """Make sure of its log, and take what it listens on into use. Raises WsgigroupsError."""
        check_log(target, self._writers, set())
        if self.applying.stays_stopped(target.name):
            return
        listeners = self.applying.shell.listeners
        opened = listeners.prepare(target.name, target.listeners, target.uid)
        listeners.commit(target.name, target.listeners, opened, target.uid)

    async def _again(self, configuration: Configuration, whole: int) -> None:
        """Try what cannot be had until all can, or another configuration is in force, which is about all groups.

        whole: the revision of this one.
        """
        pause_s = FIRST_S
        shell = self.applying.shell
        while True:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_S)
            if self._may_return(whole):
                continue
            names = {name for name, group in shell.state.groups.items() if group.unresolved}
            if not names or not self._in_force(whole) or shell.state.stopping:
                return
            targets, failed = await self._resolve(configuration, names)
            if not self._in_force(whole) or shell.state.stopping:
                continue
            for name, target in sorted(targets.items()):
                if name not in shell.state.groups or not shell.state.groups[name].unresolved:
                    continue  # an apply that is about some groups has brought it meanwhile
                try:
                    self._prepare(target)
                except WsgigroupsError as error:
                    failed[name] = error.message
                else:
                    shell.unadopted.pop(name, None)
                    shell.dispatch(model.Resolved(target))
            for name, reason in failed.items():
                shell.dispatch(model.StillUnresolved(name, reason))
            self.applying.save()

    def _in_force(self, whole: int) -> bool:
        return self.applying.whole_of(self.applying.shell.state.revision) == whole

    def _may_return(self, whole: int) -> bool:
        """Whether another configuration is being applied, and this one is in force again should that fail."""
        transaction = self.applying.shell.state.transaction
        if transaction is None or transaction.returning:
            return False
        return self.applying.whole_of(transaction.revision) == whole
