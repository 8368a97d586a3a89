"""The pace of a crew: when calls are inline, eager, and brief. Pure."""

from __future__ import annotations

from wsgigroups.runtime.calls.pace import BRIEF_NS, BRIEF_ROW, INLINE_NS, INLINE_ROW, Pace


def test_a_call_that_loses_the_lead_makes_the_crew_eager_until_calls_could_be_inline() -> None:
    pace = Pace()
    assert not pace.eager
    pace.overran()
    assert pace.eager
    for _ in range(INLINE_ROW - 1):
        pace.followed(INLINE_NS - 1)
    pace.followed(INLINE_NS)
    for _ in range(INLINE_ROW - 1):
        pace.followed(INLINE_NS - 1)
    assert pace.eager
    pace.followed(INLINE_NS - 1)
    assert not pace.eager


def test_calls_are_brief_after_a_row_of_such_until_one_is_not() -> None:
    pace = Pace()
    for _ in range(BRIEF_ROW - 1):
        pace.led(BRIEF_NS - 1)
    pace.led(BRIEF_NS)
    for took_ns in (BRIEF_NS - 1, 0):
        for _ in range(BRIEF_ROW - 1):
            pace.led(took_ns)
            assert not pace.brief
        pace.led(took_ns)
        assert pace.brief
        pace.led(BRIEF_NS)
        assert not pace.brief


def test_a_row_of_either_kind_begins_anew_when_a_call_loses_the_lead() -> None:
    pace = Pace()
    for _ in range(BRIEF_ROW - 1):
        pace.led(0)
    pace.overran()
    pace.led(0)
    assert not pace.brief
    for _ in range(INLINE_ROW - 1):
        pace.followed(0)
    pace.overran()
    pace.followed(0)
    assert pace.eager
