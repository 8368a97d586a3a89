"""How busy threads were lately: what has ended and what runs, each once."""

from __future__ import annotations

import pytest

from wsgigroups.manager.supervision.utilisation import LATELY_S, Utilisation
from wsgigroups.runtime.wire.board import WORD, Snapshot

S = 1_000_000_000


def board(application_s: float = 0.0, **busy_since_s: float) -> Snapshot:
    words = {**dict.fromkeys(WORD, 0), "application_time_ns": int(application_s * S)}
    return Snapshot(words, {number: int(since * S) for number, since in enumerate(busy_since_s.values())})


def test_it_is_not_known_before_the_second_look() -> None:
    seen = Utilisation()
    seen.see(7, board(), 2, 10 * S)
    assert seen.of(7) is None
    assert seen.of(8) is None


def test_what_ended_and_what_runs_counts_for_all_threads_together() -> None:
    seen = Utilisation()
    seen.see(7, board(5.0), 4, 10 * S)
    seen.see(7, board(5.5, one=10.5, other=10.0), 4, 11 * S)  # half a second ended, half a one and a whole one run
    assert seen.of(7) == pytest.approx(0.5)


def test_a_request_that_ends_is_not_counted_again() -> None:
    seen = Utilisation()
    seen.see(7, board(0.0), 1, 10 * S)
    for second in range(1, 5):
        seen.see(7, board(0.0, one=10.0), 1, (10 + second) * S)
    seen.see(7, board(5.0), 1, 15 * S)
    assert seen.of(7) == pytest.approx(1.0)


def test_it_follows_within_a_while() -> None:
    seen = Utilisation()
    seen.see(7, board(), 1, 0)
    seen.see(7, board(1.0), 1, S)
    for second in range(2, 2 + int(3 * LATELY_S)):
        seen.see(7, board(1.0), 1, second * S)
    assert 0.0 < (seen.of(7) or 0.0) < 0.06


@pytest.mark.parametrize("lie", [board(10**9), board(0.0, one=-(10.0**9))])
def test_whatever_a_board_says_it_is_a_share(lie: Snapshot) -> None:
    seen = Utilisation()
    seen.see(7, board(3.0), 1, 10 * S)
    seen.see(7, lie, 1, 11 * S)
    seen.see(7, board(), 1, 12 * S)
    assert 0.0 <= (seen.of(7) or 0.0) <= 1.0


def test_lives_that_are_over_are_forgotten() -> None:
    seen = Utilisation()
    for second in (1, 2):
        seen.see(7, board(), 1, second * S)
    seen.forget(7)
    seen.forget(8)
    assert seen.of(7) is None
