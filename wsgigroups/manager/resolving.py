"""What a configuration comes to on this host, for a plan and for an apply.

Runs in the manager's only thread; the looks at the host are in another one, one at a time.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from wsgigroups.config.only import touched
from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.owning import Wanted
from wsgigroups.plan.routing import GATEWAY
from wsgigroups.targets.once import Targets
from wsgigroups.targets.resolve import resolve, resolve_each, resolve_some
from wsgigroups.uncollected import uncollected

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from wsgigroups.config import Configuration
    from wsgigroups.manager.applying import Applying
    from wsgigroups.manager.core.model import GroupState
    from wsgigroups.manager.queueing import Asked
    from wsgigroups.plan.desired import Desired, GroupTarget
    from wsgigroups.plan.precondition import Precondition

    Read = Callable[[], Configuration]  # gives the configuration, in another thread; raises WsgigroupsError

FRESH_S = 2.0  # what a plan was made of is looked at again to apply it when that is longer ago


@dataclass(frozen=True, slots=True)
class Shown:
    """A plan as it was shown last: what it was made of, and the groups that were there.

    looked_at: when the host was looked at for it, in monotonic seconds; who: uid and pid of whom it was shown to.
    """

    wanted: Wanted
    only: Collection[str] | None
    depends: Precondition
    groups: Mapping[str, GroupState]
    looked_at: float
    who: tuple[int, int] | None


@dataclass(slots=True)
class Resolving:
    """Of one manager. shown: the plan that was made last."""

    applying: Applying
    shown: Shown | None = None
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)
    _known: Targets = field(default_factory=Targets)

    async def targets(self, read: Read, only: Collection[str] | None) -> Wanted:
        """Make all that an apply needs. Raises WsgigroupsError.

        In a thread: a large configuration takes its time, and the deadlines of all others must not wait for it.
        """

        def resolved() -> Wanted:
            with uncollected():
                configuration = read()
                if only is None:
                    return Wanted(configuration, resolve(configuration, self.applying.around, self._known))
                scope = touched(self.applying.owners.of(self.applying.shell.state.revision), configuration.owners, only)
                return Wanted(
                    configuration, resolve_some(configuration, self.applying.around, {*scope, GATEWAY}), scope
                )

        async with self.one_at_a_time:
            wanted = await asyncio.to_thread(resolved)
        self.applying.giving_back.took()
        looked = await self.applying.code.look({name: self.noted(target) for name, target in wanted.targets.items()})
        return self._about(replace(wanted, targets={name: self._in_force(target) for name, target in looked.items()}))

    async def resolve_each(
        self, configuration: Configuration, names: Collection[str] | None
    ) -> tuple[Desired, dict[str, str]]:
        """As `targets.resolve.resolve_each` does, in a thread."""
        async with self.one_at_a_time:
            return await asyncio.to_thread(resolve_each, configuration, self.applying.around, names, self._known)

    async def as_shown(self, read: Read, asked: Asked) -> Wanted | None:
        """What the plan that is asked for was made of, where nothing has happened since and it was made just now."""
        shown = self.shown
        if shown is None or asked.precondition != shown.depends or asked.only != shown.only:
            return None
        if shown.who != (asked.uid, asked.pid):  # who keeps a plan for later wants to know what has moved since
            return None
        if self.applying.shell.state.groups is not shown.groups or time.monotonic() - shown.looked_at > FRESH_S:
            return None
        async with self.one_at_a_time:
            configuration = await asyncio.to_thread(read)
        unchanged = configuration is shown.wanted.configuration and self.applying.shell.state.groups is shown.groups
        return shown.wanted if unchanged else None

    def _about(self, wanted: Wanted) -> Wanted:
        """Where it is not about everything, it is about the gateway if that is to be another one."""
        if wanted.scope is None:
            return wanted
        now = self.applying.shell.state.groups.get(GATEWAY)
        if wanted.targets.get(GATEWAY) is (now and now.target):
            return replace(wanted, targets=wanted.within(wanted.targets))
        return replace(wanted, scope=wanted.scope | {GATEWAY})

    def _in_force(self, target: GroupTarget) -> GroupTarget:
        """The target that the group has, if that is equal: what is the same is compared, and stored, no further."""
        group = self.applying.shell.state.groups.get(target.name)
        return group.target if group and group.target == target else target

    def noted(self, target: GroupTarget) -> GroupTarget:
        """Return a target with notices of the limits that this machine cannot keep. Raises WsgigroupsError."""
        missing = self.applying.shell.remains.foresee(target.cgroup)
        if missing and target.spec.confinement.required:
            option, why = missing[0]
            raise WsgigroupsError(
                f"cannot keep {option} of group {target.name!r}, whose confinement is required: {why}",
                hint='see docs/cgroups.md, or set confinement = "best-effort"',
            )
        notices = (f"{option} will not be in force: {why}" for option, why in missing)
        return replace(target, notices=(*target.notices, *notices)) if missing else target
