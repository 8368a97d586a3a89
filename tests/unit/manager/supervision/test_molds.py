"""Which mold a process comes from, and which ones are needed still."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from support.targets import small_spec, small_target

from wsgigroups.lifecycle.step import Record
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model
from wsgigroups.manager.core.changes import Proved
from wsgigroups.manager.supervision.molds import Molds, kind_of
from wsgigroups.plan.desired import GroupTarget
from wsgigroups.runtime.wire import messages
from wsgigroups.runtime.wire.spec import Identity

HUNG_S = 10.0
TARGET = small_target(spec=small_spec(preload="app"), code={"app": "1"})
NEW = replace(TARGET, fingerprint="new")
READY, STARTING, SPAWNING = Tenancy.READY, Tenancy.STARTING, Tenancy.SPAWNING


def record(life: int, state: Tenancy = READY, fingerprint: str = "f") -> Record:
    return Record("blog", life, life, fingerprint, state, ready_at=0.0 if state is READY else None)


class FakeSpawner:
    """Notes what is dropped."""

    key = "k"
    pid = os.getppid()

    def __init__(self) -> None:
        self.dropped: list[str] = []

    def send(self, message: messages.Message, _fds: Sequence[int] = ()) -> None:
        assert isinstance(message, messages.Drop)
        assert message.kind == "mold"
        self.dropped.append(message.key)


class Bench:
    """Molds of one group. The processes of it are told as life → mold."""

    def __init__(self, **group: Any) -> None:
        self.group = model.GroupState(TARGET, **group)
        self.processes: dict[int, Any] = {}
        self.spawner: Any = FakeSpawner()
        self.entered: list[tuple[str, int]] = []  # group, and number in the place of a life
        self.ended: list[int] = []
        self.told: list[model.Event] = []
        self.logged: list[str] = []
        self.event = asyncio.Event()
        self.waits: asyncio.Queue[None] = asyncio.Queue()  # one for each time that a life begins to wait
        pool: Any = SimpleNamespace(ready=lambda _key: self.spawner, user=lambda _key: None)
        remains: Any = SimpleNamespace(
            enter_mold=lambda number, group, _pid, _pidfd, _uid: self.entered.append((group, number)),
            mold_ended=self.ended.append,
        )
        self.molds = Molds(
            *(pool, remains, self.processes, self.state, self.told.append),
            *(lambda _level, text: self.logged.append(text), self._changed),
        )
        self.molds.open()

    def _changed(self) -> asyncio.Event:
        self.waits.put_nowait(None)
        return self.event

    async def wait(self, lives: int) -> None:
        """Until so many lives have begun to wait, or do again."""
        for _life in range(lives):
            await self.waits.get()

    def state(self) -> model.State:
        return model.State({"blog": self.group}, next_life=100)

    def has(self, *records: Record, **group: Any) -> None:
        """Say what the group is now."""
        self.group = replace(self.group, records=records, **group)
        self.event.set()
        self.event = asyncio.Event()

    def came(self, life: int, target: GroupTarget = TARGET, **info: Any) -> None:
        """A mold is there; it is this test's own process."""
        about = {"group": "blog", "mold_kind": kind_of(target), **info}
        self.molds.came(self.spawner, messages.Molded(str(life), os.getpid(), about))

    def comes_from(self, life: int, mold: int) -> None:
        self.processes[life] = SimpleNamespace(info={"mold": str(mold)}, pid=life, group="blog")

    def which(self, life: int) -> asyncio.Task[str | None]:
        return asyncio.ensure_future(self.molds.which(record(life, SPAWNING), self.group.target, "k"))

    def looked(self) -> list[str]:
        """What is dropped after a look."""
        self.molds._look()
        return sorted(self.spawner.dropped)


def run(test: Callable[[], Any]) -> None:
    asyncio.run(asyncio.wait_for(test(), HUNG_S))


def test_first_one_founds_a_mold_and_the_others_wait_for_it() -> None:
    async def test() -> None:
        bench = Bench(records=(record(1, SPAWNING), record(2, SPAWNING), record(3, SPAWNING)))
        assert await bench.which(1) == "1"
        second, third = bench.which(2), bench.which(3)
        await bench.wait(2)
        bench.has(record(1, STARTING), record(2, SPAWNING), record(3, SPAWNING))
        await bench.wait(2)
        assert not second.done()
        bench.came(1)
        bench.has(*bench.group.records)
        assert (await second, await third) == ("1", "1")
        assert bench.entered == [("blog", -1)]

    run(test)


@pytest.mark.parametrize(("parent", "uid"), [(os.getpid(), os.geteuid()), (os.getppid(), os.geteuid() + 1)])
def test_process_that_has_the_number_of_a_mold_by_now_is_none(parent: int, uid: int) -> None:
    """It was put into the mold's cgroup, and killed with it."""

    async def test() -> None:
        bench = Bench(records=(record(1, READY),))
        bench.spawner.pid = parent
        bench.group = replace(
            bench.group, target=replace(TARGET, spec=replace(TARGET.spec, identity=Identity(uid, uid, ())))
        )
        bench.came(1)
        assert (bench.entered, bench.molds.of("blog"), bench.spawner.dropped) == ([], [], ["1"])

    run(test)


def test_next_one_founds_a_mold_where_the_first_does_not_come_up() -> None:
    async def test() -> None:
        bench = Bench(records=(record(1, SPAWNING), record(2, SPAWNING), record(3, SPAWNING)))
        assert await bench.which(1) == "1"
        second, third = bench.which(2), bench.which(3)
        await bench.wait(2)
        bench.has(record(1, Tenancy.COOLING), record(2, SPAWNING), record(3, SPAWNING))
        assert await second == "2"
        await bench.wait(1)
        assert not third.done()
        bench.has(record(2, SPAWNING), record(3, Tenancy.KILLING))
        assert await third is None, "nobody wants it any more"

    run(test)


def test_group_without_preload_comes_from_none() -> None:
    async def test() -> None:
        bench = Bench(records=(record(1, SPAWNING),))
        assert await bench.molds.which(record(1, SPAWNING), small_target(), "k") == ""

    run(test)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "5"),
        ({"restart_before": 6}, "7"),
        ({"target": NEW}, "7"),
        ({"target": replace(TARGET, code={"app": "2"})}, "7"),
        ({"target": replace(TARGET, spec=replace(TARGET.spec, rlimits={"DATA": (1, 1)}))}, "7"),
        ({"target": replace(TARGET, spec=replace(TARGET.spec, cpu_priority=3))}, "7"),
        ({"target": replace(TARGET, spec=replace(TARGET.spec, graceful_timeout_s=3.0))}, "5"),
    ],
    ids=["same", "restart", "options", "code", "limits", "priority", "what is told to processes"],
)
def test_mold_is_used_for_as_long_as_it_has_what_a_process_would_get(changes: dict[str, Any], expected: str) -> None:
    async def test() -> None:
        bench = Bench(records=(record(5), record(7, SPAWNING)))
        bench.came(5)
        bench.has(*bench.group.records, **changes)
        assert await bench.which(7) == expected

    run(test)


@pytest.mark.parametrize(
    ("changes", "molds", "dropped"),
    [
        ({}, [TARGET], []),
        ({"stopped": True}, [TARGET], ["5"]),
        ({"removing": True}, [TARGET], ["5"]),
        ({"restart_before": 6}, [TARGET], ["5"]),
        ({"target": NEW}, [TARGET], ["5"]),
        ({"target": small_target()}, [TARGET], ["5"]),
        ({}, [TARGET, TARGET], ["5"]),
        ({"target": NEW, "proved": Proved(TARGET, None)}, [TARGET, NEW], []),
    ],
    ids=["used", "stopped", "removed", "restart", "other options", "without preload", "a newer one", "to return to"],
)
def test_molds_that_nothing_comes_from_are_ended(
    changes: dict[str, Any], molds: list[GroupTarget], dropped: list[str]
) -> None:
    async def test() -> None:
        bench = Bench(records=())
        for number, target in enumerate(molds):
            bench.came(5 + number, target)
        bench.has(**changes)
        assert bench.looked() == dropped
        assert bench.ended == [-int(name) for name in dropped]

    run(test)


def test_mold_of_a_restart_that_was_given_up_is_ended() -> None:
    async def test() -> None:
        bench = Bench(records=(record(1), record(5, STARTING)))
        bench.comes_from(1, 1)
        bench.comes_from(5, 5)
        bench.came(5)
        assert bench.looked() == []
        bench.has(record(1))
        assert bench.looked() == ["5"]

    run(test)


@pytest.mark.parametrize("name", ["", "0", "100", "-1", "²", "9" * 19, "x"])
def test_name_that_no_mold_can_have_is_not_believed(name: str) -> None:
    async def test() -> None:
        bench = Bench(records=())
        bench.molds.came(bench.spawner, messages.Molded(name, os.getpid(), {"group": "blog"}))
        bench.molds.gone(bench.spawner, messages.Unmolded(name, "x"))
        assert bench.spawner.dropped == [name]
        assert bench.molds.of("blog") == []

    run(test)


def test_what_comes_before_groups_are_known_is_looked_at_then() -> None:
    async def test() -> None:
        bench = Bench(records=())
        bench.molds._early = []
        groups, bench.group = bench.group, replace(bench.group, target=small_target("other"))
        bench.came(5)
        bench.group = groups
        assert bench.spawner.dropped == []
        bench.molds.open()
        assert [mold.name for mold in bench.molds.of("blog")] == ["5"]
        bench.molds.gone(bench.spawner, messages.Unmolded("5", ""))
        assert bench.molds.of("blog") == []
        assert bench.logged == [f"blog: its mold (pid {os.getpid()}) is gone; the next process makes another"]

    run(test)


def test_mold_that_does_not_fork_in_time_is_ended() -> None:
    async def test() -> None:
        bench = Bench(records=(record(7, SPAWNING),))
        bench.came(5)
        bench.comes_from(7, 5)
        bench.molds.no_answer(7, "5", bench.spawner)
        assert bench.spawner.dropped == [], "it has forked"
        bench.processes[7].pid = 0
        bench.molds.no_answer(7, "5", bench.spawner)
        assert bench.spawner.dropped == ["5"]

    run(test)
