"""Answers to scrapes: the text of all metrics, made once for all who ask at the same time.

Runs in the manager's only thread, and gives it to others after each few groups and each family: a thousand groups are
a hundred milliseconds of work, and a deadline must not wait for them.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.manager.observing import gathering
from wsgigroups.metrics.exposition import exposition
from wsgigroups.metrics.facts import Facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.manager.supervision.shell import Shell

GROUPS_AT_A_TIME = 20
FRESH_S = 1.0  # who asks again within that gets the same


@dataclass(slots=True)
class _Made:
    """One text, or the work on it. at: monotonic seconds when it was begun."""

    at: float
    text: asyncio.Task[bytes]


@dataclass(slots=True)
class Scrapes:
    """Of one manager. started_at: monotonic seconds; today: seconds since the epoch."""

    shell: Shell
    started_at: float
    today: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    _made: dict[bool, _Made] = field(default_factory=dict)

    async def text(self, *, openmetrics: bool) -> bytes:
        """Return all metrics in this form."""
        made, now = self._made.get(openmetrics), self.clock()
        if made is None or (made.text.done() and (now - made.at >= FRESH_S or made.text.exception())):
            task = asyncio.get_running_loop().create_task(self._make(openmetrics=openmetrics))
            made = self._made[openmetrics] = _Made(now, task)
        return await asyncio.shield(made.text)  # who leaves takes it from nobody else

    async def _make(self, *, openmetrics: bool) -> bytes:
        parts = []
        for part in exposition(await self._facts(), openmetrics=openmetrics):
            parts.append(part)
            await asyncio.sleep(0)
        return "".join(parts).encode()

    async def _facts(self) -> Facts:
        shell, groups = self.shell, []
        shell.weighing.ask()
        for number, name in enumerate(sorted(shell.state.groups)):
            if group := shell.state.groups.get(name):  # it may have gone meanwhile
                groups.append(gathering.group_facts(shell, group))
            if number % GROUPS_AT_A_TIME == GROUPS_AT_A_TIME - 1:
                await asyncio.sleep(0)
        shell.settle()
        return Facts(
            gathering.manager_facts(shell, self.started_at),
            tuple(groups),
            gathering.certificates(shell, self.today()),
        )
