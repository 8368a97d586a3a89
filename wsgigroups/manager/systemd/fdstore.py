"""Listening sockets that the service manager keeps over restarts of the service: sd_pid_notify_with_fds(3), FDSTORE=1.

What waits in their queues is served by the next manager. systemd says by the variable FDSTORE how many it keeps.
Runs in the manager's only thread.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from wsgigroups.manager.supervision.shell import Shell
    from wsgigroups.manager.systemd.notifying import Notifier


def places(environment: MutableMapping[str, str]) -> int:
    """Take out of the environment how many descriptors are kept; 0: none."""
    text = environment.pop("FDSTORE", "")
    return int(text) if text.isdigit() else 0


class FdStore:
    """What is kept, and what should be."""

    def __init__(self, notifier: Notifier, maximum: int, log: Callable[[str, str], None]) -> None:
        self._notifier = notifier
        self._maximum = maximum if notifier.address else 0
        self._log = log
        self._full = False

    def look(self, shell: Shell, *, settled: bool) -> None:
        """Give what is new, take back what is no listener any more. settled: what was kept and nobody took, too."""
        listeners, passed = shell.listeners, shell.listeners.passed
        if shell.state.stopping:
            return  # what is kept is for the next manager
        wanted = {name: held for name, held in listeners.by_name().items() if not passed.owns(held.sock)}
        if settled and passed.kept:
            passed.release({os.fstat(held.sock.fileno()).st_ino for held in wanted.values()})
        waiting = set() if settled else {kept.name for kept in passed.kept.values()}
        for name in passed.names - wanted.keys() - waiting:
            if self._notifier.send(["FDSTOREREMOVE=1", f"FDNAME={name}"]):
                passed.names.discard(name)
        for name in sorted(wanted.keys() - passed.names):
            if len(passed.names) >= self._maximum:
                self._say_full(len(wanted))
                return
            if self._notifier.send(["FDSTORE=1", f"FDNAME={name}"], [wanted[name].sock.fileno()]):
                passed.names.add(name)

    def _say_full(self, wanted: int) -> None:
        if self._maximum and not self._full:
            text = f"the service manager keeps {self._maximum} listeners of {wanted}: raise FileDescriptorStoreMax="
            self._log("warning", text)
            self._full = True
