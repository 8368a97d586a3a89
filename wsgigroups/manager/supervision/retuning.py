"""Running processes are told what has changed for them, and it is read back whether they go by it.

Runs in the manager's only thread; what waits for answers is a task of its own.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from wsgigroups.manager.core import model
from wsgigroups.manager.supervision import live, routing

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.manager.supervision.cgroups.remains import Remains
    from wsgigroups.manager.supervision.logs import Logs
    from wsgigroups.manager.supervision.processes import Process
    from wsgigroups.plan.desired import GroupTarget


@dataclass(slots=True)
class Retuning:
    """Live options and routes on their way to processes; the core hears how each group's went."""

    processes: dict[int, Process]  # by life; the shell's own
    remains: Remains
    logs: Logs
    dispatch: Callable[[model.Event], None]
    published: routing.Published
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def tell(self, target: GroupTarget, lives: tuple[int, ...]) -> None:
        """Tell these lives what the target says now; the core gets one GroupTuned for it, later."""
        failed = self.remains.limit(target)
        told = [self.processes[life] for life in lives if life in self.processes]
        refused = {process.life: live.tune(process, target, self.logs) for process in told}
        unusable = {process.life: routing.tell(process, target, self.logs, self.published) for process in told}
        said = model.GroupTuned(
            *(target.name, lives, {life: why for life, why in refused.items() if why}, failed),
            {life: why for life, why in unusable.items() if why},
        )
        task = asyncio.get_running_loop().create_task(self._read_back(said))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read_back(self, said: model.GroupTuned) -> None:
        """Tell how it went when every process goes by what it was told, or says no, or does neither for too long."""
        until = time.monotonic() + live.TAKE_OVER_S
        waiting = [self.processes[life] for life in said.lives if life in self.processes and life not in said.unusable]
        unusable = dict(said.unusable)
        while True:
            unusable.update({process.life: routing.UNUSABLE for process in waiting if routing.refuses(process)})
            waiting = [p for p in waiting if p.life not in unusable and not live.taken_over(p)]
            if not waiting or time.monotonic() >= until:
                break
            await asyncio.sleep(live.LOOK_S)
        silent = {p.life: f"it does not go by new options within {live.TAKE_OVER_S:g} s" for p in waiting}
        self.dispatch(replace(said, refused={**silent, **said.refused}, unusable=unusable))

    def tell_again(self, state: model.State) -> None:
        """Tell gateways their routes that do not go by them: a former manager may have died before it could."""
        for group in state.groups.values():
            there = [self.processes[r.life] for r in group.records if r.live and r.life in self.processes]
            lives = tuple(process.life for process in there if not routing.goes_by(process, group.target))
            if lives:
                self.tell(group.target, lives)
