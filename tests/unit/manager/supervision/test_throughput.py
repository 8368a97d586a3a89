"""Rates of groups, from boards and a clock that the test sets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from wsgigroups.lifecycle.watch import QUIET_S
from wsgigroups.manager.supervision import throughput
from wsgigroups.manager.supervision.throughput import MARK_S, PERCENTILE_S, RATE_S, Throughput, quantile
from wsgigroups.runtime.wire import board
from wsgigroups.runtime.wire.board import WORD
from wsgigroups.runtime.wire.histograms import APPLICATION


class Groups:
    """One group of two processes, and the clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        self.boards = [board.create(1, "test") for _ in range(2)]
        processes = [SimpleNamespace(board_fd=fd, closed=False) for fd in self.boards]
        self.processes: dict[int, Any] = dict(enumerate(processes, 1))
        records = [SimpleNamespace(life=life) for life in self.processes]
        target = SimpleNamespace(name="blog")
        self.group: Any = SimpleNamespace(records=records, ended={}, target=target)
        self.rates = Throughput()
        monkeypatch.setattr(throughput, "time", SimpleNamespace(monotonic=lambda: self.now_s))

    def count(self, *totals: int) -> None:
        for fd, total in zip(self.boards, totals, strict=True):
            os.pwrite(fd, total.to_bytes(8, "little"), WORD["requests_total"] * 8)

    def took(self, place: int, count: int) -> None:
        """Of the first process: so many requests are in that range."""
        os.pwrite(self.boards[0], count.to_bytes(8, "little"), (APPLICATION.first + place) * 8)

    def look(self, after_s: float = 1.0) -> None:
        self.now_s += after_s
        self.rates.look(self.group, self.processes)


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> Iterator[Groups]:
    made = Groups(monkeypatch)
    yield made
    for fd in made.boards:
        os.close(fd)


def test_a_rate_is_that_of_all_processes_over_the_last_looks(groups: Groups) -> None:
    assert groups.rates.per_s("blog") is None
    groups.look()
    assert groups.rates.per_s("blog") is None, "one look says nothing"
    groups.count(30, 12)
    groups.look(2.0)
    assert groups.rates.per_s("blog") == 21.0
    for _ in range(int(RATE_S)):
        groups.look()
    assert groups.rates.per_s("blog") == 0.0, "what was long ago does not count"


def test_a_process_that_ends_takes_nothing_with_it(groups: Groups) -> None:
    groups.count(1000, 0)
    groups.look()
    groups.group.ended = {"requests_total": 1000}
    groups.processes.pop(1)
    groups.look()
    assert groups.rates.per_s("blog") == 0.0
    groups.group.ended = {}  # as after a board that was overwritten
    groups.look()
    assert groups.rates.per_s("blog") == 0.0, "no rate is below nothing"


def test_a_group_that_is_gone_is_forgotten(groups: Groups) -> None:
    groups.look()
    groups.count(5, 5)
    groups.look()
    assert groups.rates.per_s("blog") == 10.0
    groups.rates.keep({})
    assert groups.rates.per_s("blog") is None


def test_a_percentile_is_that_of_the_last_minute(groups: Groups) -> None:
    groups.took(9, 1000)
    groups.look()
    assert groups.rates.p99_s("blog") is None, "what was before the first look is not of this minute"
    groups.took(0, 99)
    groups.took(4, 1)  # from 25 to 50 ms
    groups.look()
    assert groups.rates.p99_s("blog") == 0.001
    groups.took(4, 101)
    groups.look()
    found = groups.rates.p99_s("blog")
    assert found is not None
    assert 0.049 < found <= 0.05
    for _ in range(int(PERCENTILE_S / MARK_S)):
        groups.look(MARK_S)
    assert groups.rates.p99_s("blog") is None


def test_who_is_not_looked_at_for_long_has_done_nothing_meanwhile(groups: Groups) -> None:
    groups.look()
    groups.count(60, 0)
    groups.took(4, 60)
    groups.look(3600.0)
    assert groups.rates.per_s("blog") == 4.0, "they came since the last look that found it idle"
    groups.count(60 + 50, 0)
    groups.look(1.0)
    assert groups.rates.per_s("blog") == 6.9
    assert groups.rates.p99_s("blog") is not None
    groups.look(3.0)
    groups.look(300.0)
    assert groups.rates.per_s("blog") == 0.0
    assert groups.rates.p99_s("blog") is None, "what was five minutes ago is not of the last one"


def test_what_comes_after_a_pause_is_of_the_time_after_it(groups: Groups) -> None:
    groups.look()
    groups.look(100.0)
    groups.count(8, 0)
    groups.look(2.0)
    assert groups.rates.per_s("blog") == round(8 / RATE_S, 1)
    groups.rates = Throughput()
    groups.look()
    groups.count(16, 0)
    groups.look(QUIET_S)
    assert groups.rates.per_s("blog") == round(8 / QUIET_S, 1)


def test_whoever_asks_often_fills_nothing_and_changes_no_rate(groups: Groups) -> None:
    for tenth in range(300):
        groups.count(tenth, 0)
        groups.look(0.1)
    assert groups.rates.per_s("blog") == 10.0
    assert len(groups.rates._seen["blog"].totals) < 30


def test_a_percentile_is_between_the_bounds_of_its_range() -> None:
    empty = [0] * (len(APPLICATION.bounds_ns) + 1)
    assert quantile(empty, 0.99) is None
    assert quantile([100, *empty[1:]], 0.5) == 0.0005
    assert quantile([0, 100, *empty[2:]], 0.99) == 0.00496
    assert quantile([*empty[:-1], 3], 0.99) == 10.0
    assert quantile([1, *empty[1:-1], 99], 0.01) == 0.001


def test_a_board_that_is_gone_or_written_over_counts_as_it_can(groups: Groups) -> None:
    os.pwrite(groups.boards[0], b"\xff" * 8 * board.BUSY_WORD, 0)
    os.close(groups.boards[1])
    groups.look()
    groups.look()
    assert groups.rates.per_s("blog") == 0.0
    assert groups.rates.p99_s("blog") is None
    groups.boards.pop()
