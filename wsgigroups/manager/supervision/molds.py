"""Molds: processes that have a group's application loaded and fork its daemons (preload = "app").

A spawner has them, and tells of them; here is which one a life comes from. The first life of a kind founds a mold, the
others wait for it, and later ones are forked by it for as long as they would load the same. Runs in the manager's only
thread, on its event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model
from wsgigroups.manager.supervision.start_queue import TELL_S
from wsgigroups.manager.supervision.user_spawners import ImpostorError, UserSpawner, hold_as, hold_child
from wsgigroups.runtime.wire import messages

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.lifecycle.step import Record
    from wsgigroups.manager.supervision.cgroups.remains import Remains
    from wsgigroups.manager.supervision.processes import Process
    from wsgigroups.manager.supervision.spawners import AnySpawner, SpawnerPool
    from wsgigroups.plan.desired import GroupTarget

ANSWER_S = 10.0  # for a mold to fork; one that does not is ended
LOOK_S = 0.1  # from an event to the look at which molds are needed still
_DIGITS = 18  # of a life, at most
_LATE_S = 5.0  # a founder is ready, and its mold is still not heard of: there is none
_ON_THE_WAY = (Tenancy.SPAWNING, Tenancy.STARTING)


@dataclass(frozen=True, slots=True)
class Mold:
    """One that is there. name: the life that founded it; kind: see `kind_of`."""

    name: str
    group: str
    kind: str
    spawner: str
    pid: int
    started_at: str

    @property
    def number(self) -> int:
        """What it has in the place of a life where processes are counted by that: none of a life."""
        return -int(self.name)


def kind_of(target: GroupTarget) -> str:
    """Return what tells apart targets whose processes inherit different things from a mold."""
    spec = target.spec
    parts = (target.fingerprint, sorted(target.code.items()), sorted(spec.rlimits.items()), spec.cpu_priority)
    return hashlib.blake2b(repr((*parts, spec.reload)).encode(), digest_size=8).hexdigest()


@dataclass(slots=True)
class Molds:
    """One per manager. changed: gives what is set when something has happened."""

    pool: SpawnerPool
    remains: Remains
    processes: dict[int, Process]
    state: Callable[[], model.State]
    dispatch: Callable[[model.Event], None]
    log: Callable[[str, str], None]
    changed: Callable[[], asyncio.Event]
    _known: dict[str, Mold] = field(default_factory=dict)  # by name
    _founders: dict[int, tuple[str, str]] = field(default_factory=dict)  # life → group, kind
    _looking: asyncio.TimerHandle | None = None
    _early: list[tuple[AnySpawner, messages.Molded]] | None = field(default_factory=list)  # None: groups are known

    def of(self, group: str) -> list[Mold]:
        """The molds of a group, the oldest first."""
        return [mold for mold in self._known.values() if mold.group == group]

    def pids(self) -> dict[int, int]:
        """The processes of all molds, by `Mold.number`."""
        return {mold.number: mold.pid for mold in self._known.values()}

    # Which one

    async def which(self, record: Record, target: GroupTarget, spawner: str) -> str | None:
        """Wait until it is known which mold a life comes from: its own number founds one, "" is none at all.

        None: nobody wants the life any more.
        """
        if target.spec.preload != "app":
            return ""
        told = time.monotonic()
        while (found := self.state().find(record.life)) and found[1].state is Tenancy.SPAWNING:
            kind = kind_of(target)
            mold = self._best(found[0], kind, spawner)
            if mold:
                return mold.name
            if not self._is_being_founded(found[0], kind):
                self._founders[record.life] = (record.group, kind)
                return str(record.life)
            if time.monotonic() - told >= TELL_S:
                told = time.monotonic()
                self.dispatch(model.StillQueued((record.life,)))
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.changed().wait(), TELL_S)
        return None

    def _best(self, group: model.GroupState, kind: str, spawner: str) -> Mold | None:
        """The newest mold that has what new processes are to have."""
        usable = [
            mold
            for mold in self.of(group.target.name)
            if (mold.kind, mold.spawner) == (kind, spawner) and int(mold.name) >= group.restart_before
        ]
        return max(usable, key=lambda mold: int(mold.name), default=None)

    def _is_being_founded(self, group: model.GroupState, kind: str) -> bool:
        """Whether a mold of this kind is on its way."""
        wanted = (group.target.name, kind)
        return any(
            self._comes_up(life)
            for life, founds in list(self._founders.items())
            if founds == wanted and life >= group.restart_before
        )

    def _comes_up(self, life: int) -> bool:
        """Whether a founder's mold is still to be expected; else it is forgotten."""
        found = self.state().find(life)
        record = found[1] if found else None
        if record and record.state in _ON_THE_WAY:
            return True
        if record and record.ready_at is not None and time.monotonic() - record.ready_at < _LATE_S:
            return True
        self._founders.pop(life, None)
        return False

    def no_answer(self, life: int, name: str, spawner: AnySpawner) -> None:
        """A mold was asked to fork some time ago: one that has not is ended, and what was asked of it is refused."""
        process = self.processes.get(life)
        if process and process.pid == 0 and process.info.get("mold") == name:
            self.log("error", f"{process.group}: the mold of life {name} did not fork within {ANSWER_S:g} s")
            with contextlib.suppress(OSError):
                spawner.send(messages.Drop("mold", name))

    # What spawners say

    def open(self) -> None:
        """What there was before this manager is known: now molds can be told from what nobody wants."""
        early, self._early = self._early or [], None
        for spawner, message in early:
            self.came(spawner, message)

    def came(self, spawner: AnySpawner, message: messages.Molded) -> None:
        """A mold is there. It is looked at before anything is done to it, as a daemon that a user's spawner has forked.

        What a spawner of root's says was true when it said so; the number may be another process's by now.
        """
        if self._early is not None:
            self._early.append((spawner, message))
            return
        info, name = message.info, message.mold
        group, founder = self.state().groups.get(str(info.get("group"))), _life(name)
        if group is None or not 0 < founder < self.state().next_life or group.target.spawner.key != spawner.key:
            spawner.send(messages.Drop("mold", name))
            return
        founds, target = self._founders.pop(founder, None), group.target
        try:
            if isinstance(spawner, UserSpawner):
                known = {process.pid for process in self.processes.values()} | set(self.pids().values())
                pidfd = hold_child(message.pid, spawner, target.spawner.gid, known)
            else:
                uid = os.geteuid() if target.uid is None else target.uid
                pidfd = hold_as(message.pid, uid, spawner.pid)
        except ImpostorError as error:
            if isinstance(spawner, UserSpawner):
                spawner.end(f"it named a mold that it does not have: {error}")
            else:
                spawner.send(messages.Drop("mold", name))  # it has ended, or is of no use
            return
        self.remains.enter_mold(-founder, group.target.name, message.pid, pidfd, group.target.uid)
        os.close(pidfd)
        kind = founds[1] if founds else str(info.get("mold_kind", ""))
        started_at = str(info.get("started_at", ""))[:32]
        self._known[name] = Mold(name, group.target.name, kind, spawner.key, message.pid, started_at)
        self.look_soon()

    def gone(self, spawner: AnySpawner, message: messages.Unmolded) -> None:
        """A mold has ended, or will never be."""
        self._founders.pop(_life(message.mold), None)
        mold = self._known.get(message.mold)
        if mold and mold.spawner == spawner.key:
            why = f", {message.reason[:256]}" if message.reason else ""
            self.log("warning", f"{mold.group}: its mold (pid {mold.pid}) is gone{why}; the next process makes another")
            self._forget(mold)

    def lost(self, spawner: str) -> None:
        """A spawner is gone, and its molds end with it."""
        for mold in [mold for mold in self._known.values() if mold.spawner == spawner]:
            self._forget(mold)

    def _forget(self, mold: Mold) -> None:
        del self._known[mold.name]
        self.remains.mold_ended(mold.number)

    # Which are needed

    def look_soon(self) -> None:
        """Something has happened: see soon which molds are not needed any more."""
        if self._known and self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _look(self) -> None:
        self._looking = None
        for mold in list(self._known.values()):
            if self._spawner_of(mold) is None or not self._is_needed(mold):
                self._end(mold)

    def end(self) -> None:
        """End all that there are, before their spawners do: what they have left is known by whose children it is."""
        for mold in list(self._known.values()):
            self._end(mold)

    def _end(self, mold: Mold) -> None:
        self._forget(mold)
        spawner = self._spawner_of(mold)
        if spawner:
            with contextlib.suppress(OSError):
                spawner.send(messages.Drop("mold", mold.name))

    def _spawner_of(self, mold: Mold) -> AnySpawner | None:
        return self.pool.ready(mold.spawner) or self.pool.user(mold.spawner)

    def _is_needed(self, mold: Mold) -> bool:
        """Whether the next process of its group would come from it, or from it again if a rollout is given up.

        One of which no process is left while others serve is that of a rollout which was given up.
        """
        state = self.state()
        group = state.groups.get(mold.group)
        if group is None or group.stopped or group.removing or state.draining:
            return False
        if group.fallback and kind_of(group.fallback) == mold.kind:
            return True
        if group.target.spec.preload != "app" or self._best(group, kind_of(group.target), mold.spawner) is not mold:
            return False
        records = [record for record in group.records if record.live]
        own = any(self._mold_of(record) == mold.name for record in records)
        return own or not any(record.state is Tenancy.READY for record in records)

    def _mold_of(self, record: Record) -> str:
        process = self.processes.get(record.life)
        return str(process.info.get("mold", "")) if process else ""


def _life(name: str) -> int:
    """Return the life that a mold is named by; 0 for what is no such name."""
    return int(name) if name.isascii() and name.isdigit() and len(name) <= _DIGITS else 0
