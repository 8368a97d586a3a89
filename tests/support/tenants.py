"""A manager with an attacker and a neighbour, and what must hold after each attack.

Runs in pytest's process, as root. A bound here means "hung": the attacks that these tests know lasted for a minute, or
for ever.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
from support.accounts import Accounts
from support.manager import APPS, ManagerUnderTest

from wsgigroups.manager.supervision.cgroups.hierarchy import find_place

SOON_S = 10.0


class Tenants(ManagerUnderTest):
    """alice's group is `a` with `hostile_app`, bob's is `b`; strays that an attack leaves are ended at the end."""

    def __init__(self, directory: Path, accounts: Accounts) -> None:
        super().__init__(directory, accounts)
        self.a, self.b = self.port(), self.port()
        self._strays: list[int] = []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pid in self._strays:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        super().__exit__(kind, error, trace)

    def text(self, extra: str = "", app: str = "hostile_app", user: str = "alice") -> str:
        """Both groups; extra goes to the attacker's."""
        return self.one("a", app, self.a, user, extra) + self.one("b", "crashing_app", self.b, "bob")

    def one(self, name: str, app: str, port: int, user: str, extra: str = "") -> str:
        """A group."""
        where = f'listen = ["127.0.0.1:{port}"]\nuser = "{user}"\nshutdown-timeout = "1s"'
        return f'[groups.{name}]\napp = "{app}:application"\npython-path = ["{APPS}"]\n{where}\n{extra}\n'

    def attack(self, how: str) -> Any:
        """Let the attacker do it; what it says came of it."""
        status, body = self.get(self.a, f"/{how}")
        assert status == 200, body
        return json.loads(body)

    def stray(self, how: str) -> int:
        """The same, for an attack by a process that stays behind; its pid."""
        pid = int(self.attack(how))
        self._strays.append(pid)
        return pid

    def stray_out_of_reach(self, how: str) -> int:
        """The same, for what must hold although the stray lives on: it is in no cgroup of its life.

        Without a writable cgroup v2 hierarchy it is found by what it holds, and lives as long as its life.
        """
        pid = self.stray(how)
        place = find_place()
        if place.directory and self.status()["manager"]["cleanup"] == "cgroup":
            (place.directory / "cgroup.procs").write_text(str(pid))
        return pid

    def all_is_well(self) -> None:
        """The manager answers, and the neighbour's killed process is followed."""
        began_s = time.monotonic()
        victim = self.pids("b")[1]
        assert time.monotonic() - began_s < SOON_S
        os.kill(victim, signal.SIGKILL)
        self.soon("the neighbour is back", lambda: self.pids("b").get(1) not in (None, victim))
        assert self.get(self.b)[0] == 200

    def soon(self, what: str, condition: Any) -> Any:
        """Wait for something that must not take as long as an attack lasts."""
        began_s = time.monotonic()
        answer = self.wait_for(what, condition)
        assert time.monotonic() - began_s < SOON_S, what
        return answer

    def followed(self, pid: int) -> int:
        """The attacker's process was ended and has a successor; its pid."""
        new = self.soon("the attacker is followed", lambda: (p := self.pids("a").get(1)) not in (None, pid) and p)
        self.soon("the attacker is gone", lambda: not psutil.pid_exists(pid))
        return int(new)

    def manager_descriptors(self) -> int:
        """How many the manager has open."""
        return len(os.listdir(f"/proc/{self.manager_pid}/fd"))
