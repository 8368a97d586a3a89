"""What waits, look by look: a queue that stays as long as it is, and one that says how many come."""

from __future__ import annotations

import pytest

from wsgigroups.plan.scaling import LOOK_S, LoadSeen
from wsgigroups.plan.scaling_queue import QueueMemory, looked, needed

THREADS = 4


def seen(queued: int, taken: int, ready: int = 2) -> LoadSeen:
    return LoadSeen(ready, ready, THREADS, LOOK_S, taken=taken, queued=queued)


def after(*looks: tuple[int, int], too_long: bool = True) -> QueueMemory:
    """What is remembered after looks with so many that wait, and so many that were taken."""
    waiting = QueueMemory()
    for queued, taken in looks:
        waiting = looked(waiting, seen(queued, taken), too_long=too_long)
    return waiting


@pytest.mark.parametrize(
    ("looks", "processes"),
    [
        ([(40, 20), (40, 20), (40, 20)], 12),  # 40 clients who wait for their answers: a thread for each
        ([(40, 20), (40, 20), (43, 20)], 13),  # and three more
        ([(40, 20), (80, 20), (120, 20)], 9),  # 240 a second of 0.1 s are 24 threads; of 28 of them 70 % are fewer
        ([(1000, 20), (1040, 20), (1080, 20)], 9),  # however many wait by now
        ([(40, 20), (80, 20), (90, 20)], 5),  # at the last look they were 120 a second, and the fewer ones count
        ([(120, 80), (90, 80), (60, 80)], 8),  # it grows shorter: 200 a second
        ([(120, 80), (20, 80), (0, 80)], 0),  # nobody comes any more
    ],
)
def test_what_is_needed_for_a_queue(looks: list[tuple[int, int]], processes: int) -> None:
    waiting = after(*looks)
    assert waiting.too_long
    assert needed(waiting, seen(*looks[-1]), 0.7, 0.1) == processes


def test_without_knowing_what_a_request_takes_each_has_a_thread() -> None:
    looks = (40, 0), (80, 0), (120, 0)
    assert needed(after(*looks), seen(*looks[-1]), 0.7, 0.0) == 2 + 30


def test_two_looks_in_a_row_make_it_too_long_and_one_ends_it() -> None:
    assert not after((9, 1)).too_long
    waiting = after((9, 1), (9, 1), (9, 1))
    assert waiting.too_long
    assert not looked(waiting, seen(9, 1), too_long=False).over
