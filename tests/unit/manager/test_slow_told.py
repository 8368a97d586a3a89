"""Events of slow requests: how many, and how often at most."""

from __future__ import annotations

from wsgigroups.manager.supervision.slow_told import PAUSE_S, SlowTold


def test_a_group_has_one_a_minute_with_all_that_came() -> None:
    told = SlowTold()
    told.note("blog", 1, 0)
    assert list(told.due(10.0)) == []
    told.note("blog", 1, 1)
    (event,) = told.due(10.0)
    assert (event.kind, event.group) == ("slow", "blog")
    assert event.text.startswith("1 request took")
    told.note("blog", 1, 3)
    told.note("blog", 2, 4)
    told.note("api", 3, 2)
    assert [event.group for event in told.due(11.0)] == ["api"]
    (event,) = told.due(10.0 + PAUSE_S)
    assert event.text.startswith("6 requests took")
    assert list(told.due(1000.0)) == []


def test_what_a_tenant_makes_up_is_bounded_and_lives_are_forgotten() -> None:
    told = SlowTold()
    told.note("blog", 1, 2**64 - 1)
    (event,) = told.due(0.0)
    assert event.text.startswith("1000000000 requests")
    told.forget(1)
    told.note("blog", 1, 1)
    assert [event.text[:2] for event in told.due(PAUSE_S)] == ["1 "]
