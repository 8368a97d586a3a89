"""What a manager passes to the next version of itself: locks, the control socket, what a service manager had given it.

The process stays the same over execve(2), so descriptors go on to be what they are; their numbers are in a variable of
the environment, which is taken out of it before anything else. All the rest the next one finds as after a death.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import sys
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from wsgigroups.manager.supervision.passed import PassedSockets, accept

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping, Sequence

VARIABLE = "WSGIGROUPS_HANDOVER"


@dataclass(frozen=True, slots=True)
class Handover:
    """pid: of the process that is meant, or of the parent of one that rehearses. A later version may pass more."""

    pid: int
    rehearses: bool = False  # says whether it could take over, and ends
    version: str = ""  # of who hands over
    handovers: int = 0  # this one included
    control: int = -1  # the listening control socket
    locks: dict[str, int] = field(default_factory=dict)  # by path
    passed: list[tuple[int, str]] = field(default_factory=list)  # what a service manager passed, and its name
    names: list[str] = field(default_factory=list)  # of what it keeps
    observing: dict[str, int] = field(default_factory=dict)  # the manager's own listeners, by address
    unresolved: bool = False  # some group of the configuration in force could not be had yet

    @property
    def fds(self) -> list[int]:
        """All descriptors that are passed."""
        passed = (fd for fd, _name in self.passed)
        return [fd for fd in (self.control, *self.locks.values(), *self.observing.values(), *passed) if fd >= 0]

    def listener(self) -> socket.socket | None:
        """Take the control socket; None when there is none."""
        try:
            if self.control < 0 or not stat.S_ISSOCK(os.fstat(self.control).st_mode):
                return None
        except OSError:
            return None
        return socket.socket(fileno=self.control)

    def observed(self) -> dict[str, socket.socket]:
        """Take the manager's own listeners, by address; what is no socket is left out."""
        found = {}
        for address, fd in self.observing.items():
            with contextlib.suppress(OSError):
                found[address] = socket.socket(fileno=fd)
        return found

    def sockets(self, log: Callable[[str, str], None]) -> PassedSockets:
        """Take what a service manager had passed."""
        found = PassedSockets()
        for fd, name in self.passed:
            accept(found, fd, name, log)
        found.names.update(self.names)
        return found


def taken_from(environment: MutableMapping[str, str]) -> Handover | None:
    """Take a handover out of the environment; None without one, and for one that is not for this process."""
    text = environment.pop(VARIABLE, "")
    try:
        data: dict[str, Any] = json.loads(text) if text else {}
        known = {name: data[name] for name in Handover.__dataclass_fields__ if name in data}
        known["passed"] = [(int(fd), str(name)) for fd, name in known.get("passed", ())]
        found = Handover(**known)
        meant = os.getppid() if found.rehearses else os.getpid()
        if found.pid != meant:
            return None
        for fd in found.fds:
            os.set_inheritable(fd, False)
    except (ValueError, TypeError, AttributeError, OSError):
        return None
    return found


def command() -> list[str]:
    """What this process was started with; its interpreter by its whole path."""
    return [sys.executable, *sys.orig_argv[1:]]


def environment_with(handover: Handover, given: MutableMapping[str, str]) -> dict[str, str]:
    """Return the environment that a handover is passed in. given: what was taken out of ours at the start."""
    return {**os.environ, **given, VARIABLE: json.dumps(asdict(handover))}


def execute(argv: Sequence[str], handover: Handover, given: MutableMapping[str, str]) -> None:
    """Become the program. Comes back only with an OSError, and everything is then as it was."""
    environment = environment_with(handover, given)
    try:
        for fd in handover.fds:
            os.set_inheritable(fd, True)
        os.execve(argv[0], list(argv), environment)  # noqa: S606  (our own interpreter, as this process was started)
    finally:
        for fd in handover.fds:
            os.set_inheritable(fd, False)
