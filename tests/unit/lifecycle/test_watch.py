"""The stall and recycling rules, with the numbers of the documentation."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgigroups.lifecycle.status import group_state
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.lifecycle.watch import Judgement, Rules, Underway, Verdict, Vitals, absence_s, judge


def vitals(**changes: object) -> Vitals:
    base: dict[str, object] = {
        "age_s": 10.0,
        "heartbeat_age_s": 0.5,
        "requests": [],
        "requests_started": 5,
        "requests_active": 0,
        "idle_s": 1.0,
        "rss_bytes": 1000,
    }
    return Vitals(**{**base, **changes})  # type: ignore[arg-type]


def reason(rules: Rules, seen: Vitals, jitter: float = 0.0) -> str | None:
    verdict = judge(rules, seen, jitter)
    return verdict.reason if verdict else None


def test_nothing_is_wrong_with_a_quiet_daemon() -> None:
    assert judge(Rules(), vitals(), 0.0) is None


@pytest.mark.parametrize(
    ("timeout_s", "age_s", "expected"), [(300, 299, None), (300, 301, "deadlock-timeout"), (0, 9e9, None)]
)
def test_deadlock_timeout(timeout_s: float, age_s: float, expected: str | None) -> None:
    assert reason(Rules(deadlock_timeout_s=timeout_s), vitals(heartbeat_age_s=age_s)) == expected


def test_without_deadlock_timeout_all_else_is_judged() -> None:
    """It switches off this check and nothing else; in mod_wsgi others went with it."""
    seen = vitals(heartbeat_age_s=9e9, age_s=99, idle_s=99, requests=[Underway(99)])
    for option in ("request_timeout_s", "restart_interval_s", "inactivity_timeout_s"):
        quiet = seen if option == "request_timeout_s" else replace(seen, requests=[], requests_active=0)
        rules = replace(Rules(deadlock_timeout_s=0), threads=1, **{option: 5.0})
        assert reason(rules, quiet) == option.replace("_s", "").replace("_", "-")


@pytest.mark.parametrize(
    ("timeout_s", "loading_s", "expected"),
    [(5, 0.0, None), (5, 4.9, None), (5, 5.1, "startup-timeout"), (0, 9e9, None)],
)
def test_startup_timeout_of_a_load_that_a_request_began(
    timeout_s: float, loading_s: float, expected: str | None
) -> None:
    seen = vitals(age_s=9e9, loading_s=loading_s)
    assert reason(Rules(startup_timeout_s=timeout_s), seen) == expected
    verdict = judge(Rules(startup_timeout_s=timeout_s), seen, 0.0)
    assert verdict is None or verdict.verdict is Verdict.OVERDUE


@pytest.mark.parametrize(("stuck", "fires_after_s"), [(1, 900), (2, 450), (3, 300), (5, 180), (10, 90), (15, 60)])
def test_request_timeout_averages_over_all_threads(stuck: int, fires_after_s: float) -> None:
    rules = Rules(threads=15, request_timeout_s=60)
    assert reason(rules, vitals(requests=[Underway(fires_after_s - 0.01)] * stuck)) is None
    verdict = judge(rules, vitals(requests=[Underway(fires_after_s + 0.01)] * stuck), 0.0)
    assert verdict is not None
    assert (verdict.verdict, verdict.reason) == (Verdict.STUCK, "request-timeout")


def test_request_timeout_with_one_thread_is_the_age_of_the_request() -> None:
    assert reason(Rules(threads=1, request_timeout_s=2), vitals(requests=[Underway(2.1)])) == "request-timeout"


@pytest.mark.parametrize(
    ("threads", "ages_s", "serves"),
    [
        (1, [2.1], False),
        (2, [4.1], True),
        (2, [2.1, 2.1], False),
        (2, [3.0, 1.9], True),  # the other one may end
        (3, [3.0, 3.0, 3.0], False),
        (3, [6.0, 6.0, 0.1], True),
    ],
)
@pytest.mark.parametrize("interrupt_s", [0.0, 1.0])
def test_who_has_a_thread_that_is_not_stuck_serves_on(
    threads: int, ages_s: list[float], serves: bool, interrupt_s: float
) -> None:
    rules = Rules(threads=threads, request_timeout_s=2, request_timeout_mode="average", interrupt_timeout_s=interrupt_s)
    since_s = 1.5 if interrupt_s else None
    verdict = judge(rules, vitals(requests=[Underway(age, 0, since_s) for age in ages_s]), 0.0)
    assert verdict is not None
    assert (verdict.verdict, verdict.serves) == (Verdict.STUCK, serves)


def test_request_timeout_each_looks_at_the_oldest() -> None:
    rules = Rules(threads=15, request_timeout_s=2, request_timeout_mode="each")
    assert reason(rules, vitals(requests=[Underway(0.1), Underway(2.1)])) == "request-timeout"


def test_restart_interval_is_spread_downwards_by_a_tenth() -> None:
    rules = Rules(restart_interval_s=100)
    assert reason(rules, vitals(age_s=99), 0.0) is None
    assert reason(rules, vitals(age_s=100), 0.0) == "restart-interval"
    assert reason(rules, vitals(age_s=91), 0.95) == "restart-interval"
    assert reason(rules, vitals(age_s=89), 0.99) is None


def test_inactivity_is_armed_by_the_first_request_and_waits_for_active_ones() -> None:
    rules = Rules(inactivity_timeout_s=5)
    assert reason(rules, vitals(idle_s=6)) == "inactivity-timeout"
    assert reason(rules, vitals(idle_s=6, requests_started=0)) is None
    assert reason(rules, vitals(idle_s=6, requests_active=1)) is None


def test_memory_soft_limit() -> None:
    assert reason(Rules(memory_soft_limit_bytes=999), vitals()) == "memory-soft-limit"
    assert reason(Rules(memory_soft_limit_bytes=1000), vitals()) is None


@pytest.mark.parametrize(
    ("states", "wanted", "stopped", "expected"),
    [
        ([Tenancy.READY, Tenancy.READY], 2, False, "ready"),
        ([Tenancy.READY, Tenancy.COOLING], 2, False, "degraded"),
        ([Tenancy.COOLING], 1, False, "failed"),
        ([Tenancy.FAILED], 1, False, "failed"),
        ([Tenancy.SPAWNING], 1, False, "starting"),
        ([], 1, False, "starting"),
        ([], 0, True, "stopped"),
        ([Tenancy.DRAINING], 1, True, "stopped"),
    ],
)
def test_group_states(states: list[Tenancy], wanted: int, stopped: bool, expected: str) -> None:
    assert group_state(states, wanted, stopped=stopped) == expected


def test_a_group_that_wants_no_process_and_was_not_stopped_is_asleep() -> None:
    assert group_state([], 0, stopped=False, asleep=True) == "asleep"
    assert group_state([Tenancy.DRAINING], 0, stopped=False, asleep=True) == "asleep"


def underway(*ages_s: float | tuple[float, float]) -> list[Underway]:
    """Requests of these ages, in threads 0 and on; with a second number, the time since they were interrupted."""
    return [
        Underway(*((age, thread) if isinstance(age, (int, float)) else (age[0], thread, age[1])))
        for thread, age in enumerate(ages_s)
    ]


EACH = Rules(threads=4, request_timeout_s=10, request_timeout_mode="each", interrupt_timeout_s=5)
AVERAGE = Rules(threads=4, request_timeout_s=10, interrupt_timeout_s=5)
ONE = Rules(threads=1, request_timeout_s=10, interrupt_timeout_s=5)


@pytest.mark.parametrize(
    ("rules", "requests", "interrupted"),
    [
        (ONE, underway(10.0), None),
        (ONE, underway(10.1), [0]),
        (ONE, underway((13.0, 3.0)), [0]),  # again, until it has come
        (EACH, underway(10.0, 9.0), None),
        (EACH, underway(10.1, 9.0, 12.0), [2, 0]),
        (EACH, underway((14.0, 4.0), 9.0, 12.0), [0, 2]),
        (AVERAGE, underway(40.0), None),
        (AVERAGE, underway(40.1), [0]),
        (AVERAGE, underway(1.0, 41.0, 2.0), [1]),
        (AVERAGE, underway(30.0, 35.0, 31.0), [1, 2]),  # 96 s; without the oldest 61, without two 30
        (AVERAGE, underway((45.0, 4.0), 20.0), [0]),  # the one that was interrupted does not count any more
        (AVERAGE, underway((45.0, 4.0), 25.0, 26.0), [0, 2]),
    ],
)
def test_which_requests_are_interrupted(rules: Rules, requests: list[Underway], interrupted: list[int] | None) -> None:
    verdict = judge(rules, vitals(requests=requests), 0.0)
    if interrupted is None:
        assert verdict is None
    else:
        assert verdict is not None
        assert (verdict.verdict, verdict.reason) == (Verdict.INTERRUPT, "request-timeout")
        assert [request.thread for request in verdict.requests] == interrupted


@pytest.mark.parametrize("rules", [ONE, EACH, AVERAGE])
def test_a_request_that_outlasts_its_interruption_is_what_it_is_without(rules: Rules) -> None:
    again = judge(rules, vitals(requests=underway((13.0, 5.0))), 0.0)
    assert again is not None
    assert again.verdict is Verdict.INTERRUPT
    verdict = judge(rules, vitals(requests=underway(1.0, (15.1, 5.1))), 0.0)
    detail = "a request runs for 15.1 s, interrupt-timeout did not end it"
    assert verdict == Judgement(Verdict.STUCK, "request-timeout", detail, serves=rules.threads > 1)


@given(
    st.integers(1, 20),
    st.lists(st.floats(0, 1000), max_size=20),
    st.floats(0.1, 300),
    st.sampled_from(["average", "each"]),
)
def test_interruptions_bring_a_process_within_its_limit_and_touch_no_more_than_it_takes(
    threads: int, ages_s: list[float], limit_s: float, mode: str
) -> None:
    rules = Rules(threads=threads, request_timeout_s=limit_s, request_timeout_mode=mode)
    seen = vitals(requests=underway(*ages_s[:threads]))
    without = judge(rules, seen, 0.0)
    verdict = judge(replace(rules, interrupt_timeout_s=1.0), seen, 0.0)
    assert (verdict is None) == (without is None)
    if verdict is not None:
        chosen = {request.thread for request in verdict.requests}
        rest = [request for request in seen.requests if request.thread not in chosen]
        assert all(request.age_s > limit_s for request in verdict.requests)
        assert judge(rules, vitals(requests=rest), 0.0) is None
        youngest = min(verdict.requests, key=lambda request: request.age_s)
        assert judge(rules, vitals(requests=[*rest, youngest]), 0.0) is not None


@pytest.mark.parametrize(
    ("elapsed_s", "busy_s", "absent_s"),
    [(0.5, 0.0, 0.0), (0.9, 0.0, 0.0), (40.5, 0.0, 40.0), (40.5, 39.9, 0.0), (40.5, 10.0, 30.0)],
)
def test_absent_is_who_neither_ran_nor_computed(elapsed_s: float, busy_s: float, absent_s: float) -> None:
    assert absence_s(elapsed_s, 0.5, busy_s) == absent_s


def test_a_wish_is_granted_after_all_that_is_wrong() -> None:
    assert reason(Rules(), vitals(wish="maximum-requests")) == "maximum-requests"
    found = judge(Rules(), vitals(wish="signal"), 0.0)
    assert found is not None
    assert found.verdict is Verdict.RECYCLE
    assert reason(Rules(deadlock_timeout_s=1), vitals(wish="signal", heartbeat_age_s=2.0)) == "deadlock-timeout"
