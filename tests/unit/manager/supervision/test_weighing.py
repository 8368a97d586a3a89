"""Proportional memory is read a little at a time, and only while somebody asks."""

from __future__ import annotations

from wsgigroups.manager.supervision.weighing import ASKED_S, BUDGET_S, Weighing

PIDS = {life: 100 + life for life in range(1, 31)}


class Kernel:
    """Every weighing takes a fifth of the budget."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.asked: list[int] = []
        self.weighing = Weighing(self.weigh, lambda: self.now_s)

    def weigh(self, pid: int) -> int:
        self.asked.append(pid)
        self.now_s += BUDGET_S / 5 + 1e-9
        return pid * 1000


def test_nobody_is_weighed_before_somebody_asks_and_long_after_that() -> None:
    kernel = Kernel()
    kernel.weighing.look(lambda: PIDS)
    assert not kernel.asked
    kernel.weighing.ask()
    assert kernel.weighing.of(1, 101) == 101_000
    kernel.now_s += ASKED_S + 1
    kernel.weighing.look(lambda: PIDS)
    assert kernel.asked == [101]
    assert kernel.weighing.of(1, 101) == 0


def test_one_question_and_one_look_cost_no_more_than_the_budget() -> None:
    kernel = Kernel()
    kernel.weighing.ask()
    assert [bool(kernel.weighing.of(life, pid)) for life, pid in PIDS.items()] == [True] * 5 + [False] * 25
    kernel.weighing.look(lambda: PIDS)
    assert len(kernel.asked) == 10


def test_everybody_has_a_turn_and_those_that_ended_are_forgotten() -> None:
    kernel = Kernel()
    kernel.weighing.ask()
    for _second in range(6):
        kernel.weighing.look(lambda: PIDS)
    assert sorted(kernel.asked) == sorted(PIDS.values())
    kernel.weighing.look(lambda: {2: 102, 3: 0})
    assert kernel.weighing.of(2, 102) == 102_000
    assert kernel.weighing.of(1, 101) == 0
