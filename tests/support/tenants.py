"""A manager with an attacker and a neighbour, and what must hold after each attack.

Runs in pytest's process, as root. A bound here means "hung": the attacks that these tests know lasted for a minute, or
for ever.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
from support.accounts import Accounts
from support.looking import pause
from support.manager import APPS, ManagerUnderTest
from support.warm import Warm

from wsgigroups.manager.supervision.cgroups.hierarchy import find_place

SOON_S = 10.0
# What is promised of a quiet machine, and twice that here: CI's machines are loaded, and have two processors at most.
LOADED = 2.0
ANSWER_S = 1.0 * LOADED  # the manager answers `status`
BACK_S = 2.0 * LOADED  # a neighbour's killed process is followed
DEADLINE_S = 1.0  # the neighbour's request-timeout …
LATE_S = 1.0 * LOADED  # … acts no later after it than that
MORE_BYTES = 16 << 20  # of the manager's memory; attacks were worth hundreds
OF_ANSWERER = 2  # its socket and its pidfd
_NEIGHBOUR = f'request-timeout = "{DEADLINE_S:g}s"\nrequest-timeout-mode = "each"\ninterrupt-timeout = "30s"\n'


@dataclass(frozen=True)
class _Holding:
    """What a manager has."""

    pid: int
    descriptors: int
    memory_bytes: int


class Tenants(ManagerUnderTest):
    """alice's group is `a` with `hostile_app`, bob's is `b`; strays that an attack leaves are ended at the end."""

    def __init__(self, directory: Path, accounts: Accounts, warm: Warm | None = None) -> None:
        super().__init__(directory, accounts, warm)
        self.a, self.b = self.port(), self.port()
        self._strays: list[int] = []
        self._before: _Holding | None = None  # of the manager, since the last apply

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
        extra = f"{_NEIGHBOUR}{extra}" if name == "b" else extra
        where = f'listen = ["127.0.0.1:{port}"]\nuser = "{user}"\nshutdown-timeout = "1s"'
        return f'[groups.{name}]\napp = "{app}:application"\npython-path = ["{APPS}"]\n{where}\n{extra}\n'

    def apply(self, text: str, *options: str, code: int = 0, **more: Any) -> subprocess.CompletedProcess[str]:
        """As ever; what the manager has then is what it may have after an attack."""
        done = super().apply(text, *options, code=code, **more)
        self._before = self._holding()
        return done

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

    def all_is_well(self, *, left: bool = True) -> None:
        """What holds during and after every attack: nobody but the attacker notices, and nothing of it is left.

        left: whether the attack is over, so that what is left of it can be looked at.

        The manager answers; the neighbour's request-timeout acts when it is over, not before and not much later; its
        killed process is followed; the manager has no more descriptors and no more memory than before.
        """
        victim = self.soon("the neighbour is ready", lambda: self.pids("b").get(1))
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(self._asked_forever)
            while not asked.done():
                began_s = time.monotonic()
                self.status()
                assert time.monotonic() - began_s < ANSWER_S, "the manager does not answer"
                pause()
            status, lasted_s = asked.result()
        assert status == 504
        assert DEADLINE_S - 0.1 <= lasted_s <= DEADLINE_S + LATE_S, f"a deadline of {DEADLINE_S} s acts at {lasted_s} s"
        assert self.pids("b").get(1) == victim
        os.kill(victim, signal.SIGKILL)
        self.soon("the neighbour is back", lambda: self.pids("b").get(1) not in (None, victim), within_s=BACK_S)
        assert self.get(self.b)[0] == 200
        if left:
            self._nothing_is_left()

    def _asked_forever(self) -> tuple[int, float]:
        began_s = time.monotonic()
        status, _body = self.get(self.b, "/forever")
        return status, time.monotonic() - began_s

    def _nothing_is_left(self) -> None:
        before = self._before
        if before is None or before.pid != self.manager_pid:
            return
        # who asks for its status, and who is just being followed, is there for a moment longer
        try:
            self.soon(
                "no descriptor is left", lambda: self._holding().descriptors <= before.descriptors + self._answering()
            )
        except AssertionError:
            print(f"{before}, and then:\n{self._open()}")  # shown for a test that failed
            raise
        assert self._holding().memory_bytes <= before.memory_bytes + MORE_BYTES

    def _open(self) -> str:
        """What the manager's descriptors are."""
        directory = Path(f"/proc/{self.manager_pid}/fd")
        return "\n".join(f"{fd.name} {os.readlink(fd)}" for fd in directory.iterdir() if fd.is_symlink())

    def _answering(self) -> int:
        """The manager's descriptors of who answers 503 for a group that has failed for long: no group's."""
        children = psutil.Process(self.manager_pid).children()
        return OF_ANSWERER * any("answer" in child.cmdline() for child in children)

    def _holding(self) -> _Holding:
        manager = psutil.Process(self.manager_pid)
        return _Holding(manager.pid, manager.num_fds(), manager.memory_info().rss)

    def soon(self, what: str, condition: Any, within_s: float = SOON_S) -> Any:
        """Wait for something that must not take as long as an attack lasts."""
        began_s = time.monotonic()
        answer = self.wait_for(what, condition)
        assert time.monotonic() - began_s < within_s, what
        return answer

    def followed(self, pid: int) -> int:
        """The attacker's process was ended and has a successor; its pid."""
        new = self.soon("the attacker is followed", lambda: (p := self.pids("a").get(1)) not in (None, pid) and p)
        self.soon("the attacker is gone", lambda: not psutil.pid_exists(pid))
        return int(new)

    def manager_descriptors(self) -> int:
        """How many the manager has open."""
        return len(os.listdir(f"/proc/{self.manager_pid}/fd"))
