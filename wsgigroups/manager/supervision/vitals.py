"""Looking at running daemons: boards and /proc in, events and status numbers out.

Runs in the manager's only thread, once a second: at those that do something, and now and then at the others.
Everything read from a board is a tenant's word about itself.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.lifecycle.watch import PERIOD_S, Judgement, Underway, Verdict, Vitals, judge, quiet_s
from wsgigroups.manager.core import haste, model
from wsgigroups.manager.supervision import rolling
from wsgigroups.manager.supervision.rounds import Rounds
from wsgigroups.manager.supervision.slow_told import SlowTold
from wsgigroups.manager.supervision.specs import spread
from wsgigroups.runtime.wire import board, messages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wsgigroups.lifecycle.watch import Rules
    from wsgigroups.manager.supervision.processes import Process
    from wsgigroups.manager.supervision.shell import Shell

LATE_S = 2.0  # the manager did not run for longer than this: daemons may not have either
# Of the reasons on a board: wishes that last until there is a successor. One for a script is over when that fails.
WISHES = frozenset({"maximum-requests", "cpu-time-limit", haste.EVICTION})
AHEAD_S = 1.0  # a time so far in the future is no reading of a clock that all processes share
_PATIENCE_S = 0.25  # some hundred times what it takes as a rule
_SLOW_S = 60.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """What the kernel says of a process. Zeros when it is gone or not ours to look at."""

    rss_bytes: int = 0
    pss_bytes: int = 0
    cpu_s: float = 0.0


def usage(pid: int, *, pss: bool) -> Usage:
    """Read /proc (proc(5)): statm, stat, and smaps_rollup when pss is asked for (it costs about a millisecond)."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            rss_bytes = int(file.read().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return Usage()
    return Usage(rss_bytes, pss_of(pid) if pss else 0, cpu_of(pid))


def cpu_of(pid: int) -> float:
    """Return the seconds of processors that a process has used; 0 when it is gone."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            numbers = os.read(fd, 4096).rpartition(b")")[2].split(None, 13)
        finally:
            os.close(fd)
        return (int(numbers[11]) + int(numbers[12])) / _TICKS_PER_S
    except (OSError, IndexError, ValueError):
        return 0.0


def pss_of(pid: int) -> int:
    """Return the proportional memory of a process in bytes; 0 when it is gone, or the kernel does not say at once.

    The kernel goes through all that a process has mapped, under a lock that the process can hold: how long that takes
    is up to a tenant. So it is waited for in a thread of its own, and not for long; there is one such thread at most.
    """
    return _SCALE.weigh(pid)


class MemoryScale:
    """What a tenant cannot keep its manager busy with. read: takes as long as the process likes."""

    def __init__(self, read: Callable[[int], int]) -> None:
        self._read = read
        self._busy: threading.Thread | None = None
        self._slow: dict[int, float] = {}  # by pid: until when it is not asked again

    def weigh(self, pid: int) -> int:
        """Return what there is to be read, 0 for what is not there in time."""
        now = time.monotonic()
        if now < self._slow.get(pid, 0.0) or (self._busy and self._busy.is_alive()):
            return 0
        found: list[int] = []
        thread = threading.Thread(target=lambda: found.append(self._read(pid)), daemon=True)
        thread.start()
        thread.join(_PATIENCE_S)
        if found:
            return found[0]
        self._busy = thread
        self._slow = {other: until for other, until in self._slow.items() if now < until} | {pid: now + _SLOW_S}
        return 0


def _read_pss(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass  # ended just now, or a kernel that does not say
    return 0


_SCALE = MemoryScale(_read_pss)


def weight(pid: int) -> int:
    """Return what one more process like this takes, in bytes: its proportional memory, else its resident one; or 0."""
    return pss_of(pid) or usage(pid, pss=False).rss_bytes


class Watcher:
    """Judges every ready daemon, each as often as it takes."""

    def __init__(self, shell: Shell, missed_s: Callable[[], float]) -> None:
        """missed_s: for how long the manager did not run, since it was last asked."""
        self._shell = shell
        self._missed_s = missed_s
        self._blind_until = 0.0
        # By life: the requests that were to be interrupted, by thread and busy word, and since when. A manager that
        # begins anew interrupts them again, which changes nothing in the daemon but when they are given up.
        self._interrupted: dict[int, dict[tuple[int, int], float]] = {}
        self._slow = SlowTold()
        self._rounds = Rounds()
        self._done: dict[int, tuple[int, int]] = {}  # by life: how many requests had begun, and ended
        self._latest: Mapping[str, model.GroupState] = {}  # the groups that were there at the last look
        self._rules: dict[str, Rules] = {}  # by group
        self._rolls = False

    def look(self) -> None:
        """One round."""
        now = time.monotonic()
        missed_s = self._missed_s()
        if missed_s > LATE_S:
            # stopped or suspended: daemons may have been too, so their heartbeats prove nothing yet
            self._shell.postpone(missed_s)
            self._blind_until = now + 3 * PERIOD_S
        if now < self._blind_until:
            return
        self._shell.outside.record(self._slow.due(now))
        if self._rolls or self._latest is not self._shell.state.groups:
            self._latest = self._shell.state.groups
            for life in self._rounds.follow(self._shell.processes, now):  # a new one is one of a group's by now
                self._forget(life)
            self._follow_rules(now)
            self._shell.throughput.keep(self._latest)
            self._rolls = rolling.look(self._shell)
        self._shell.weighing.look(self._pids)
        for life in self._rounds.due(now):
            self._rounds.again(life, now + self._look_at(life, now))

    def _follow_rules(self, now: float) -> None:
        """Look at once at those that go by other rules now: one that does nothing may have been left alone for long."""
        before, self._rules = self._rules, {name: group.target.rules for name, group in self._latest.items()}
        for name, rules in self._rules.items():
            if name in before and before[name] is not rules and before[name] != rules:
                for record in self._latest[name].records:
                    if record.life in self._shell.processes:
                        self._rounds.again(record.life, now)

    def _pids(self) -> Mapping[int, int]:
        processes = {life: known.pid for life, known in self._shell.processes.items()}
        return {**processes, **self._shell.molds.pids()}

    def _forget(self, life: int) -> None:
        self._interrupted.pop(life, None)
        self._done.pop(life, None)
        self._slow.forget(life)
        self._shell.utilisation.forget(life)

    def _look_at(self, life: int, now: float) -> float:
        """Judge one; return in how many seconds it is to be looked at again."""
        process, found = self._shell.processes.get(life), self._shell.state.find(life)
        if process is None or found is None:
            return PERIOD_S
        group, record = found
        if group.unknown or record.state is not Tenancy.READY:  # what it may do is not known, or not judged by this
            return PERIOD_S
        rules = group.target.rules
        # one that waits for its successor may wait for long, and can hang meanwhile
        leaves = group.recycle.get(life, "")
        if not self._judge(rules, process, now - (record.ready_at or now), leaves):
            # those that have become quiet together are not all looked at together
            return PERIOD_S * (1 + (life - int(now) - 1) % int(quiet_s(rules)))
        self._shell.throughput.look(group, self._shell.processes)
        return PERIOD_S

    def _judge(self, rules: Rules, process: Process, age_s: float, leaves: str) -> bool:
        """Have done what is to be done; return whether the process does something, or something is wrong with it."""
        snapshot, threads = process.snapshot(), int(process.info["threads"])
        damage = damage_of(snapshot, threads)
        works = True
        if snapshot is None or damage:
            snapshot = board.nothing()
        else:
            done = snapshot["started_total"], snapshot["requests_total"]
            works = bool(snapshot.busy) or self._done.get(process.life) != done
            self._done[process.life] = done
            self._shell.utilisation.see(process.life, snapshot, threads, time.monotonic_ns())
            self._slow.note(process.group, process.life, snapshot["slow_requests"])
        rss_bytes = usage(process.pid, pss=False).rss_bytes if rules.memory_soft_limit_bytes else 0
        interrupted = self._still_interrupted(process.life, snapshot)
        seen = vitals(snapshot, age_s, rss_bytes, interrupted, damage)
        verdict = judge(rules, seen, spread(process.life))
        if verdict is None:
            return works
        self._follow(process, snapshot, rules, verdict, leaves)
        return True

    def _follow(
        self, process: Process, snapshot: board.Snapshot, rules: Rules, verdict: Judgement, leaves: str
    ) -> None:
        if verdict.verdict is Verdict.INTERRUPT:
            self._interrupt(process, snapshot, verdict)
            return
        if leaves and (verdict.verdict is Verdict.RECYCLE or (verdict.serves and leaves == verdict.reason)):
            return
        if verdict.verdict is Verdict.RECYCLE:
            below = verdict.reason == haste.MEMORY and process.start_bytes > rules.memory_soft_limit_bytes
            start_bytes = process.start_bytes if below else 0
            self._shell.dispatch(model.LifeWorn(process.life, verdict.reason, start_bytes))
            return
        # what it is doing goes to the log before it is told to leave: by itself, or on a signal if it cannot
        process.send(messages.DumpStacks(process.life))
        if verdict.verdict in (Verdict.STALLED, Verdict.STUCK):
            if not verdict.serves:  # one that serves can tell by itself, and what C writes could crash it
                process.dump_stacks()
            graceful = verdict.verdict is Verdict.STUCK
            told = model.LifeStalled(process.life, verdict.reason, verdict.detail, graceful, verdict.serves)
            self._shell.dispatch(told)
        else:
            self._shell.dispatch(model.LifeOverdue(process.life, verdict.reason, verdict.detail))

    def _still_interrupted(self, life: int, snapshot: board.Snapshot) -> dict[int, float]:
        """Forget the requests that have ended; since when the others were to be interrupted, by thread; monotonic."""
        before = self._interrupted.get(life)
        if not before:
            return {}
        there = {key: since for key, since in before.items() if snapshot.busy.get(key[0]) == key[1]}
        self._interrupted[life] = there
        return {thread: since for (thread, _word), since in there.items()}

    def _interrupt(self, process: Process, snapshot: board.Snapshot, verdict: Judgement) -> None:
        """Ask the daemon each time: it may not be able to at once, and raises in a request but once."""
        known = self._interrupted.setdefault(process.life, {})
        fresh_s = []
        for request in verdict.requests:
            since_ns = snapshot.busy[request.thread]
            if (request.thread, since_ns) not in known:
                known[request.thread, since_ns] = time.monotonic()
                fresh_s.append(request.age_s)
            if not process.behind:  # it would only get the same again and again
                process.send(messages.Interrupt(process.life, request.thread, since_ns))
        if fresh_s:  # one line, however many a tenant makes up
            where = f"{process.info['group']}/{process.info['slot']} life={process.life}"
            ages = f"{len(fresh_s)} of up to {max(fresh_s):.1f} s"
            text = f"{where}: request-timeout, {verdict.detail}: interrupts {ages}"
            self._shell.quotas.log(process.group, "warning", text)


def damage_of(snapshot: board.Snapshot | None, threads: int) -> str:
    """Return what is wrong with a board: what no daemon of ours writes; "" if nothing is."""
    if snapshot is None:
        return "its board is overwritten"
    if snapshot["threads"] != threads:
        return f"its board says that it has {snapshot['threads']} threads"
    if snapshot["state"] not in board.STATE.values():
        return f"its board says that it is in state {snapshot['state']}"
    latest_ns = time.monotonic_ns() + int(AHEAD_S * 1e9)
    for name in ("heartbeat_ns", "last_activity_ns", "loading_since_ns"):
        if snapshot[name] > latest_ns:
            return f"its board has a time that is still to come: {name}"
    if any(word > latest_ns for word in snapshot.busy.values()):
        return "its board has a request that is still to come"
    return ""


def vitals(
    snapshot: board.Snapshot,
    age_s: float,
    rss_bytes: int,
    interrupted: Mapping[int, float] = MappingProxyType({}),
    damage: str = "",
) -> Vitals:
    """Turn a board into ages; a time that was never written began when the process was ready.

    interrupted: since when requests were to be interrupted, by thread; seconds on the monotonic clock.
    """
    now_ns = time.monotonic_ns()

    def ago_s(then_ns: int) -> float:
        return max(0, now_ns - then_ns) / 1e9

    return Vitals(
        age_s=age_s,
        heartbeat_age_s=ago_s(snapshot["heartbeat_ns"]) if snapshot["heartbeat_ns"] else age_s,
        requests=[
            Underway(ago_s(word), thread, now_ns / 1e9 - interrupted[thread] if thread in interrupted else None)
            for thread, word in snapshot.busy.items()
        ],
        requests_started=snapshot["started_total"],
        requests_active=snapshot["requests_active"],
        idle_s=ago_s(snapshot["last_activity_ns"]) if snapshot["last_activity_ns"] else age_s,
        rss_bytes=rss_bytes,
        loading_s=ago_s(snapshot["loading_since_ns"]) if snapshot["loading_since_ns"] else 0.0,
        damage=damage,
        wish=reason if (reason := board.REASON_NAME.get(snapshot["reason"], "")) in WISHES else "",
    )
