"""Looks at a manager and its processes all the time, while a test does something: what was true at every look.

Runs in a thread of pytest's process. A look that finds something wrong is kept; leaving the context raises for it.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import threading
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any

from support.looking import pause
from support.manager import ManagerUnderTest

from wsgigroups.errors import WsgigroupsError


class Population:
    """A context: one group's daemons as the kernel counts them, and the manager's status of it.

    most: the most daemons that there were at once, of all groups. others: those that were not among `of`.
    fewest_ready: the fewest of `of` that were ready at a look.
    """

    def __init__(self, manager: ManagerUnderTest, group: str, of: set[int] | None = None) -> None:
        self._manager, self._group, self._of = manager, group, of or set()
        self.pid = manager.manager_pid
        self.looks = 0
        self.most = 0
        self.others: set[int] = set()
        self.fewest_ready = len(self._of)
        self.wrong: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on)

    def __enter__(self) -> Population:  # noqa: PYI034 — Self is Python 3.11
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        if error is None:
            assert self.looks > 0
            assert not self.wrong, self.wrong[:5]

    def _go_on(self) -> None:
        while not self._over.is_set():
            living = daemons(self.pid)
            self.most = max(self.most, len(living))
            self.others |= living - self._of
            try:
                status = self._manager.status()
            except (WsgigroupsError, OSError, http.client.HTTPException) as error:
                self.wrong.append(f"no status: {error!r}")
                return
            self._look(status)
            self.looks += 1
            pause()

    def _look(self, status: dict[str, Any]) -> None:
        for group in status["groups"]:
            self.wrong += [f"{group['name']}: {what}" for what in contradictions(group)]
        ready = {
            process["pid"]
            for group in status["groups"]
            if group["name"] == self._group
            for process in group["processes"]
            if process["state"] == "ready"
        }
        self.fewest_ready = min(self.fewest_ready, len(self._of & ready))


def contradictions(group: dict[str, Any]) -> list[str]:
    """What a group's status says of it that cannot all be true."""
    processes = group["processes"]
    found = []
    states = Counter(process["state"] for process in processes)
    pids = [process["pid"] for process in processes if process["pid"]]
    if len(set(pids)) != len(pids):
        found.append(f"a pid twice: {pids}")
    if group["processes_ready"] != states["ready"]:
        found.append(f"{group['processes_ready']} ready, but {states}")
    if len(processes) > 2 * group["processes_wanted"] + 1:
        found.append(f"{len(processes)} processes for {group['processes_wanted']}")
    if group["state"] == "ready" and group["processes_ready"] < group["processes_wanted"]:
        found.append(f"ready with {group['processes_ready']} of {group['processes_wanted']}")
    return found


def daemons(manager: int) -> set[int]:
    """Processes that the spawners of a manager have forked and that live, as the kernel tells."""
    return {pid for spawner in _children(manager) for pid in _children(spawner) if not _dead(pid)}


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def _dead(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def never_ready(manager: ManagerUnderTest) -> set[str]:
    """The lives that ended before they were ready, by the log: one that ends at once is too short for a look."""
    return set(re.findall(r" \S+/\d+ life=(\d+) pid=\d+ (?!READY|DRAINING)[A-Z]+: ", manager.log("manager")))
