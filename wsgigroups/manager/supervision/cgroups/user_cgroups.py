"""The cgroups of spawners that are users': `wsgigroups-RUN/_spawners/KEY.N`, with the limits of their groups.

What such a spawner runs is its user's to change. So it is a tenant there, too: never in the manager's own cgroup, held
to the limits of its groups, and ended with all that it has started. Its daemons have cgroups of their own.

Runs in the manager's only thread. Never raises for what a tenant or the kernel does.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.manager.supervision.cgroups.settings import widest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wsgigroups.manager.supervision.cgroups.tree import LifeCgroup, Tree
    from wsgigroups.plan.desired import CgroupTarget, GroupTarget


@dataclass(slots=True)
class UserCgroups:
    """One per manager. clear: ends what is in a cgroup and removes it; homeless: lives that are in no cgroup of theirs.

    movable: the processes that may be moved out of the manager's own cgroup.
    """

    log: Callable[[str, str], None]
    clear: Callable[[LifeCgroup], None]
    homeless: Callable[[], set[int]]
    movable: Callable[[], Iterable[int]]
    tree: Tree | None = None
    _entered: dict[str, LifeCgroup] = field(default_factory=dict)  # by the spawner's key
    _limits: dict[str, tuple[str, CgroupTarget]] = field(default_factory=dict)  # by group: its spawner's key, and they

    def expect(self, target: GroupTarget) -> None:
        """A group is what it is now: have its spawner held to that, where it is one of a user's, or will be."""
        before = self._limits.pop(target.name, None)
        now = (target.spawner.key, target.cgroup) if target.spawner.uid is not None else None
        if now:
            self._limits[target.name] = now
        if before != now:
            for key in {found[0] for found in (before, now) if found}:
                self._hold(key)

    def forget(self, group: str) -> None:
        """A group is gone; others may have its spawner."""
        gone = self._limits.pop(group, None)
        if gone:
            self._hold(gone[0])

    def enter(self, key: str) -> int:
        """Make a cgroup for a spawner; return a descriptor that puts whoever writes `0` to it there, -1 without one."""
        if self.tree is None:
            return -1
        try:
            cgroup = self.tree.spawner(key)
            self._entered[key] = cgroup
            self._hold(key)
            return os.open(cgroup.directory / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
        except OSError as error:
            self.log("warning", f"spawner {key} is in no cgroup of its own: {error.strerror}")
            self.leave(key)
            return -1

    def adopt(self, key: str, pid: int, pidfd: int) -> None:
        """Take over the cgroup of a former manager's spawner; one that has none is put into one."""
        if self.tree is None:
            return
        found = self.tree.find_spawner(pid)
        try:
            if found is None:
                found = self.tree.spawner(key)
                found.enter(pid, pidfd)
        except OSError as error:
            self.log("warning", f"spawner {key} is in no cgroup of its own: {error.strerror}")
            if found:
                found.remove()
            return
        self._entered[key] = found

    def leave(self, key: str) -> None:
        """A spawner has ended, or was: so does all that it has started but daemons."""
        cgroup = self._entered.pop(key, None)
        if cgroup is None:
            return
        left = sorted(self.homeless().intersection(cgroup.pids()))
        if left:
            self.log("warning", f"{cgroup.directory} stays, because of the daemons {left}")
        else:
            self.clear(cgroup)

    def kept(self) -> set[LifeCgroup]:
        """Those that somebody has."""
        return set(self._entered.values())

    def close(self) -> None:
        """End all that is in any of them."""
        self._entered.clear()
        for cgroup in self.tree.spawners() if self.tree else ():
            self.clear(cgroup)

    def _hold(self, key: str) -> None:
        """Write the limits of those of its groups that have the widest ones: it serves all of them."""
        cgroup = self._entered.get(key)
        wanted = [limits for spawner, limits in self._limits.values() if spawner == key]
        if cgroup is None or self.tree is None or not wanted:
            return
        limited = self.tree.limit_spawner(cgroup, widest(wanted), self.movable)
        for option, why in limited.refused.items():
            self.log("warning", f"spawner {key}: {option} is not in force: {why}")
