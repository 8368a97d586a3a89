"""What a service manager is told about a manager: that it is ready, reads again, stops, is alive, needs more time.

Runs on the manager's event loop, so that WATCHDOG=1 says that the loop turns. Decides nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from wsgigroups.lifecycle.status import group_state
from wsgigroups.manager.core import model
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from wsgigroups.manager.supervision.shell import Shell
    from wsgigroups.manager.systemd.fdstore import FdStore
    from wsgigroups.manager.systemd.notifying import Notifier

PERIOD_S = 5.0  # between two looks when nothing happens
PAUSE_S = 0.1  # after each: a thousand events are told of once
EXTENSION_S = 30.0  # what is asked for at each look while something takes its time
NAMED = 5  # groups that are not ready, by name in the status
WELL = frozenset({"ready", "asleep"})


class Telling:
    """Tells of one manager, from `begin` to `end`."""

    def __init__(self, notifier: Notifier, store: FdStore) -> None:
        self._notifier = notifier
        self._store = store
        self._shell: Shell | None = None
        self._task: asyncio.Task[None] | None = None
        self._started = False  # what a manager starts with was begun
        self._reads = 0  # configurations that are being read again
        self._phase = "starting"
        self._status = ""
        self._owed: list[list[str]] = []  # messages that were not taken

    def begin(self, shell: Shell) -> None:
        """Tell from now on, as the loop turns."""
        self.follow(shell)
        if self._notifier.address:
            self._task = asyncio.create_task(self._watch(shell))

    def follow(self, shell: Shell) -> None:
        """Tell of this one at each look."""
        self._shell = shell

    def started(self) -> None:
        """Say that what the manager starts with was begun; it is ready once that has settled."""
        self._started = True
        self.look()

    def reading(self) -> None:
        """Say that a configuration is read again, because somebody asked for it."""
        self._reads += 1
        if self._phase in ("ready", "reloading"):  # systemd waits for one that is later than its signal
            self._phase = "reloading"
            self._tell(_reloading())

    def read(self) -> None:
        """Say that it was read, and its apply begun or refused."""
        self._reads -= 1
        self.look()

    def end(self) -> None:
        """Tell the last."""
        if self._task:
            self._task.cancel()
        if self._phase != "stopping":
            self._phase = "stopping"
            self._tell(["STOPPING=1"])

    def look(self) -> None:
        """Tell what is new, and ask for more time where something is under way."""
        if self._shell is None or not self._notifier.address:
            return
        state = self._shell.state
        if state.stopping and self._phase != "stopping":
            self._phase = "stopping"
            self._tell(["STOPPING=1"])
        elif self._phase == "starting" and self._started and not self._under_way(state):
            self._phase = "ready"
            self._tell(["READY=1"])
        elif self._phase == "ready" and self._under_way(state):
            self._phase = "reloading"
            self._tell(_reloading())
        elif self._phase == "reloading" and not self._under_way(state):
            self._phase = "ready"
            self._tell(["READY=1"])
        lines = ["WATCHDOG=1"] if self._notifier.watchdog_s else []
        if self._phase != "ready":
            lines.append(f"EXTEND_TIMEOUT_USEC={int(EXTENSION_S * 1e6)}")
        status = summary(state)
        if status != self._status:
            lines.append(f"STATUS={status}")
        self._repay()
        if lines and self._notifier.send(lines):
            self._status = status
        self._store.look(self._shell, settled=self._phase == "ready")

    def _under_way(self, state: model.State) -> bool:
        return self._reads > 0 or any(
            change.kind in model.APPLYING and not change.finished for change in state.changes.values()
        )

    def _tell(self, lines: list[str]) -> None:
        self._owed.append(lines)
        self._repay()

    def _repay(self) -> None:
        while self._owed and self._notifier.send(self._owed[0]):
            del self._owed[0]

    async def _watch(self, shell: Shell) -> None:
        period_s = min(PERIOD_S, self._notifier.watchdog_s / 2 or PERIOD_S)
        while True:
            self.look()
            await asyncio.sleep(min(PAUSE_S, period_s / 2))
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(shell.changed.wait(), period_s / 2)


def _reloading() -> list[str]:
    return ["RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"]


def summary(state: model.State) -> str:
    """One line about all groups, for `systemctl status`."""
    if not state.groups:
        return "draining" if state.stopping else "no groups"
    words = {}
    for name, group in sorted(state.groups.items()):
        states = (record.state for record in group.records)
        words[name] = group_state(states, group.wanted, stopped=group.stopped, asleep=group.asleep)
        if group.unresolved:
            words[name] = "failed"
    ready = sum(word in WELL for word in words.values())
    text = f"{ready} of {len(words)} groups ready"
    if state.draining:
        return f"draining {len(words)} groups"
    if state.stopping:
        return f"{len(words)} groups drain when drain-delay is over"
    others = [f"{name} is {word}" for name, word in words.items() if word not in WELL]
    if len(others) > NAMED:
        others = [*others[:NAMED], f"{len(others) - NAMED} more"]
    return clean(": ".join([text, ", ".join(others)]) if others else text)
