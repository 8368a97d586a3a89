"""What a look finds of a group: from boards that the test writes, whatever a tenant writes on them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from support.targets import small_spec, small_target

from wsgigroups.lifecycle.step import Record
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core.model import GroupState
from wsgigroups.manager.supervision import group_load
from wsgigroups.manager.supervision.group_load import GroupLoad
from wsgigroups.plan.scaling import LoadSeen, ScalingTarget
from wsgigroups.runtime.wire import board
from wsgigroups.runtime.wire.spec import Serving

THREADS = 2
SPEC = small_spec(serving=Serving(threads=THREADS), shutdown_timeout_s=8.0)
TARGET = small_target(spec=SPEC, scaling=ScalingTarget(1, 8), processes=2)


class Loaded:
    """A group of two processes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.boards = {life: board.create(THREADS, "test") for life in (1, 2)}
        self.cpu_s = dict.fromkeys(self.boards, 0.0)
        self.processes: dict[int, Any] = {
            life: SimpleNamespace(pid=life, exited=False, snapshot=partial(self.read, fd))
            for life, fd in self.boards.items()
        }
        records = tuple(Record("blog", life, life, "f", state=Tenancy.READY, pid=life) for life in self.boards)
        self.group = GroupState(TARGET, records)
        self.load = GroupLoad()
        monkeypatch.setattr(group_load, "cpu_of", lambda pid: self.cpu_s[pid])

    def read(self, fd: int) -> board.Snapshot | None:
        try:
            return board.read(fd, THREADS)
        except ValueError:
            return None

    def write(self, life: int, **words: float) -> None:
        """Seconds for times; busy0: since when the first thread has a request."""
        for name, value in words.items():
            index = board.BUSY_WORD if name == "busy0" else board.WORD[name]
            number = int(value * 1e9) if name.endswith(("_ns", "busy0")) else int(value)
            os.pwrite(self.boards[life], number.to_bytes(8, "little"), index * 8)

    def look(self, after_s: float = 0.25) -> LoadSeen:
        self.now += after_s
        return self.load.look(self.group, self.processes, self.now)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loaded]:
    made = Loaded(monkeypatch)
    yield made
    for fd in made.boards.values():
        os.close(fd)


def test_what_has_happened_since_the_last_look_is_added_up(loaded: Loaded) -> None:
    assert loaded.look() == LoadSeen(2, 2, THREADS, 0.0)
    loaded.write(1, application_time_ns=0.1, started_total=4, queue_time_ns=0.2, requests_queued=3)
    loaded.write(2, busy0=100.25)
    loaded.cpu_s = {1: 0.05, 2: 0.1}
    found = loaded.look()
    assert (found.taken, found.queued, found.passed_s) == (4, 3, 0.25)
    assert (round(found.busy_s, 3), round(found.waited_s, 3), round(found.cpu_s, 3)) == (0.35, 0.2, 0.15)


def test_a_board_cannot_say_more_than_is_possible(loaded: Loaded) -> None:
    loaded.look()
    loaded.write(1, application_time_ns=1e9, started_total=2**60, queue_time_ns=9e9, requests_queued=2**60)
    found = loaded.look()
    assert found.busy_s == 0.25 * THREADS
    assert found.queued == group_load.MOST_QUEUED
    assert found.taken == 0.25 * group_load.MOST_TAKEN_PER_S
    loaded.write(1, application_time_ns=0.0)
    assert loaded.look().busy_s == 0.0
    loaded.write(2, magic=0)
    assert loaded.look().ready == 2


def test_the_process_that_would_go_has_no_request(loaded: Loaded) -> None:
    assert loaded.look().victim
    loaded.write(1, busy0=100.0)
    assert loaded.look().victim  # it is the other one
    loaded.write(2, busy0=100.0)
    assert not loaded.look().victim


def test_one_that_always_has_a_request_goes_when_those_that_it_has_are_young(loaded: Loaded) -> None:
    loaded.write(2, busy0=100.0)
    assert not loaded.look().victim
    loaded.write(2, busy0=128.5)
    assert not loaded.look(29.0).victim
    assert loaded.look(1.0).victim  # 30 s of patience, a request of 1.75 s, 8 s for it to end in
    assert not loaded.look(1.0).victim
    loaded.group = replace(loaded.group, target=replace(TARGET, spec=replace(SPEC, shutdown_timeout_s=0.0)))
    assert loaded.look().victim


def test_who_comes_and_goes_is_counted(loaded: Loaded) -> None:
    starting = Record("blog", 3, 3, "f", state=Tenancy.STARTING)
    leaving = Record("blog", 2, 2, "f", state=Tenancy.DRAINING, pid=2)
    loaded.group = replace(loaded.group, records=(loaded.group.records[0], leaving, starting))
    found = loaded.look()
    assert (found.ready, found.starting, found.leaving, found.rolling) == (1, 1, 1, False)
    loaded.group = replace(loaded.group, recycle={1: "maximum-requests"})
    assert loaded.look().rolling


def test_what_is_gone_is_forgotten(loaded: Loaded) -> None:
    loaded.look()
    loaded.load.keep((), ())
    loaded.write(1, started_total=100)
    assert loaded.look() == LoadSeen(2, 2, THREADS, 0.0)
