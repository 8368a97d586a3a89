"""Processes that were told to leave at once, until their boards say that they take no connections any more.

Runs in the manager's only thread. A board cannot call, so it looks again and again while there are such processes:
often at first, because it is a matter of milliseconds, and seldom where one hangs.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from wsgigroups.runtime.wire.board import LISTENING, STATE, word

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.manager.supervision.processes import Process

FIRST_LOOK_S = 0.002
LONGEST_PAUSE_S = 0.05


class LettingGo:
    """Tells once of each process that it follows, with its life, unless the process ends before."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell = tell
        self._followed: dict[int, Process] = {}
        self._pause_s = FIRST_LOOK_S
        self._next: asyncio.TimerHandle | None = None

    def follow(self, process: Process) -> None:
        """Look at this one from now on."""
        self._followed[process.life] = process
        self._pause_s = FIRST_LOOK_S
        if self._next:
            self._next.cancel()
        self._arm()

    def _arm(self) -> None:
        self._next = asyncio.get_running_loop().call_later(self._pause_s, self._look)

    def _look(self) -> None:
        self._next = None
        self._pause_s = min(LONGEST_PAUSE_S, self._pause_s * 1.5)
        told = []
        for process in list(self._followed.values()):
            if process.closed or has_let_go(process):
                del self._followed[process.life]
                if not process.closed:
                    told.append(process.life)
        if self._followed:
            self._arm()
        for life in told:
            self._tell(life)


def has_let_go(process: Process) -> bool:
    """Whether a process takes no connections any more, by its board; False where that cannot be read."""
    try:
        said = word(process.board_fd, "listening")
        if said == LISTENING["not said"]:  # of a version that says only that it is about to: see words.py
            return word(process.board_fd, "state") == STATE["stopping"]
        return said == LISTENING["no"]
    except OSError:
        return False
