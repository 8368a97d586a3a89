"""What a group's processes did since the last look: read from their boards and /proc, for the law of scaling.

Runs in the manager's only thread. What a board says is a tenant's word about itself: it is bounded by what is possible,
and can come to no more than processes up to the group's own processes-max.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.supervision.vitals import cpu_of
from wsgigroups.plan.rollout import LEAVING
from wsgigroups.plan.scaling import LoadSeen
from wsgigroups.runtime.wire.board import BUSY_WORD, MAXIMUM_THREADS, WORD

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from wsgigroups.lifecycle.step import Record
    from wsgigroups.manager.core.model import GroupState
    from wsgigroups.manager.supervision.processes import Process
    from wsgigroups.runtime.wire.board import Snapshot

MOST_QUEUED = 4096  # of a process
MOST_TAKEN_PER_S = 10**6
PATIENCE_S = 30.0  # for a moment in which the process that is to go has no request
PART_OF_SHUTDOWN = 0.25  # of shutdown-timeout: requests that are no older end well within it
_FIRST, _END = WORD["queue_time_ns"], WORD["started_total"] + 1  # all words of requests, and some more
_IDLE = bytes(8 * MAXIMUM_THREADS)
BEGINNING = frozenset({Tenancy.SPAWNING, Tenancy.STARTING})


@dataclass(frozen=True, slots=True)
class _Counts:
    """Of one process, from its start on."""

    busy_ns: int
    waited_ns: int
    taken: int
    cpu_s: float


class GroupLoad:
    """By life what was counted at the last look; by group when that was. Monotonic seconds."""

    def __init__(self) -> None:
        self._counts: dict[int, _Counts] = {}
        self._words: dict[int, bytes] = {}  # by life, of a board, when it was last looked whether it is silent
        self._looked_at: dict[str, float] = {}
        self._busy_since: dict[int, float] = {}  # a life that is to go, which always has a request

    def look(self, group: GroupState, processes: Mapping[int, Process], now: float) -> LoadSeen:
        """Return what was found, and remember it."""
        name, threads = group.target.name, group.target.spec.serving.threads
        passed_s = max(0.0, now - self._looked_at.get(name, now))
        self._looked_at[name] = now
        busy_ns = waited_ns = taken = queued = 0
        cpu_s = 0.0
        last: tuple[Record, Snapshot] | None = None
        for record in group.records:
            process = processes.get(record.life)
            snapshot = process.snapshot() if process and record.state is Tenancy.READY and not process.exited else None
            if process is None or snapshot is None:
                continue
            counts = _counted(snapshot, cpu_of(process.pid), int(now * 1e9))
            before = self._counts.get(record.life, counts)
            self._counts[record.life] = counts
            busy_ns += _bounded(counts.busy_ns - before.busy_ns, passed_s * 1e9 * threads)
            more = _bounded(counts.taken - before.taken, passed_s * MOST_TAKEN_PER_S)
            taken += more
            waited_ns += _bounded(counts.waited_ns - before.waited_ns, more * 3600e9)
            cpu_s += max(0.0, counts.cpu_s - before.cpu_s)
            queued += _bounded(snapshot["requests_queued"], MOST_QUEUED)
            if last is None or record.slot >= last[0].slot:
                last = record, snapshot
        states = [record.state for record in group.records]
        return LoadSeen(
            *(group.wanted, states.count(Tenancy.READY), threads, passed_s, busy_ns / 1e9, cpu_s, taken),
            *(waited_ns / 1e9, queued),
            starting=sum(state in BEGINNING for state in states),
            leaving=sum(state in LEAVING for state in states),
            rolling=group.rolling or any(group.outdated(record) for record in group.records),
            victim=last is not None and self._may_go(*last, group.target.spec.shutdown_timeout_s, now),
        )

    def is_silent(self, group: GroupState, processes: Mapping[int, Process]) -> bool:
        """Whether no process has a request, and boards say what they said when this was last asked."""
        silent = True
        for record in group.records:
            process = processes.get(record.life)
            words = _words_of(process) if process and not process.exited else b""
            if not words or self._words.get(record.life) != words:
                self._words[record.life] = words
                silent = False
        return silent

    def left_out(self, name: str, now: float) -> None:
        """Count a look at a silent group that was left out: the next one is about the time since."""
        self._looked_at[name] = now

    def keep(self, names: Collection[str], lives: Collection[int]) -> None:
        """Forget all others."""
        for name in self._looked_at.keys() - names:
            del self._looked_at[name]
        for known in (self._counts, self._busy_since, self._words):
            for life in known.keys() - lives:
                del known[life]

    def _may_go(self, record: Record, snapshot: Snapshot, shutdown_s: float, now: float) -> bool:
        """Whether a process has no request, or, where it always has some, only such as end within shutdown-timeout."""
        if not snapshot.busy and not snapshot["requests_queued"]:
            self._busy_since.pop(record.life, None)
            return True
        since = self._busy_since.setdefault(record.life, now)
        if now - since < PATIENCE_S:
            return False
        oldest_s = now - min(snapshot.busy.values(), default=int(now * 1e9)) / 1e9
        return shutdown_s <= 0 or oldest_s <= shutdown_s * PART_OF_SHUTDOWN


def _words_of(process: Process) -> bytes:
    """Words of a board as they are; nothing where a thread is busy, or there is no such board."""
    threads = int(process.info["threads"])
    try:
        raw = os.pread(process.board_fd, 8 * (BUSY_WORD + threads - _FIRST), 8 * _FIRST)
    except OSError:
        return b""
    busy = raw[8 * (BUSY_WORD - _FIRST) :]
    return raw[: 8 * (_END - _FIRST)] if busy == _IDLE[: 8 * threads] else b""


def _counted(snapshot: Snapshot, cpu_s: float, now_ns: int) -> _Counts:
    """What runs counts up to now, what has ended with the time that it took."""
    running_ns = sum(max(0, now_ns - since) for since in snapshot.busy.values())
    busy_ns = snapshot["application_time_ns"] + running_ns
    return _Counts(busy_ns, snapshot["queue_time_ns"], snapshot["started_total"], cpu_s)


def _bounded(number: int, most: float) -> int:
    return max(0, min(number, int(most)))
