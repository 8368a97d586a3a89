"""The looks of the manager: what they ask the machine, what they tell the core, and that they are none where off."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from support.targets import small_target

from wsgigroups.lifecycle.step import Record
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model
from wsgigroups.manager.supervision import memory, scaler
from wsgigroups.manager.supervision.scaler import Scaler
from wsgigroups.plan.scaling import HURRY_S, LOOK_S, Cores, ScalingTarget

MIB = 1 << 20
FOLLOWS = ScalingTarget(1, 8, reserve_percent=0)


class Board(dict[str, int]):
    """What a board says of a process that does nothing, before which requests wait."""

    def __init__(self, queued: int) -> None:
        super().__init__(requests_queued=queued, application_time_ns=0, queue_time_ns=0, started_total=0)
        self.busy: dict[int, int] = {}


class Looking:
    """A scaler with groups whose boards say what the test says. A process has 100 MiB."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.groups: dict[str, model.GroupState] = {}
        self.queued: dict[int, int] = {}
        self.processes: dict[int, Any] = {}
        self.left, self.now = 10_000 * MIB, 100.0
        self.told: list[model.Event] = []
        self.asked: list[str] = []
        self.boards: set[str] = set()  # groups whose boards were read
        machine: Any = SimpleNamespace(
            cores=self.cores, capacity=lambda _now: SimpleNamespace(memory_bytes=10_000 * MIB), pressure=lambda: 0.0
        )
        listeners: Any = SimpleNamespace(of=lambda _group: {})
        self.scaler = Scaler(
            *(lambda: model.State(groups={**self.groups}), self.processes, listeners, self.told.append),
            machine=machine,
            clock=lambda: self.now,
        )
        monkeypatch.setattr(memory, "left", lambda: self.left)
        monkeypatch.setattr(scaler, "pss_of", lambda _pid: 100 * MIB)

    def cores(self, _now: float) -> Cores:
        self.asked.append("processors")
        return Cores(8, 8)

    def has(self, name: str, *states: Tenancy, scaling: ScalingTarget | None = FOLLOWS) -> None:
        """Have a group with processes in these states, as many as it is to have."""
        first = 100 * (1 + sorted({*self.groups, name}).index(name))
        records = tuple(
            Record(name, slot, first + slot, "f", state=state, pid=first + slot) for slot, state in enumerate(states, 1)
        )
        for record in records:
            self.processes[record.life] = SimpleNamespace(
                pid=record.pid,
                exited=False,
                snapshot=partial(self.board, record.life),
                board_fd=-1,
                info={"threads": 1},
            )
        target = small_target(name=name, scaling=scaling, processes=len(states))
        self.groups[name] = model.GroupState(target, records, automatic=len(states))

    def board(self, life: int) -> Board:
        self.boards.add(sorted(self.groups)[life // 100 - 1])
        return Board(self.queued.get(life, 0))

    def look(self, times: int = 3) -> list[model.Event]:
        """What the core is told within so many looks."""
        del self.told[:]
        for _ in range(times):
            self.now += LOOK_S
            self.scaler.look()
        return list(self.told)

    def became_ready(self, name: str) -> list[model.Event]:
        """What the core is told because a process of this group is ready, a moment after the last look."""
        del self.told[:]
        self.now += LOOK_S / 5

        async def run() -> None:
            self.scaler.became_ready(name)
            looked = asyncio.Event()
            asyncio.get_running_loop().call_soon(looked.set)
            await looked.wait()

        asyncio.run(run())
        return list(self.told)


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch) -> Looking:
    return Looking(monkeypatch)


def test_a_fixed_number_is_never_looked_at(looking: Looking) -> None:
    looking.has("blog", Tenancy.READY, scaling=None)
    looking.queued[101] = 50
    assert looking.look() == []
    assert looking.asked == []
    assert looking.scaler.want("blog") is None
    assert looking.scaler.delay_s("blog") is None


def test_requests_that_wait_are_told_as_a_number_with_its_reason(looking: Looking) -> None:
    looking.has("blog", Tenancy.READY)
    looking.queued[101] = 50
    told = looking.look(times=3)[0]
    assert isinstance(told, model.Scaled)
    assert (told.group, told.processes) == ("blog", 2)
    assert told.reason.startswith("requests wait")
    want = looking.scaler.want("blog")
    assert want
    assert want.processes == 2


def test_what_has_grown_is_looked_at_once_more_between_two_looks_at_everybody(looking: Looking) -> None:
    looking.has("blog", Tenancy.READY)
    looking.has("shop", Tenancy.READY)
    looking.queued[101] = 50
    looked = []
    for _turn in range(8):
        looking.now += HURRY_S
        looking.boards.clear()
        looking.scaler.next_look()
        looked.append(sorted(looking.boards))
        for event in looking.told[-1:]:
            assert isinstance(event, model.Scaled)
            looking.has("blog", *[Tenancy.READY] * event.processes)
    everybody = ["blog", "shop"]
    assert looked == [everybody, everybody, everybody, ["blog"], everybody, ["blog"], everybody, everybody]
    assert [event.processes for event in looking.told if isinstance(event, model.Scaled)] == [2, 4, 8]


@pytest.mark.parametrize("at_once", [True, False])
def test_memory_that_processes_on_their_way_up_will_take_is_given_to_nobody_else(
    looking: Looking, *, at_once: bool
) -> None:
    looking.has("first", Tenancy.READY)
    looking.has("second", Tenancy.READY)
    looking.queued = {101: 50, 201: 5}
    looking.left = 250 * MIB  # two of 120 MiB
    numbers = {event.group: event.processes for event in looking.look(times=3) if isinstance(event, model.Scaled)}
    assert numbers == {"first": 2, "second": 2}
    looking.has("first", Tenancy.READY, Tenancy.STARTING)
    looking.left = 200 * MIB  # one of them, and it is the one that starts
    assert (looking.became_ready("second") if at_once else looking.look()) == []
    want = looking.scaler.want("second")
    assert want
    assert want.held == "no memory for more beside memory-reserve"


def test_what_is_pinned_or_stopped_has_no_law(looking: Looking) -> None:
    looking.has("blog", Tenancy.READY)
    looking.queued[101] = 50
    looking.look(times=1)
    looking.groups["blog"] = replace(looking.groups["blog"], processes_override=1)
    assert looking.look() == []
    assert looking.scaler.want("blog") is None
    looking.groups["blog"] = replace(looking.groups["blog"], processes_override=None, stopped=True)
    assert looking.look() == []
