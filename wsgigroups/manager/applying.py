"""Applying a configuration: all that can be refused is tried before anything changes.

Runs in the manager's only thread. One apply at a time; a refused one leaves everything as it was.
"""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.manager.control import views
from wsgigroups.manager.core import model
from wsgigroups.manager.supervision.logs import STREAMS
from wsgigroups.manager.supervision.recovery import to_stored
from wsgigroups.plan.planner import Plan, plan
from wsgigroups.targets.resolve import Surroundings, resolve
from wsgigroups.trust.walking import judging_root, make_directories, open_to_append

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wsgigroups.config import Configuration
    from wsgigroups.manager.store import Store
    from wsgigroups.manager.supervision.listeners import HeldListener
    from wsgigroups.manager.supervision.shell import Shell
    from wsgigroups.plan.desired import Desired, GroupTarget

    Read = Callable[[], Configuration]  # gives the configuration, in another thread; raises WsgigroupsError


Writers = dict[tuple[int, int], tuple[str, str, int]]  # device and number of a log → group, user, uid
START = "start-up"  # the kind of change that a manager begins with: each group stands for itself


@dataclass(slots=True)
class Applying:
    """What apply, plan and rollback have in common."""

    shell: Shell
    store: Store
    around: Surroundings
    log: Callable[[str, str], None]
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)
    _outcomes: dict[int, int] = field(default_factory=dict)  # change → revision whose outcome is still open

    async def plan(self, read: Read) -> Plan:
        """Return what `apply` would change. Raises WsgigroupsError."""
        _configuration, targets = await self._resolve(read)
        return plan(targets, views.observed(self.shell))

    async def _resolve(self, read: Read) -> tuple[Configuration, Desired]:
        """In a thread: a large configuration takes its time, and the deadlines of all others must not wait for it."""

        def resolved() -> tuple[Configuration, Desired]:
            configuration = read()
            return configuration, resolve(configuration, self.around)

        configuration, targets = await asyncio.to_thread(resolved)
        return configuration, {name: self.noted(target) for name, target in targets.items()}

    async def apply(self, read: Read, by: str, kind: str = "apply") -> model.Change | None:
        """Begin the change; None when there is nothing to do. Raises WsgigroupsError and changes nothing then."""
        async with self._one_at_a_time:
            configuration, targets = await self._resolve(read)
            return self._begin(configuration, targets, by, kind)

    def _begin(self, configuration: Configuration, targets: Desired, by: str, kind: str) -> model.Change | None:
        if self.shell.state.stopping:
            raise WsgigroupsError("cannot apply: the manager is shutting down", exit_code=ExitCode.FAILED)
        if plan(targets, views.observed(self.shell)).empty:
            return None
        self._check_logs(targets)
        return self.accept(configuration, targets, self._open(targets), by, kind)

    def accept(
        self,
        configuration: Configuration,
        targets: Desired,
        opened: dict[str, dict[str, HeldListener]],
        by: str,
        kind: str,
        unresolved: Mapping[str, model.Unresolved] = MappingProxyType({}),
    ) -> model.Change:
        """Store a configuration and begin its change, with the listeners that were opened for it.

        unresolved: groups of it that cannot be had at present; who starts with nothing else goes on without a store.
        """
        revision = self.shell.state.revision + 1
        try:
            self.store.save_revision(revision, configuration.to_document(), "pending", by)
        except OSError as error:
            if kind == START:
                self.log("error", f"cannot store revision {revision} in {self.store.directory}: {error.strerror}")
            else:
                for listeners in opened.values():
                    self.shell.listeners.discard(listeners)
                raise WsgigroupsError(
                    f"cannot store revision {revision} in {self.store.directory}: {error.strerror}",
                    hint="nothing was changed",
                ) from None
        self._commit(targets, opened)
        number = self.shell.state.next_change
        self.shell.dispatch(model.Apply(targets, revision, kind, unresolved))
        self._outcomes[number] = revision
        # what was asked for is known now; what a group was that cannot be had now is kept, and not in force
        kept = {name: item for name, item in self.shell.unadopted.items() if name in unresolved}
        self.shell.unadopted = {name: {**item, "in_force": False} for name, item in kept.items()}
        self.save()
        change = self.shell.state.changes[number]
        if change.finished:
            self.finished(change)
        return change

    def noted(self, target: GroupTarget) -> GroupTarget:
        """Return a target with notices of the limits that this machine cannot keep. Raises WsgigroupsError."""
        missing = self.shell.remains.foresee(target.cgroup)
        if missing and target.spec.confinement.required:
            option, why = missing[0]
            raise WsgigroupsError(
                f"cannot keep {option} of group {target.name!r}, whose confinement is required: {why}",
                hint='see docs/cgroups.md, or set confinement = "best-effort"',
            )
        notices = (f"{option} will not be in force: {why}" for option, why in missing)
        return replace(target, notices=(*target.notices, *notices)) if missing else target

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
        """Every log can be opened, and none is open to processes of two users. Raises WsgigroupsError."""
        writers: Writers = {}
        for target in targets.values():
            check_log(target, writers)


def check_log(target: GroupTarget, writers: Writers) -> None:
    """Make sure of one group's log; writers: those of others before it. Raises WsgigroupsError."""
    if target.log_path in STREAMS:
        return
    try:
        os.close(make_directories(os.path.dirname(target.log_path), judging_root()))
        fd = open_to_append(target.log_path, judging_root())
        found = os.fstat(fd)
        os.close(fd)
    except OSError as error:
        raise WsgigroupsError(
            f"cannot open the log {target.log_path} of group {target.name!r}: {error.strerror}",
            hint="set error-log, or another --log-dir",
        ) from None
    identity = target.spec.identity
    if identity and stat.S_ISREG(found.st_mode):
        writer = (target.name, str(target.user), identity.uid)
        first = writers.setdefault((found.st_dev, found.st_ino), writer)
        _refuse_shared_log(target.log_path, first, writer)


def _refuse_shared_log(path: str, first: tuple[str, str, int], other: tuple[str, str, int]) -> None:
    if first[2] != other[2]:
        raise WsgigroupsError(
            f"cannot use the log {path} for {first[0]!r} of {first[1]} and {other[0]!r} of {other[1]}: "
            "each could write over the other's lines",
            hint="give each user an error-log of its own",
        )
