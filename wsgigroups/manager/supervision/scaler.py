"""Looks four times a second at groups whose processes follow the load, and tells the core what the law says.

Runs in the manager's only thread. Where no group asks for it, a look costs nothing.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model
from wsgigroups.manager.supervision import memory
from wsgigroups.manager.supervision.group_load import BEGINNING, GroupLoad
from wsgigroups.manager.supervision.machine_load import MachineLoad
from wsgigroups.manager.supervision.sleepers import Sleepers
from wsgigroups.manager.supervision.vitals import pss_of
from wsgigroups.plan import scaling
from wsgigroups.plan.routing import GATEWAY
from wsgigroups.plan.scaling_budget import Ask, Shared, growing, share
from wsgigroups.plan.scaling_rest import rests_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wsgigroups.manager.core.model import GroupState, State
    from wsgigroups.manager.supervision.listeners import Listeners
    from wsgigroups.manager.supervision.processes import Process
    from wsgigroups.plan.scaling import Memory, Want

IDLE_S = 1.0  # between two looks while there is no such group
WOKEN = "somebody connects"


@dataclass(slots=True)
class Scaler:
    """What the law remembers of each group, and what it last came to."""

    state: Callable[[], State]
    processes: Mapping[int, Process]  # by life; the shell's own
    listeners: Listeners
    dispatch: Callable[[model.Event], None]
    machine: MachineLoad = field(default_factory=MachineLoad)
    clock: Callable[[], float] = time.monotonic
    sleepers: Sleepers = field(init=False)
    _load: GroupLoad = field(default_factory=GroupLoad)
    _memories: dict[str, Memory] = field(default_factory=dict)
    _wants: dict[str, Want] = field(default_factory=dict)
    _grown: set[str] = field(default_factory=set)  # at their last look
    _until: dict[str, tuple[GroupState, float]] = field(
        default_factory=dict
    )  # as it was looked at, until when it rests
    _latest: tuple[Mapping[str, GroupState], Mapping[str, GroupState]] = field(default_factory=lambda: ({}, {}))
    _between: bool = False  # the last look was between two at everybody
    _sizes: dict[str, int] = field(default_factory=dict)  # bytes of the largest process that was seen of a group

    def __post_init__(self) -> None:
        self.sleepers = Sleepers(self.listeners, self._woken)

    async def watch(self) -> None:
        """Look until cancelled."""
        try:
            while True:
                await asyncio.sleep(self._pause_s())
                self.next_look()
        finally:
            self.sleepers.close()

    def _pause_s(self) -> float:
        if self._grown or self._between:
            return scaling.HURRY_S
        return scaling.LOOK_S if self._scaled() else IDLE_S

    def _scaled(self) -> Mapping[str, GroupState]:
        """The groups that have a range of processes: looked for where a group is another one."""
        groups = self.state().groups
        if groups is not self._latest[0]:
            self._latest = groups, {name: group for name, group in groups.items() if group.target.scaling is not None}
        return self._latest[1]

    def next_look(self) -> None:
        """Look at everybody, or between two such looks at those that have grown: twice as many may not be enough."""
        self._between = bool(self._grown) and not self._between
        if self._between:
            for name in sorted(self._grown):
                self._look_at(name)
        else:
            self.look()

    def became_ready(self, group: str) -> None:
        """Look at it at once: those that were begun have come up."""
        known = self.state().groups.get(group)
        if known is not None and known.follows_load:
            asyncio.get_running_loop().call_soon(self._look_at, group)

    def want(self, group: str) -> Want | None:
        """What the law last came to for a group; None: it has not looked, or is not asked."""
        return self._wants.get(group)

    def delay_s(self, group: str) -> float | None:
        """For how long fewer processes have to be enough by now; None: the law has not looked."""
        known = self._memories.get(group)
        return known.delay_s if known else None

    def look(self) -> None:
        """One round."""
        groups = {} if self.state().draining else self._scaled()
        self.sleepers.look(groups)
        lives = {record.life for group in groups.values() for record in group.records}
        self._load.keep(groups, lives)
        self._grown &= groups.keys()
        for known in (self._memories, self._wants, self._sizes, self._until):
            for name in known.keys() - groups:
                del known[name]
        awake = {name: group for name, group in groups.items() if group.follows_load and not group.asleep}
        for name in groups.keys() - awake.keys():
            for known in (self._memories, self._wants, self._until):
                known.pop(name, None)
        if awake:
            self._decide(awake)

    def _look_at(self, name: str) -> None:
        group = self.state().groups.get(name)
        if group is not None and group.follows_load and not group.asleep and not self.state().draining:
            self._decide({name: group})

    def _decide(self, groups: Mapping[str, GroupState]) -> None:
        now = self.clock()
        cores = self.machine.cores(now)
        asks = {}
        for name, group in groups.items():
            if self._rests(name, group, now):
                continue
            limits = group.target.scaling
            assert limits is not None
            look = self._load.look(group, self.processes, now)
            memory, want = scaling.step(self._memories.get(name), limits, look, cores, now)
            self._memories[name] = memory
            self._until[name] = group, rests_until(memory, limits, look, want, now)
            more = want.processes > group.wanted
            room = self._room_bytes(group) if more else None
            size = self._size(group) if more or look.starting else 0
            asks[name] = Ask(group.wanted, want, size, look.starting, room)
        more_wanted = any(ask.want.processes > ask.wanted for ask in asks.values())
        shared = self._shared(groups, now) if more_wanted else Shared()
        for name, want in share(asks, shared).items():
            self._wants[name] = want
            self._grown.discard(name)
            if want.processes > groups[name].wanted:
                self._grown.add(name)
            if want.processes != groups[name].wanted:
                self.dispatch(model.Scaled(name, want.processes, want.reason))

    def _rests(self, name: str, group: GroupState, now: float) -> bool:
        """Whether a look would come to what the last one did; it counts as one."""
        known, until = self._until.get(name, (None, now))
        if known is not group or now >= until or not self._load.is_silent(group, self.processes):
            return False
        self._load.left_out(name, now)
        return True

    def _shared(self, groups: Mapping[str, GroupState], now: float) -> Shared:
        """What is left for all of them: the least of what their targets say, while a change of that goes on."""
        limits = [group.target.scaling for group in groups.values() if group.target.scaling]
        most = min((item.all_processes for item in limits if item.all_processes), default=0)
        there = sum(group.wanted for name, group in self.state().groups.items() if name != GATEWAY)
        reserve = max(item.reserve_percent for item in limits) / 100 * self.machine.capacity(now).memory_bytes
        left = memory.left()
        taken = int(reserve) + self._promised(groups)
        return Shared(
            processes_left=most - there if most else None,
            memory_left_bytes=None if left is None else max(0, left - taken),
            pressure=self.machine.pressure(),
        )

    def _promised(self, asking: Mapping[str, GroupState]) -> int:
        """Bytes for processes on their way up of groups that are not looked at now: they have not taken them yet."""
        return sum(
            growing(self._sizes.get(name, 0)) * sum(record.state in BEGINNING for record in group.records)
            for name, group in self.state().groups.items()
            if name not in asking
        )

    def _size(self, group: GroupState) -> int:
        """Proportional bytes of the largest process that was seen: of the one that has most of its own now."""
        name = group.target.name
        pids = [record.pid for record in group.records if record.state is Tenancy.READY and record.pid]
        if pids:
            self._sizes[name] = max(self._sizes.get(name, 0), pss_of(max(pids, key=memory.own_bytes)))
        return self._sizes.get(name, 0)

    def _room_bytes(self, group: GroupState) -> int | None:
        limit = group.target.cgroup.memory_max_bytes
        if not limit:
            return None
        return max(0, limit - sum(memory.own_bytes(r.pid) for r in group.records if r.live and r.pid))

    def _woken(self, name: str) -> None:
        group = self.state().groups.get(name)
        if group is not None and group.asleep:
            self._memories[name] = scaling.woken(None, self.clock())
            self.dispatch(model.Scaled(name, 1, WOKEN))
