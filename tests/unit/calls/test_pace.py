"""The pace of a crew: each switch of its table, in told time."""

from __future__ import annotations

import dataclasses

import pytest

from wsgigroups.runtime.calls.pace import FEW, LONGEST_WINDOW_NS, PATIENT_TICKS, QUICK_NS, QUICK_ROW, WINDOW_NS, Pace

SECOND_NS = 1_000_000_000


@dataclasses.dataclass
class Told:
    """A pace, and the time, the processor time and the calls that it is told of."""

    pace: Pace = dataclasses.field(default_factory=Pace)
    now_ns: int = 7 * SECOND_NS
    cpu_ns: int = 0
    calls: int = 0

    def pass_window(self, share: float, calls: int, wall_ns: int = WINDOW_NS) -> bool:
        """Let a window pass in which so much of a core was used."""
        self.now_ns += wall_ns
        self.cpu_ns += int(share * wall_ns)
        self.calls += calls
        return self.pace.weigh(self.now_ns, self.cpu_ns, self.calls)

    def begin_eager(self) -> None:
        """A call has outlasted a tick, and a window begins."""
        self.pace.overran(self.now_ns, False)
        assert not self.pass_window(1.0, 1000)  # of the time before: does not count

    @property
    def mode(self) -> str:
        assert not (self.pace.eager and self.pace.single)
        return "eager" if self.pace.eager else "single" if self.pace.single else "inline"


def single(before: int = 20) -> Told:
    """One in single mode, whose trial has been passed."""
    told = Told()
    told.begin_eager()
    assert told.pass_window(1.0, before)
    assert not told.pass_window(1.0, 1)  # calls under way end
    assert not told.pass_window(1.0, before)
    assert told.mode == "single"
    return told


def test_a_call_that_outlasts_a_tick_makes_the_crew_eager_until_calls_are_quick() -> None:
    told = Told()
    assert told.mode == "inline"
    assert not told.pace.may_go_on(1, computing=True)
    told.begin_eager()
    assert told.mode == "eager"
    for _ in range(QUICK_ROW - 1):
        told.pace.ended(QUICK_NS - 1)
    told.pace.ended(QUICK_NS)
    assert told.mode == "eager"
    for _ in range(QUICK_ROW):
        told.pace.ended(QUICK_NS - 1)
    assert told.mode == "inline"


def test_an_eager_crew_that_computes_tries_single_and_keeps_what_answers_no_less() -> None:
    assert single(20).mode == "single"


def test_a_trial_that_answers_fewer_requests_ends_and_the_next_one_comes_later_each_time() -> None:
    told = Told()
    told.begin_eager()
    waits = []
    for _ in range(7):
        windows = 0
        while not told.pass_window(1.0, 20):
            windows += 1
        waits.append(windows)
        told.pass_window(1.0, 20)
        assert told.mode == "single"
        told.pass_window(1.0, 10)
        assert told.mode == "eager"
    assert waits[0] == 0
    assert waits[1:] == sorted(waits[1:])
    assert waits[1] > 1
    assert waits[6] > 16 * waits[1]


@pytest.mark.parametrize(
    ("share", "calls", "wall_ns"),
    [
        (0.5, 100, WINDOW_NS),  # it waits for something
        (1.0, FEW - 1, WINDOW_NS),  # too few to tell
        (1.0, FEW - 1, LONGEST_WINDOW_NS),  # long calls: one at a time would make the others wait
        (1.0, 100, WINDOW_NS - 1),
    ],
)
def test_no_trial_where_it_could_tell_nothing(share: float, calls: int, wall_ns: int) -> None:
    told = Told()
    told.begin_eager()
    assert not told.pass_window(share, calls, wall_ns)
    assert told.mode == "eager"


def test_a_window_lasts_until_it_has_seen_a_few_calls() -> None:
    told = Told()
    told.begin_eager()
    assert not told.pass_window(1.0, FEW - 1)
    assert told.pass_window(1.0, 1)


def test_what_was_done_before_the_crew_was_eager_says_nothing() -> None:
    told = Told()
    told.begin_eager()
    for _ in range(QUICK_ROW):
        told.pace.ended(0)
    assert told.mode == "inline"
    told.now_ns += 10 * SECOND_NS
    told.cpu_ns += 10 * SECOND_NS
    told.calls += 100_000
    told.begin_eager()
    assert told.mode == "eager"


def test_without_a_gil_threads_do_not_compete() -> None:
    told = Told(Pace(threads_compete=False))
    told.begin_eager()
    assert not told.pass_window(1.0, 100)
    assert told.mode == "eager"


def test_single_lets_a_call_that_computes_go_on_for_a_while() -> None:
    told = single()
    assert told.pace.may_go_on(PATIENT_TICKS - 1, computing=True)
    assert not told.pace.may_go_on(PATIENT_TICKS, computing=True)
    assert not told.pace.may_go_on(1, computing=False)
    for _ in range(5):
        told.pace.overran(told.now_ns, True)  # it computes for longer than that: somebody else leads, the pace stays
    assert told.mode == "single"


def test_single_ends_when_calls_wait() -> None:
    told = single()
    told.pace.overran(told.now_ns, False)
    assert told.mode == "single"  # once in a window: the machine had something else to do
    told.pass_window(1.0, 20)
    told.pace.overran(told.now_ns, False)
    assert told.mode == "single"
    told.pace.overran(told.now_ns, False)
    assert told.mode == "eager"
    assert not told.pass_window(1.0, 20)  # begins a window
    assert not told.pass_window(1.0, 20)  # not again so soon


def test_single_ends_when_there_is_little_to_do_or_calls_are_brief() -> None:
    told = single()
    assert not told.pass_window(0.3, 20)
    assert told.mode == "inline"
    told = single()
    told.pace.brief()
    assert told.mode == "inline"


def test_single_for_long_makes_the_next_pause_short_again() -> None:
    told = Told()
    told.begin_eager()
    for _ in range(6):  # trials that fail, each pause twice as long
        while not told.pass_window(1.0, 20):
            pass
        told.pass_window(1.0, 20)
        told.pass_window(1.0, 1)
    while not told.pass_window(1.0, 20):
        pass
    for _ in range(50):
        told.pass_window(1.0, 20)
    told.pace.overran(told.now_ns, False)
    told.pace.overran(told.now_ns, False)
    assert told.mode == "eager"
    windows = 0
    while not told.pass_window(1.0, 20):
        windows += 1
    assert windows <= 6
