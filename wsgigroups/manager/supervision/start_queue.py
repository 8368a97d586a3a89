"""Whose turn it is to be started: so many processes at once that each of them comes up in its time.

Runs in the manager's only thread, on its event loop. A thousand processes that are started together share the
processors, and each would take as long as all of them: none would be ready within its startup-timeout. One that takes
long by itself gives its place to the next after a moment, and of those that wait the group goes first that has the
fewest under way: no group holds up another for long.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

AT_LEAST, EACH_PROCESSOR = 16, 8
AT_ONCE = max(AT_LEAST, EACH_PROCESSOR * (os.cpu_count() or 1))
SLOW_S = (
    2.0  # from the request to the spawner: who needs longer waits for something, and leaves the processor to others
)
TELL_S = 5.0  # so often the core is told who waits: well within `step.SPAWN_S`


@dataclass(slots=True)
class StartQueue:
    """Lets lives begin. waiting: told of the lives whose turn has not come, now and then while there are any."""

    waiting: Callable[[tuple[int, ...]], None]
    at_once: int = AT_ONCE
    slow_s: float = SLOW_S
    _begun: dict[int, tuple[str, asyncio.TimerHandle]] = field(default_factory=dict)  # life → group, end of its time
    _under_way: Counter[str] = field(default_factory=Counter)  # by group
    _queue: dict[int, tuple[str, asyncio.Future[None]]] = field(default_factory=dict)  # in the order of coming
    _telling: asyncio.TimerHandle | None = None

    async def turn(self, group: str, life: int) -> bool:
        """Wait until it is the life's turn; return whether it had to wait."""
        if len(self._begun) < self.at_once and not self._queue:
            self._begin(group, life)
            return False
        came = asyncio.get_running_loop().create_future()
        self._queue[life] = (group, came)
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(TELL_S, self._tell)
        try:
            await came
        finally:
            self._queue.pop(life, None)
        return True

    def over(self, life: int) -> None:
        """Let the next one begin: this life is ready, is gone, never was, or takes long."""
        begun = self._begun.pop(life, None)
        if begun is None:
            return
        group, timer = begun
        timer.cancel()
        self._under_way[group] -= 1
        if not self._under_way[group]:
            del self._under_way[group]
        self._go_on()

    def _go_on(self) -> None:
        while self._queue and len(self._begun) < self.at_once:
            idle = (life for life, (group, _came) in self._queue.items() if group not in self._under_way)
            life = next(idle, None) or min(self._queue, key=lambda life: self._under_way[self._queue[life][0]])
            group, came = self._queue.pop(life)
            if not came.cancelled():
                self._begin(group, life)
                came.set_result(None)

    def _begin(self, group: str, life: int) -> None:
        timer = asyncio.get_running_loop().call_later(self.slow_s, self.over, life)
        self._begun[life] = (group, timer)
        self._under_way[group] += 1

    def _tell(self) -> None:
        self._telling = None
        if self._queue:
            self._telling = asyncio.get_running_loop().call_later(TELL_S, self._tell)
            self.waiting(tuple(self._queue))
