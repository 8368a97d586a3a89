"""What is left of lives, and how it is ended: everything in the life's cgroup, or what can be found of it in /proc.

Runs in the manager's only thread. Never raises for what a tenant or the kernel does: the way that works is taken, and
said.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from wsgigroups.manager.supervision.cgroups import strays
from wsgigroups.manager.supervision.cgroups.hierarchy import find_place, run_id
from wsgigroups.manager.supervision.cgroups.settings import settings
from wsgigroups.manager.supervision.cgroups.tree import PREFIX, Limited, Tree
from wsgigroups.manager.supervision.cgroups.user_cgroups import UserCgroups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from wsgigroups.manager.supervision.cgroups.strays import Ended, Seen, Spared
    from wsgigroups.manager.supervision.cgroups.tree import LifeCgroup
    from wsgigroups.manager.supervision.processes import Process
    from wsgigroups.plan.desired import CgroupTarget, GroupTarget

Way = Literal["cgroup", "session"]
_FILE = "cgroup"  # in the run directory: where the tree is, for a manager that is started elsewhere
_ROUNDS = 10  # of looking for strays at once: whoever forks meanwhile is found in the next
_AGAIN_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # between attempts at what is on its way out
_CLOSE_S = 5.0
_FRESH_S = 0.05
_LATER_S = 1.0  # to a look at all processes that most likely finds nobody


@dataclass(slots=True)
class _Life:
    """A life whose process is known, and what it leaves can be known by."""

    pid: int
    uid: int
    group: str
    started: int
    marks: frozenset[str]
    cgroup: LifeCgroup | None
    adopted: bool = False  # from a former manager: what it left may be anybody's child
    descendants: set[tuple[int, int]] = field(default_factory=set)
    listeners: frozenset[str] = frozenset()  # marks of its group's, as it was told to end and as it ended


def _owner(uid: int | None) -> int:
    """Whose processes those of a group are. None: this manager's."""
    return os.geteuid() if uid is None else uid


@dataclass(slots=True)
class Remains:
    """One per manager. around: who is never a stray, asked at each look; listening: marks of listeners, by group.

    movable: the processes that may be moved out of the manager's own cgroup, where that must be empty.
    """

    run_dir: Path
    log: Callable[[str, str], None]
    around: Callable[[], Spared]
    listening: Callable[[str], frozenset[str]]
    movable: Callable[[], Iterable[int]]
    users: UserCgroups = field(init=False)
    tree: Tree | None = None
    reason: str = ""  # why there is no tree
    _lives: dict[int, _Life] = field(default_factory=dict)  # molds by numbers below 0 (molds.Mold)
    _since: dict[int, int] = field(
        default_factory=dict
    )  # by user: when the first of the lives began whose strays may live
    _limited: dict[str, tuple[CgroupTarget, Limited]] = field(default_factory=dict)  # by group
    _gone: list[_Life] = field(default_factory=list)  # whose strays are to be looked for
    _leaving: set[LifeCgroup] = field(default_factory=set)  # killed, not yet empty
    _released: set[str] = field(default_factory=set)  # groups that are gone
    _looking: asyncio.TimerHandle | None = None
    _seen: Mapping[int, Seen] = field(default_factory=dict)
    _looked_until: float = 0.0  # on the loop's clock
    _orphans: Mapping[int, frozenset[int]] = field(default_factory=dict)  # with whose they are
    _counted_until: float = 0.0  # monotonic
    _quiet: asyncio.Event = field(default_factory=asyncio.Event)  # set when nothing is on its way out any more

    def __post_init__(self) -> None:
        self.users = UserCgroups(self.log, self._clear, self._homeless, self.movable)

    def _homeless(self) -> set[int]:
        return {life.pid for life in self._lives.values() if life.cgroup is None}

    def open(self) -> None:
        """Find the tree of the former manager, or make one. Without one lives are ended by their sessions."""
        try:
            self._open()
        except OSError as error:
            self.tree, self.reason = None, f"cannot make a cgroup: {error.strerror} ({error.filename})"
        if self.tree is None:
            self.log("info", f"what is left of a process is ended by its session: {self.reason}")

    def _open(self) -> None:
        place, name = find_place(), f"{PREFIX}{run_id(self.run_dir)}"
        former = self._former(name)
        directory = former or (place.directory / name if place.directory else None)
        if directory is None:
            self.reason = place.reason
            return
        tree = Tree(directory)
        tree.open()
        (self.run_dir / _FILE).write_bytes(os.fsencode(directory))
        self.tree = self.users.tree = tree

    def note_again(self) -> None:
        """Tell a next manager where the tree is, if somebody has taken that away. Raises OSError."""
        path = self.run_dir / _FILE
        if self.tree and not path.exists():
            path.write_bytes(os.fsencode(self.tree.directory))

    def _former(self, name: str) -> Path | None:
        """Where the former manager had its tree: its lives are there, wherever this manager was started."""
        try:
            path = Path(os.fsdecode((self.run_dir / _FILE).read_bytes()))
        except OSError:
            return None
        return path if path.name == name and (path / "cgroup.procs").exists() else None

    @property
    def way(self) -> Way:
        """How what is left of a life is ended: cgroup, or session."""
        return "cgroup" if self.tree else "session"

    def way_of(self, lives: Iterable[int]) -> Way:
        """The same for a group with these lives: session where one of them is in no cgroup."""
        known = [self._lives[life] for life in lives if life in self._lives]
        return "session" if any(life.cgroup is None for life in known) else self.way

    # Lives

    def enter(self, process: Process, pid: int, pidfd: int, uid: int | None) -> None:
        """Put a child that waits for its spec into a cgroup of its own. uid: of its group; None: this manager's."""
        group, slot = process.group, int(process.info["slot"])
        cgroup = self._home(f"{group}/{slot} life={process.life}", group, slot, process.life, pid, pidfd)
        self._note(process, pid, uid, cgroup)

    def _home(self, what: str, group: str, slot: int, life: int, pid: int, pidfd: int) -> LifeCgroup | None:
        """Put a process into a cgroup of its own; None where there is none."""
        if self.tree is None:
            return None
        self._released.discard(group)
        cgroup = None
        try:
            cgroup = self.tree.life(group, slot, life)
            cgroup.enter(pid, pidfd)
        except OSError as error:
            self.log("warning", f"{what} is in no cgroup: {error.strerror}")
            if cgroup:
                cgroup.remove()
            return None
        return cgroup

    def adopt(self, process: Process, uid: int | None) -> None:
        """Take over a process of a former manager, with the cgroup that it is in."""
        slot, cgroup = int(process.info["slot"]), None
        if self.tree:
            cgroup = self.tree.find(process.pid, process.group, slot, process.life)
        self._note(process, process.pid, uid, cgroup)
        self._lives[process.life].adopted = True

    def _note(self, process: Process, pid: int, uid: int | None, cgroup: LifeCgroup | None) -> None:
        self._begin(process.life, process.group, pid, uid, cgroup, process.marks)

    def _begin(
        self,
        number: int,
        group: str,
        pid: int,
        uid: int | None,
        cgroup: LifeCgroup | None,
        marks: frozenset[str] = frozenset(),
    ) -> None:
        seen, owner = strays.look_at(pid), _owner(uid)
        if seen:
            self._since[owner] = min(seen.started, self._since.get(owner, seen.started))
        self._lives[number] = _Life(
            pid=pid,
            uid=owner,
            group=group,
            started=seen.started if seen else 0,
            marks=marks,
            cgroup=cgroup,
        )

    def enter_mold(self, number: int, group: str, pid: int, pidfd: int, uid: int | None) -> None:
        """Put a mold into a cgroup of its own, so that it does not end with what is left of its founder.

        number: in the place of a life, below 0: its founder's, negative.
        """
        cgroup = self._home(f"{group}: its mold (pid {pid})", group, 0, -number, pid, pidfd)
        self._begin(number, group, pid, uid, cgroup)

    def mold_ended(self, number: int) -> None:
        """End what is left of a mold that has ended, or is about to."""
        life = self._lives.pop(number, None)
        if life is None:
            return
        if life.cgroup:
            self._clear(life.cgroup)
            return
        self._note_descendants(life)
        self._gone.append(life)
        self._look_in(0.0 if life.descendants else _LATER_S)

    def leaves(self, process: Process) -> None:
        """It was told to end: what descends from it now can be recognised when it is gone."""
        life = self._lives.get(process.life)
        if life and life.cgroup is None:
            life.listeners |= self.listening(life.group)  # those of a group that is stopped are closed before it ends
            self._note_descendants(life)

    def _note_descendants(self, life: _Life) -> None:
        seen = self._look()
        there = seen.get(life.pid)
        if there and there.started == life.started:
            life.descendants |= {(pid, seen[pid].started) for pid in strays.below([life.pid], seen)}

    def _look(self) -> Mapping[int, Seen]:
        """Return the processes of a moment ago at most: hundreds that are told to end together take one look."""
        now = asyncio.get_running_loop().time()
        if now >= self._looked_until:
            self._seen, self._looked_until = strays.look(), now + _FRESH_S
        return self._seen

    def kill(self, process: Process) -> None:
        """SIGKILL to the process and all that is with it."""
        life = self._lives.get(process.life)
        if life and life.cgroup:
            self._kill(life.cgroup)
        else:
            self.leaves(process)
        process.kill()

    def ended(self, process: Process) -> int:
        """It has ended: end what is left of it. Return how often the kernel killed in it for want of memory."""
        life = self._lives.pop(process.life, None)
        if life is None:
            return 0
        if life.cgroup:
            kills = life.cgroup.out_of_memory_kills()
            self._clear(life.cgroup)
            return kills
        life.listeners |= self.listening(life.group)
        self._gone.append(life)
        around = self.around()
        # What a process leaves is re-parented to the manager before its end can be seen. Where nobody is, a look at all
        # processes is for what was passed a listener, and its successor need not wait for that.
        orphans = around.adopted - around.lives - around.spawners
        self._look_in(0.0 if orphans or life.adopted else _LATER_S)
        return 0

    def _look_in(self, delay_s: float, attempt: int = 0) -> None:
        """Look for strays, once for all lives that end until then."""
        loop = asyncio.get_running_loop()
        if self._looking:
            if self._looking.when() <= loop.time() + delay_s:
                return
            self._looking.cancel()
        self._looking = loop.call_later(delay_s, self.flush, attempt)

    def flush(self, attempt: int = 0) -> None:
        """End the strays of all lives that have ended."""
        if self._looking:
            self._looking.cancel()
            self._looking = None
        if not self._gone:
            return
        killed: set[tuple[int, int]] = set()
        for _round in range(_ROUNDS):
            seen = strays.look()
            found = [seen[pid] for pid in strays.find_strays(map(self._known_by, self._gone), seen, self.around())]
            new = [stray for stray in found if (stray.pid, stray.started) not in killed]
            if not new:
                break
            for stray in new:
                strays.kill(stray)
                killed.add((stray.pid, stray.started))
        if killed:
            self.log("warning", f"processes that were left behind were ended: {', '.join(str(p) for p, _ in killed)}")
        if killed and attempt < len(_AGAIN_S):  # until a look finds nobody
            self._look_in(_AGAIN_S[attempt], attempt + 1)
        else:
            for uid in {life.uid for life in self._gone if self._is_alone(life)}:
                self._since.pop(uid, None)
            self._gone.clear()
            self._tell_quiet()

    def _is_alone(self, life: _Life) -> bool:
        return all(other.uid != life.uid for other in self._lives.values())

    def _known_by(self, life: _Life) -> Ended:
        """What strays of a life can be known by now: less, where others of its user are there, or have come since.

        Nobody but lives and what descends from them may have a group's listener, whichever life it came from.
        """
        return strays.Ended(
            pid=life.pid,
            uid=life.uid,
            started=life.started,
            descendants=frozenset(life.descendants),
            marks=life.marks | life.listeners,
            alone=self._is_alone(life),
            since=self._since.get(life.uid, life.started),
        )

    def left(self, uid: int | None) -> list[int]:
        """The processes of a user, by pid, that were re-parented to the manager and may be what is left of a life.

        They may also be helpers of a process that runs. None where lives have cgroups: what is left of one is ended.
        """
        if self.tree:
            return []
        now = time.monotonic()
        if now >= self._counted_until:
            around = self.around()
            orphans = sorted(around.adopted - around.lives - around.spawners)
            self._orphans = {pid: strays.user_ids(pid) for pid in orphans}
            self._counted_until = now + _FRESH_S
        return [pid for pid, users in self._orphans.items() if _owner(uid) in users]

    def sweep(self) -> None:
        """End what is in cgroups of lives that nobody has: those that ended while there was no manager."""
        if self.tree is None:
            return
        kept = {life.cgroup for life in self._lives.values()} | self.users.kept()
        for cgroup in [*self.tree.lives(), *self.tree.spawners()]:
            if cgroup not in kept:
                self._clear(cgroup)

    def _kill(self, cgroup: LifeCgroup) -> None:
        try:
            cgroup.kill()
        except OSError as error:
            self.log("error", f"cannot end what is in {cgroup.directory}: {error.strerror}")

    def _clear(self, cgroup: LifeCgroup, attempt: int = 0) -> None:
        """Kill all in a cgroup and remove it, again until it is empty: who is killed takes a moment to go."""
        self._leaving.add(cgroup)
        self._kill(cgroup)
        if cgroup.remove():
            self._leaving.discard(cgroup)
            self._remove_released()
            self._tell_quiet()
        elif attempt < len(_AGAIN_S):
            asyncio.get_running_loop().call_later(_AGAIN_S[attempt], self._clear, cgroup, attempt + 1)
        else:
            self._leaving.discard(cgroup)
            self.log("error", f"a process in {cgroup.directory} cannot be ended: it waits in the kernel")
            self._tell_quiet()

    # Groups

    def limit(self, target: GroupTarget) -> str:
        """Have the limits of a group hold; return what the kernel refused, a clause, where it was not said before."""
        self.users.expect(target)
        before = self._limited.get(target.name)
        if before and before[0] == target.cgroup and not before[1].refused:
            return ""
        if self.tree:
            limited = self.tree.limit(target.name, target.cgroup, self.movable)
        else:
            limited = Limited({}, {item.option: self.reason for item in settings(target.cgroup) if item.asked})
        self._limited[target.name] = (target.cgroup, limited)
        for option, why in limited.missing.items():
            self.log("warning", f"{target.name}: {option} is not in force: {why}")
        failed = {**limited.refused, **(limited.missing if target.spec.confinement.required else {})}
        return "; ".join(f"{option}: {why}" for option, why in failed.items())

    def limited(self, group: str) -> Limited:
        """Return what does not hold of a group's limits."""
        found = self._limited.get(group)
        return found[1] if found else Limited({}, {})

    def foresee(self, target: CgroupTarget) -> list[tuple[str, str]]:
        """Return what would not hold of these limits, and why."""
        asked = [item for item in settings(target) if item.asked]
        if self.tree is None:
            return [(item.option, self.reason) for item in asked]
        return [(item.option, why) for item in asked if (why := self.tree.missing(item.controller))]

    def release(self, group: str) -> None:
        """A group is gone; its cgroup goes with its last life."""
        self._limited.pop(group, None)
        self.users.forget(group)
        self._released.add(group)
        self._remove_released()

    def _tell_quiet(self) -> None:
        if self._leaving or self._gone:
            self._quiet.clear()
        else:
            self._quiet.set()

    def _remove_released(self) -> None:
        """Remove the cgroups of groups that are gone, each until it has gone itself."""
        if self.tree:
            self._released = {group for group in self._released if not self.tree.remove_group(group)}

    async def close(self) -> None:
        """End and remove everything, within a few seconds."""
        self.users.close()
        self.sweep()
        self.flush()
        self._tell_quiet()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._quiet.wait(), _CLOSE_S)
        if self.tree:
            self.tree.close()
            (self.run_dir / _FILE).unlink(missing_ok=True)
