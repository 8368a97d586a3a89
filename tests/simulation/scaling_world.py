"""A machine for the law of scaling: groups whose load is a function of time, as a fluid of requests. No process runs.

A request takes a thread for `takes_s`, of which it computes for `computes_s`; an interpreter computes for one request
at a time, and all of them for as many as there are processors.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.plan.scaling import HURRY_S, LOOK_S, Cores, LoadSeen, Memory, ScalingTarget, Want, step
from wsgigroups.plan.scaling_budget import Ask, Shared, share

if TYPE_CHECKING:
    from collections.abc import Callable

MEBIBYTE = 1024**2
LEAVES_S = 1.0
ATOM = 0.01  # less of a request is none


@dataclass(slots=True)
class Simulated:
    """One group. load: requests a second at a time, whoever waits; imports_s: from a start to ready.

    clients: how many there are who wait for an answer before they ask again, in the place of a load.
    """

    load: Callable[[float], float]
    limits: ScalingTarget
    clients: Callable[[float], float] | None = None
    threads: int = 4
    takes_s: float = 0.1
    computes_s: float = 0.002
    imports_s: float = 1.0
    process_bytes: int = 50 * MEBIBYTE
    ready: int = 1
    starting: list[float] = field(default_factory=list)  # when they are ready
    leaving: list[float] = field(default_factory=list)  # when they are gone
    waiting: float = 0.0  # requests that no thread has taken
    looked_at: float = 0.0
    hurries: bool = False  # it is looked at again before the others are
    used: float = 0.0  # processors, when it was last looked at
    memory: Memory | None = None
    last: Want = field(default_factory=lambda: Want(0, ""))
    changes: list[tuple[float, int, int]] = field(default_factory=list)  # when, from, to
    waits: list[tuple[float, float]] = field(default_factory=list)

    @property
    def wanted(self) -> int:
        """How many it is to have."""
        return self.ready + len(self.starting)

    def capacity(self, slower: float) -> float:
        """Requests a second that it can answer: as many as its threads take, and as its interpreters compute."""
        by_threads = self.ready * self.threads / self.takes_s
        return min(by_threads, self.ready * slower / self.computes_s) if self.computes_s else by_threads

    def processor_share(self, now: float, passed_s: float) -> float:
        """Processors that it would use if it had as many as it likes."""
        if self.clients is not None:
            return min(self.capacity(1.0), self.clients(now) / self.takes_s) * self.computes_s
        return min(self.capacity(1.0), self.waiting / passed_s + self.load(now)) * self.computes_s

    def live(self, now: float, slower: float) -> LoadSeen:
        """Let the time since the last look pass; return what a look finds.

        By Little's law a request that nobody keeps waiting is a thread's work for takes_s, however long a look is;
        while somebody waits no thread is idle.
        """
        self.ready += sum(at <= now for at in self.starting)
        self.starting = [at for at in self.starting if at > now]
        self.leaving = [at for at in self.leaving if at > now]
        passed_s, self.looked_at = now - self.looked_at, now
        rate = self.capacity(slower)
        if self.clients is not None:
            inside = self.clients(now)
            there = rate * self.takes_s
            done = min(inside, there) / self.takes_s * passed_s
            self.waiting = max(0.0, inside - there)
        else:
            there = self.waiting + self.load(now) * passed_s
            done = min(there, rate * passed_s)
            self.waiting = there - done if there - done > ATOM else 0.0
        busy_s = self.ready * self.threads * passed_s if self.waiting else done * self.takes_s
        wait_s = self.waiting / rate if rate else (passed_s if self.waiting else 0.0)
        self.waits.append((now, wait_s))
        cpu_s = done * self.computes_s
        look = LoadSeen(
            *(self.wanted, self.ready, self.threads, passed_s, busy_s, cpu_s),
            taken=round(done),
            waited_s=round(done) * wait_s,
            queued=round(self.waiting),
            starting=len(self.starting),
            leaving=len(self.leaving),
        )
        self.used = cpu_s / passed_s
        return look

    def obey(self, want: Want, now: float) -> None:
        """Have as many processes as the law says."""
        self.last = want
        self.hurries = want.processes > self.wanted
        if want.processes != self.wanted:
            self.changes.append((now, self.wanted, want.processes))
        for _ in range(want.processes - self.wanted):
            self.starting.append(now + self.imports_s)
        if want.processes < self.wanted:
            assert want.processes == self.wanted - 1, "one at a time"
            self.ready -= 1
            self.leaving.append(now + LEAVES_S)

    def turns(self, since: float = 0.0) -> int:
        """How often it has begun to grow, or begun to shrink, after a time."""
        signs = [to > of for at, of, to in self.changes if at >= since]
        return sum(1 for before, sign in zip([None, *signs], signs, strict=False) if before is not sign)


@dataclass(slots=True)
class Machine:
    """What the groups share."""

    groups: dict[str, Simulated]
    cores: float = 8.0
    memory_bytes: int | None = None  # that processes may have, the reserve left out
    processes: int | None = None
    now: float = 0.0
    _turn: int = 0

    def run(self, seconds: float) -> None:
        """Let time pass, look by look."""
        for _ in range(round(seconds / HURRY_S)):
            self._turn += 1
            self.now = self._turn * HURRY_S
            everybody = self._turn % (LOOK_S / HURRY_S) == 0
            self.look({name: group for name, group in self.groups.items() if everybody or group.hurries})

    def look(self, groups: dict[str, Simulated]) -> None:
        """Let these live until now, and obey the law."""
        asked = sum(group.processor_share(self.now, LOOK_S) for group in self.groups.values())
        slower = min(1.0, self.cores / asked) if asked else 1.0
        found = {name: group.live(self.now, slower) for name, group in groups.items()}
        cores = Cores(self.cores, max(0.0, self.cores - sum(group.used for group in self.groups.values())))
        asks = {}
        for name, look in found.items():
            group = groups[name]
            group.memory, want = step(group.memory, group.limits, look, cores, self.now)
            asks[name] = Ask(look.wanted, want, group.process_bytes, look.starting)
        for name, want in share(asks, self.shared()).items():
            groups[name].obey(want, self.now)
        self.check()

    def shared(self) -> Shared:
        """What is left."""
        everybody = self.groups.values()
        taken = sum((group.ready + len(group.leaving)) * group.process_bytes for group in everybody)
        return Shared(
            None if self.processes is None else self.processes - sum(group.wanted for group in everybody),
            None if self.memory_bytes is None else self.memory_bytes - taken,
        )

    def check(self) -> None:
        """What holds at every moment."""
        for group in self.groups.values():
            assert group.limits.minimum <= group.wanted <= group.limits.maximum
        if self.memory_bytes is not None:
            assert sum(group.wanted * group.process_bytes for group in self.groups.values()) <= self.memory_bytes
        if self.processes is not None:
            assert sum(group.wanted for group in self.groups.values()) <= self.processes
