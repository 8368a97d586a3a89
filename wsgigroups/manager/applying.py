"""Applying a configuration: all that can be refused is tried before anything changes.

Runs in the manager's only thread. One apply at a time; a refused one leaves everything as it was.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.manager import model, views
from wsgigroups.manager.recovery import to_stored
from wsgigroups.manager.resolve import Surroundings, resolve
from wsgigroups.manager.shell import Shell, open_log
from wsgigroups.plan.planner import Plan, plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.config import Configuration
    from wsgigroups.manager.listeners import HeldListener
    from wsgigroups.manager.store import Store
    from wsgigroups.plan.desired import Desired, GroupTarget


@dataclass(slots=True)
class Applying:
    """What apply, plan and rollback have in common."""

    shell: Shell
    store: Store
    around: Surroundings
    log: Callable[[str, str], None]
    _outcomes: dict[int, int] = field(default_factory=dict)  # change → revision whose outcome is still open

    def plan(self, configuration: Configuration) -> Plan:
        """Return what `apply` would change. Raises WsgigroupsError."""
        return plan(self._resolve(configuration), views.observed(self.shell))

    async def apply(self, configuration: Configuration, by: str, kind: str = "apply") -> model.Change | None:
        """Begin the change; None when there is nothing to do. Raises WsgigroupsError and changes nothing then."""
        if self.shell.state.stopping:
            raise WsgigroupsError("cannot apply: the manager is shutting down", exit_code=ExitCode.FAILED)
        targets = self._resolve(configuration)
        if plan(targets, views.observed(self.shell)).empty:
            return None
        self._check_logs(targets)
        opened = self._open(targets)
        revision = self.shell.state.revision + 1
        try:
            self.store.save_revision(revision, configuration.to_document(), "pending", by)
        except OSError as error:
            for listeners in opened.values():
                self.shell.listeners.discard(listeners)
            raise WsgigroupsError(
                f"cannot store revision {revision} in {self.store.directory}: {error.strerror}",
                hint="nothing was changed",
            ) from None
        self._commit(targets, opened)
        number = self.shell.state.next_change
        self.shell.dispatch(model.Apply(targets, revision, kind))
        self._outcomes[number] = revision
        self.save()
        change = self.shell.state.changes[number]
        if change.finished:
            self.finished(change)
        return change

    def _resolve(self, configuration: Configuration) -> Desired:
        """Resolve, and note what cannot be in force on this machine."""
        targets = resolve(configuration, self.around)
        return {
            name: replace(target, notices=(*target.notices, *self._not_in_force(target)))
            for name, target in targets.items()
        }

    def _not_in_force(self, target: GroupTarget) -> list[str]:
        return [f"{option} will not be in force: {why}" for option, why in self.shell.remains.foresee(target.cgroup)]

    def finished(self, change: model.Change) -> None:
        """Record how a revision's rollout ended."""
        revision = self._outcomes.pop(change.id, None)
        if revision is None:
            return
        try:
            self.store.set_outcome(revision, change.outcome)
        except (OSError, WsgigroupsError) as error:
            self.log("warning", f"cannot record the outcome of revision {revision}: {error}")

    def save(self) -> bool:
        """Store the state; a full disk is a warning, service goes on. Tells whether it is stored."""
        try:
            self.store.save(to_stored(self.shell))
        except OSError as error:
            self.log("warning", f"cannot store the state: {error.strerror}")
            return False
        return True

    def _open(self, targets: Desired) -> dict[str, dict[str, HeldListener]]:
        opened: dict[str, dict[str, HeldListener]] = {}
        try:
            for name, target in targets.items():
                opened[name] = self.shell.listeners.prepare(name, target.listeners, target.uid)
        except BaseException:
            for listeners in opened.values():
                self.shell.listeners.discard(listeners)
            raise
        return opened

    def _commit(self, targets: Desired, opened: dict[str, dict[str, HeldListener]]) -> None:
        """Take the listeners into use. What a target no longer names is closed when its old processes are gone."""
        for name, target in targets.items():
            try:
                self.shell.listeners.commit(name, target.listeners, opened.pop(name), target.uid)
            except WsgigroupsError:
                for listeners in opened.values():
                    self.shell.listeners.discard(listeners)
                raise

    def _check_logs(self, targets: Desired) -> None:
        for name, target in targets.items():
            try:
                Path(target.log_path).parent.mkdir(parents=True, exist_ok=True, mode=0o755)
                os.close(open_log(Path(target.log_path)))
            except OSError as error:
                raise WsgigroupsError(
                    f"cannot open the log {target.log_path} of group {name!r}: {error.strerror}",
                    hint="set error-log, or another --log-dir",
                ) from None
