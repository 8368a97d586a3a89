"""How long the manager did not run: counted by clocks that the test sets."""

from __future__ import annotations

from wsgigroups.manager.supervision.heartbeat import Heartbeat


class Clocks:
    """Time, and the processor time of the process."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.used_s = 5.0
        self.heartbeat = Heartbeat(lambda: self.now_s, lambda: self.used_s)

    def passed(self, seconds: float, used_s: float = 0.0) -> None:
        self.now_s += seconds
        self.used_s += used_s


def test_a_stop_between_two_beats_is_told_once() -> None:
    clocks = Clocks()
    clocks.passed(0.5)
    clocks.heartbeat.beat()
    clocks.passed(30.5)
    assert clocks.heartbeat.missed_s() == 30.0
    assert clocks.heartbeat.missed_s() == 0.0


def test_computing_in_one_piece_is_no_absence() -> None:
    clocks = Clocks()
    clocks.passed(30.5, used_s=29.9)
    assert clocks.heartbeat.missed_s() == 0.0


def test_a_loop_that_waits_in_the_kernel_is_no_absence() -> None:
    """The thread beats on: what the loop does is none of its business."""
    clocks = Clocks()
    for _beat in range(60):
        clocks.passed(0.5)
        clocks.heartbeat.beat()
    assert clocks.heartbeat.missed_s() == 0.0


def test_it_beats_by_itself_and_ends() -> None:
    heartbeat = Heartbeat()
    heartbeat.start()
    heartbeat.stop()
    assert heartbeat.missed_s() == 0.0
