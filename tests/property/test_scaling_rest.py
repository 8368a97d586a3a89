"""Looks left out at silent groups change nothing: two managers see the same boards, one of them leaves out none."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.targets import small_spec, small_target

from wsgigroups.lifecycle.step import Record
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model
from wsgigroups.manager.supervision import group_load, memory, scaler
from wsgigroups.manager.supervision.scaler import Scaler
from wsgigroups.plan.scaling import LOOK_S, Cores, ScalingTarget
from wsgigroups.plan.scaling_rest import REST_S
from wsgigroups.runtime.wire import board
from wsgigroups.runtime.wire.spec import Serving

THREADS, PROCESSES = 2, 8
GROUPS = ("blog", "shop")
LIMITS = ScalingTarget(1, PROCESSES, scale_down_delay_s=3600.0, reserve_percent=0)
# what one process does from one look to the next: requests that are taken, for how long each had a thread and had
# waited, how many wait, whether a thread is busy; and then so many silent looks
Doing = tuple[int, float, float, int, bool, int]
doings = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.sampled_from([0.0, 0.05, 0.2]),
        st.sampled_from([0.0, 0.3]),
        st.integers(0, 12),
        st.booleans(),
        st.sampled_from([0, 1, 5, 12, 30]),
    ),
    max_size=12,
)


class Boards:
    """Of all processes that the groups may ever have."""

    def __init__(self) -> None:
        self.fds = {(name, slot): board.create(THREADS, "test") for name in GROUPS for slot in range(1, PROCESSES + 1)}
        self.totals = dict.fromkeys(self.fds, (0, 0, 0))

    def write(self, key: tuple[str, int], doing: Doing | None, now: float) -> None:
        taken, takes_s, waited_s, queued, busy, _rest = doing or (0, 0.0, 0.0, 0, False, 0)
        started, application_ns, queue_ns = self.totals[key]
        began = started + taken
        application_ns += int(taken * takes_s * 1e9)
        queue_ns += int(taken * waited_s * 1e9)
        self.totals[key] = began, application_ns, queue_ns
        for index, number in (
            (board.WORD["started_total"], began),
            (board.WORD["application_time_ns"], application_ns),
            (board.WORD["queue_time_ns"], queue_ns),
            (board.WORD["requests_queued"], queued),
            (board.BUSY_WORD, int(now * 1e9) if busy else 0),
        ):
            os.pwrite(self.fds[key], number.to_bytes(8, "little"), 8 * index)

    def read(self, key: tuple[str, int]) -> board.Snapshot:
        return board.read(self.fds[key], THREADS)

    def close(self) -> None:
        for fd in self.fds.values():
            os.close(fd)


class Looker:
    """A manager's looks; what they ask for is there at once."""

    def __init__(self, boards: Boards, limits: ScalingTarget, first: int = 1) -> None:
        self.now = 100.0
        self.told: list[tuple[float, model.Event]] = []
        self.reads = 0
        self.boards = boards
        spec = small_spec(serving=Serving(threads=THREADS))
        self.groups: dict[str, model.GroupState] = {}
        self.processes: dict[int, Any] = {}
        for name in GROUPS:
            self.groups[name] = model.GroupState(small_target(name=name, spec=spec, scaling=limits, processes=first))
            self.has(name, first)
        machine: Any = SimpleNamespace(
            cores=lambda _now: Cores(8, 8), capacity=lambda _now: SimpleNamespace(memory_bytes=1 << 40),
            pressure=lambda: 0.0,
        )  # fmt: skip
        listeners: Any = SimpleNamespace(of=lambda _group: {})
        self.scaler = Scaler(
            *(lambda: model.State(groups={**self.groups}), self.processes, listeners, self.tell),
            machine=machine,
            clock=lambda: self.now,
        )

    def has(self, name: str, processes: int) -> None:
        first = 100 * GROUPS.index(name)
        records = []
        for slot in range(1, processes + 1):
            life = first + slot
            records.append(Record(name, slot, life, "f", state=Tenancy.READY, pid=life))
            self.processes[life] = SimpleNamespace(
                pid=life, exited=False, board_fd=self.boards.fds[name, slot], info={"threads": THREADS},
                snapshot=partial(self.read, (name, slot)),
            )  # fmt: skip
        self.groups[name] = replace(self.groups[name], records=tuple(records), automatic=processes)

    def read(self, key: tuple[str, int]) -> board.Snapshot:
        self.reads += 1
        return self.boards.read(key)

    def tell(self, event: model.Event) -> None:
        assert isinstance(event, model.Scaled)
        self.told.append((self.now, event))
        self.has(event.group, event.processes)

    def look(self) -> None:
        self.now += LOOK_S
        self.scaler.look()


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "left", lambda: 1 << 40)
    monkeypatch.setattr(scaler, "pss_of", lambda _pid: 1 << 20)
    monkeypatch.setattr(group_load, "cpu_of", lambda _pid: 0.0)


def never(_memory: object, _limits: object, _look: object, _want: object, now: float) -> float:
    """No group rests."""
    return now


def run(load: dict[str, list[Doing]], limits: ScalingTarget, first: int, tail: int, *, rests: bool) -> Looker:
    """Look at a load, and then so many times more."""
    boards = Boards()
    with pytest.MonkeyPatch.context() as patch:
        if not rests:
            patch.setattr(scaler, "rests_until", never)
        looker = Looker(boards, limits, first)
        plans = {name: [*_spread(doings), *[None] * tail] for name, doings in load.items()}
        for turn in range(max(map(len, plans.values()))):
            for name, slot in boards.fds:
                plan = plans[name]
                boards.write((name, slot), plan[turn] if turn < len(plan) else None, looker.now + LOOK_S / 2)
            looker.look()
    boards.close()
    return looker


def _spread(doings: list[Doing]) -> list[Doing | None]:
    found: list[Doing | None] = []
    for doing in doings:
        found += [doing, *[None] * doing[-1]]
    return found


@settings(deadline=None, max_examples=30)
@given(st.fixed_dictionaries(dict.fromkeys(GROUPS, doings)))
def test_processes_come_at_the_same_moments_and_for_the_same_reasons(load: dict[str, list[Doing]]) -> None:
    rested, eager = (run(load, LIMITS, 1, 20, rests=rests) for rests in (True, False))
    assert rested.told == eager.told
    assert {name: group.wanted for name, group in rested.groups.items()} == {
        name: group.wanted for name, group in eager.groups.items()
    }
    assert rested.reads <= eager.reads


def test_nobody_looks_at_what_is_silent_and_what_is_not_needed_goes_a_little_later() -> None:
    limits = replace(LIMITS, scale_down_delay_s=10.0)
    load: dict[str, list[Doing]] = {"blog": [], "shop": []}
    rested, eager = (run(load, limits, 3, 200, rests=rests) for rests in (True, False))
    assert [event for _at, event in rested.told] == [event for _at, event in eager.told]
    assert len(eager.told) == 4
    assert all(0 <= late - at <= REST_S for (late, _), (at, _) in zip(rested.told, eager.told, strict=True))
    assert rested.reads < eager.reads / 3


def test_a_silent_group_falls_asleep_in_time() -> None:
    limits = replace(LIMITS, minimum=0, sleep_after_s=7.0)
    load: dict[str, list[Doing]] = {"blog": [(1, 0.05, 0.0, 0, False, 0)], "shop": []}
    rested, eager = (run(load, limits, 1, 40, rests=rests) for rests in (True, False))
    assert rested.told == eager.told
    assert [event.processes for _at, event in rested.told if isinstance(event, model.Scaled)] == [0, 0]
