"""When certificates are ordered: tables, and what holds whatever comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgigroups.certifying import timing
from wsgigroups.certifying.timing import Attempts

DAY_S, HOUR_S = 86400.0, 3600.0
FRACTIONS = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("days", "fraction", "expected"),
    [(90, 0.5, 60.0), (90, 0.0, 57.75), (90, 0.9999999, 62.25), (6, 0.5, 4.0)],
)
def test_a_certificate_is_renewed_at_two_thirds(days: int, fraction: float, expected: float) -> None:
    begins = 1_000_000.0
    found = timing.renewal_at(begins, begins + days * DAY_S, fraction)
    assert (found - begins) / DAY_S == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("failures", "minutes"), [(1, 15), (2, 30), (3, 60), (4, 120), (7, 960), (8, 1440), (9, 1440), (5000, 1440)]
)
def test_pauses_double_to_a_day(failures: int, minutes: int) -> None:
    assert timing.pause_s(failures, 0.5) == pytest.approx(minutes * 60)
    assert timing.pause_s(failures, 0.0) == pytest.approx(minutes * 60 * 0.9)


@given(st.lists(FRACTIONS, min_size=1, max_size=40))
def test_a_name_fails_less_often_than_an_authority_allows(fractions: list[float]) -> None:
    """Five proofs that fail in an hour are allowed."""
    attempts, now, failures = Attempts(), 1_000_000.0, []
    for fraction in fractions:
        failures.append(now)
        attempts = timing.failed(timing.begun(attempts, now, fraction), now + 1, "no")
        now = attempts.next_at
    assert attempts.failures == len(fractions)
    for begin in failures:
        assert len([at for at in failures if begin <= at < begin + HOUR_S]) <= 3


@given(st.lists(FRACTIONS, min_size=1, max_size=40))
def test_what_is_made_and_of_no_use_is_made_less_often_than_an_authority_allows(fractions: list[float]) -> None:
    """Five certificates for the same names in seven days are allowed."""
    attempts, now, made = Attempts(), 1_000_000.0, []
    for fraction in fractions:
        made.append(now)
        attempts = timing.failed(timing.begun(attempts, now, fraction), now + 1, "no", spoiled=True)
        now = attempts.next_at
    for begin in made:
        assert len([at for at in made if begin <= at < begin + 7 * DAY_S]) <= 5


@given(st.lists(st.floats(0, 400), max_size=1500))
def test_an_account_makes_no_more_orders_than_an_authority_allows(gaps: list[float]) -> None:
    """Three hundred in three hours are allowed."""
    now, orders = 1_000_000.0, []
    for gap in gaps:
        now = max(now + gap, timing.free_at(orders, now + gap))
        orders.append(now)
    for place, begin in enumerate(orders):
        assert len([at for at in orders[place : place + 301] if at < begin + timing.WINDOW_S]) <= 300


@pytest.mark.parametrize(
    ("retry_after_s", "spoiled", "expected"),
    [
        (None, False, 900.0),
        (60.0, False, 900.0),
        (7200.0, False, 7201.0),
        (1e12, False, timing.LONGEST_RETRY_AFTER_S + 1),
        (None, True, timing.SPOILED_PAUSE_S + 1),
    ],
)
def test_what_an_authority_asks_for_is_heeded(retry_after_s: float | None, spoiled: bool, expected: float) -> None:
    begun = timing.begun(Attempts(), 1000.0, 0.5)
    assert (begun.failures, begun.error) == (1, timing.CUT_SHORT)  # for whoever finds it after a death
    found = timing.failed(begun, 1001.0, "no", retry_after_s, spoiled=spoiled)
    assert (found.failures, found.error, found.next_at - 1000.0) == (1, "no", pytest.approx(expected))


def test_orders_of_a_clock_that_was_wrong_do_not_count() -> None:
    assert timing.recent([0.0, 5.0, 1e9], 10.0) == (0.0, 5.0)
    assert timing.free_at([1e9] * 1000, 10.0) == 10.0


def test_certificates_of_one_day_are_not_renewed_in_one_moment() -> None:
    found = {timing.fraction_of(str(number)) for number in range(100)}
    assert len(found) == 100
    assert all(0 <= fraction < 1 for fraction in found)
    assert timing.fraction_of("x") == timing.fraction_of("x")
