"""What the core is told of replacements: memory for further processes, answers of new and old ones."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.targets import small_target

from wsgigroups.lifecycle.step import Record
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model
from wsgigroups.manager.core.model import Proved
from wsgigroups.manager.supervision import memory, rolling
from wsgigroups.plan.desired import CgroupTarget
from wsgigroups.runtime.wire.board import WORD, Snapshot

MIB = 1 << 20


@pytest.fixture
def large() -> Iterator[int]:
    """A process of 64 MiB that nobody shares."""
    text = "import sys; held = bytearray(b'x') * (64 << 20); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        child.stdout.readline()
        yield child.pid
        assert child.stdin
        child.stdin.close()


def group(pid: int, **changes: Any) -> model.GroupState:
    return model.GroupState(small_target(**changes), (Record("blog", 1, 1, "f", Tenancy.READY, pid=pid),))


def test_there_is_room_for_as_many_as_the_largest_fits(large: int) -> None:
    size = memory.own_bytes(large)
    assert 64 * MIB <= size < 96 * MIB
    assert memory.room(group(large), 3 * size + 1) == 3
    assert memory.room(group(large), size - 1) == 0
    assert memory.room(group(large), -1) == 0
    assert memory.room(group(large), None) is None
    assert memory.room(group(os.getpid()), 1 << 50) is not None


def test_a_limit_of_the_group_counts_with_what_it_uses(large: int) -> None:
    limited = group(large, cgroup=CgroupTarget(memory_max_bytes=180 * MIB))
    assert memory.room(limited, 1 << 40) == 1
    assert memory.room(limited, None) == 1


def test_without_a_process_nothing_is_known() -> None:
    assert memory.room(model.GroupState(small_target()), 0) is None
    assert memory.own_bytes(2**22 + 1) == 0


def test_the_least_that_is_left_anywhere_counts(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9 kB\nMemAvailable:   4096 kB\n")
    inner, outer = tmp_path / "outer" / "inner", tmp_path / "outer"
    inner.mkdir(parents=True)
    (inner / "memory.max").write_text("max\n")
    for name, text in (("max", "3145728"), ("current", "2097152"), ("stat", "anon 1\ninactive_file 524288\n")):
        (outer / f"memory.{name}").write_text(text)
    assert memory.left(meminfo, []) == 4 * MIB
    assert memory.left(meminfo, [inner]) == 4 * MIB
    assert memory.left(meminfo, [inner, outer]) == MIB + MIB // 2
    assert memory.left(tmp_path / "absent", []) is None
    meminfo.write_text("MemAvailable: much\n")
    assert memory.left(meminfo, [tmp_path]) is None


def test_this_machine_has_some_left() -> None:
    left = memory.left()
    assert left is None or left > 0


def process(requests: int, errors: int) -> Any:
    words = {**dict.fromkeys(WORD, 0), "requests_total": requests, "status_5xx": errors}
    return SimpleNamespace(snapshot=lambda: Snapshot(words, {}))


def test_answers_of_new_and_old_processes_are_added_up() -> None:
    records = tuple(Record("blog", life, life, "f" if life > 2 else "old", Tenancy.READY) for life in (1, 2, 3, 4))
    under_way = model.GroupState(
        small_target(processes=4), records, proved=Proved(small_target(fingerprint="old")), watched=True
    )
    told: list[model.Event] = []
    shell: Any = SimpleNamespace(
        state=model.State({"blog": under_way}),
        processes={1: process(10, 1), 2: process(20, 2), 3: process(5, 9), 4: SimpleNamespace(snapshot=lambda: None)},
        dispatch=told.append,
    )
    assert rolling.look(shell)
    # more errors than requests is a board that is not written at one time, or a tenant's
    assert told[0] == model.RolloutCounted("blog", model.Answers(5, 5), model.Answers(30, 3))
    told.clear()
    shell.state = model.State({"blog": model.GroupState(small_target())})
    assert not rolling.look(shell)
    assert told == []


def test_the_answers_are_counted_when_new_processes_have_lasted() -> None:
    """At that moment the others would follow: a second later they have."""
    records = tuple(Record("blog", life, life, "f" if life > 2 else "old", Tenancy.READY) for life in (1, 2, 3))
    proved = Proved(small_target(fingerprint="old"))
    under_way = model.GroupState(small_target(processes=2), records, proved=proved, watched=True, look_at=5.0)
    processes = {1: process(10, 1), 2: process(20, 2), 3: process(4, 4)}
    state = model.State({"blog": under_way, "other": replace(under_way, watched=False)})
    counted = model.RolloutCounted("blog", model.Answers(4, 4), model.Answers(30, 3))
    assert rolling.due(state, processes, model.Tick(), 5.0) == [counted]
    assert rolling.due(state, processes, model.Tick(), 4.9) == []
    assert rolling.due(state, processes, model.LifeLetGo(1), 5.0) == []


def test_what_replaces_processes_is_preceded_by_the_room_for_them(monkeypatch: pytest.MonkeyPatch, large: int) -> None:
    monkeypatch.setattr(memory, "left", lambda: 10 * memory.own_bytes(large) + 1)
    state = model.State({"blog": group(large)})
    room = [model.RoomFound("blog", 10)]
    event: model.Event
    for event in (
        model.Restart(("blog",)),
        model.Reload(("blog",)),
        model.ScriptChanged(1),
        model.LifeWorn(1, "maximum-requests"),
        model.Apply({"blog": small_target(fingerprint="new")}, 2),
    ):
        assert rolling.before(state, event, 0.0) == room, event
    for event in (
        model.ScriptChanged(2),
        model.Apply({"blog": small_target()}, 2),
        model.Stop(("blog",)),
        model.Tick(),
    ):
        assert rolling.before(state, event, 0.0) == [], event


def test_a_successor_whose_wait_is_over_is_preceded_by_it_too(monkeypatch: pytest.MonkeyPatch, large: int) -> None:
    monkeypatch.setattr(memory, "left", lambda: memory.own_bytes(large) // 2)
    served = group(large)
    cooling = Record("blog", 1, 2, "f", Tenancy.COOLING, deadline=5.0)
    waiting = model.State({"blog": replace(served, records=(*served.records, cooling))})
    assert rolling.before(waiting, model.Tick(), 5.0) == [model.RoomFound("blog", 0)]
    assert rolling.before(waiting, model.Tick(), 4.9) == []
    alone = model.State({"blog": replace(served, records=(*served.records, replace(cooling, slot=2)))})
    assert rolling.before(alone, model.Tick(), 5.0) == []  # it follows nobody who takes memory still
