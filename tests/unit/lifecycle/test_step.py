"""One event, one record: deadlines, backoff, counters."""

from __future__ import annotations

import pytest

from wsgigroups.lifecycle import backoff
from wsgigroups.lifecycle.step import EXIT_S, Event, Exit, Impossible, Record, Timings, retime, step
from wsgigroups.lifecycle.table import Action, EventKind, Tenancy

CRASH = Event(EventKind.EXITED, exit=Exit(1, 0))


def up(now: float = 0.0, **timings: float) -> Record:
    record = Record("blog", 1, 0, "f", timings=Timings(**timings))
    record, _ = step(record, Event(EventKind.WANT_UP, new_life=7), now)
    record, _ = step(record, Event(EventKind.SPAWNED, pid=4711), now)
    return record


def ready(now: float = 0.0) -> Record:
    return step(up(now), Event(EventKind.BECAME_READY), now)[0]


def test_wanting_up_spawns_with_the_new_life() -> None:
    record, commands = step(Record("blog", 1, 0, "f"), Event(EventKind.WANT_UP, new_life=7), 5.0)
    assert (record.state, record.life, record.spawned_at) == (Tenancy.SPAWNING, 7, 5.0)
    assert [command.action for command in commands] == [Action.SPAWN]
    assert str(record) == "blog/1 life=7 pid=- SPAWNING"


def test_startup_timeout_is_the_only_deadline_while_starting() -> None:
    assert up(10.0, startup_s=3.0).deadline == 13.0
    assert up(10.0).deadline is None


def test_draining_gets_its_window_and_then_shutdown_timeout_once() -> None:
    record, commands = step(ready(), Event(EventKind.WANT_DOWN, reason="stop", window_s=2.0), 100.0)
    assert record.state is Tenancy.DRAINING
    assert record.deadline == 100.0 + 2.0 + 5.0 + 1.0
    assert [command.action for command in commands] == [Action.DRAIN]
    again, commands = step(record, Event(EventKind.WANT_DOWN, reason="reload", window_s=60.0), 101.0)
    assert again == record
    assert commands == ()


def test_a_stop_ends_a_window_and_nothing_puts_the_end_off() -> None:
    record, _ = step(ready(), Event(EventKind.WANT_DOWN, reason="reload", window_s=60.0), 100.0)
    hurried, commands = step(record, Event(EventKind.WANT_DOWN, reason="stop"), 110.0)
    assert (hurried.reason, hurried.window_s, hurried.deadline) == ("reload", 0.0, 116.0)
    assert [(command.action, command.record) for command in commands] == [(Action.DRAIN, hurried)]
    assert step(hurried, Event(EventKind.WANT_DOWN, reason="stop"), 114.0) == (hurried, ())
    late, _ = step(record, Event(EventKind.WANT_DOWN, reason="stop"), 165.0)
    assert late.deadline == record.deadline == 166.0


def test_an_overdue_drain_is_killed_and_the_kill_repeated() -> None:
    record, _ = step(ready(), Event(EventKind.WANT_DOWN), 0.0)
    assert record.deadline == 6.0
    record, commands = step(record, Event(EventKind.OVERDUE), 6.0)
    assert (record.state, [c.action for c in commands]) == (Tenancy.KILLING, [Action.KILL])
    record, commands = step(record, Event(EventKind.OVERDUE), 7.0)
    assert [c.action for c in commands] == [Action.KILL]
    assert step(record, CRASH, 8.0)[0].state is Tenancy.ABSENT


def test_a_hang_in_starting_is_aborted_and_backs_off() -> None:
    record, commands = step(up(0.0, startup_s=3.0), Event(EventKind.OVERDUE), 3.0)
    assert (record.state, commands[0].action) == (Tenancy.ABORTING, Action.KILL)
    record, _ = step(record, Event(EventKind.EXITED, exit=Exit(-1, 9)), 3.1)
    assert (record.state, record.failures) == (Tenancy.COOLING, 1)


@pytest.mark.parametrize(("failures", "base"), list(enumerate(backoff.DELAYS_S, start=1)))
def test_backoff_grows_and_stays_within_its_jitter(failures: int, base: float) -> None:
    for life in range(1, 200):
        assert base * 0.8 <= backoff.delay_s(failures, life) <= base * 1.2
    assert backoff.delay_s(1000, 1) >= 24.0


def test_long_health_forgives_what_came_before() -> None:
    record = ready(0.0)
    for _ in range(4):
        record, _ = step(record, CRASH, 1.0)
        record, _ = step(record, Event(EventKind.OVERDUE, new_life=record.life + 1), 10.0)
        record, _ = step(record, Event(EventKind.SPAWNED, pid=1), 10.0)
        record, _ = step(record, Event(EventKind.BECAME_READY), 10.0)
    assert record.failures == 4
    record, _ = step(record, CRASH, 10.0 + backoff.HEALTHY_S)
    assert record.failures == 1
    assert record.deadline == 10.0 + backoff.HEALTHY_S  # the first failure waits for nothing


def crashed_after(healthy_s: float, times: int) -> Record:
    """A record whose lives were ready for that long each, and that has died this often."""
    record = ready(0.0)
    now = healthy_s
    for _ in range(times - 1):
        record, _ = step(record, CRASH, now)
        assert record.deadline is not None
        now = record.deadline
        record, _ = step(record, Event(EventKind.OVERDUE, new_life=record.life + 1), now)
        record, _ = step(record, Event(EventKind.SPAWNED, pid=1), now)
        record, _ = step(record, Event(EventKind.BECAME_READY), now)
        now += healthy_s
    return step(record, CRASH, now)[0]


@pytest.mark.parametrize(
    ("healthy_s", "times", "low_s", "high_s"),
    [
        (0.0, 5, 1.6, 2.4),  # dies as soon as it is ready: waits in full
        (1.0, 5, 0.6, 1.4),  # what it served is taken off
        (2.4, 5, 0.0, 0.0),  # it has served for as long as it would wait
        (20.0, 5, 0.0, 0.0),
        (20.0, 50, 4.0, 16.0),  # but 30 s between the starts of what dies again and again
        (60.0, 50, 0.0, 0.0),
    ],
)
def test_time_in_health_counts_as_waiting(healthy_s: float, times: int, low_s: float, high_s: float) -> None:
    record = crashed_after(healthy_s, times)
    assert record.deadline is not None
    wait_s = record.deadline - (record.ready_at or 0.0) - healthy_s
    assert low_s - 1e-9 <= wait_s <= high_s + 1e-9


def test_a_start_that_takes_long_is_no_health() -> None:
    record, _ = step(up(0.0), CRASH, 100.0)
    record, _ = step(record, Event(EventKind.OVERDUE, new_life=8), 100.0)
    record, _ = step(record, Event(EventKind.SPAWNED, pid=1), 100.0)
    record, _ = step(record, CRASH, 110.0)
    assert record.deadline is not None
    assert 0.2 <= record.deadline - 110.0 <= 0.3


def test_wanting_up_skips_the_backoff() -> None:
    record, _ = step(up(), CRASH, 1.0)
    record, commands = step(record, Event(EventKind.WANT_UP, new_life=8), 1.0)
    assert (record.state, record.failures, commands[0].action) == (Tenancy.SPAWNING, 0, Action.SPAWN)


def test_what_cannot_happen_raises_and_names_the_record() -> None:
    with pytest.raises(Impossible, match="SPAWNED is impossible for blog/1 life=7"):
        step(ready(), Event(EventKind.SPAWNED, pid=2), 0.0)


@pytest.mark.parametrize(
    ("status", "text"), [(Exit(3, 0), "exit code 3"), (Exit(-1, 9), "killed by signal 9"), (Exit(-1, 0), "unknown")]
)
def test_an_exit_says_how(status: Exit, text: str) -> None:
    assert text in str(status)


def test_shutdown_timeout_zero_waits_without_limit_unless_it_is_stuck() -> None:
    record = step(up(shutdown_s=0.0), Event(EventKind.BECAME_READY), 0.0)[0]
    assert step(record, Event(EventKind.WANT_DOWN), 1.0)[0].deadline is None
    assert step(record, Event(EventKind.STALLED, reason="deadlock-timeout"), 1.0)[0].deadline == 7.0
    assert step(record, Event(EventKind.STALLED, reason="request-timeout", window_s=3.0), 1.0)[0].deadline == 10.0


def test_a_longer_shutdown_timeout_holds_for_who_leaves_already_and_a_shorter_one_does_not() -> None:
    record = Record("a", 1, 1, "f", Tenancy.READY, Timings(shutdown_s=5.0))
    leaving, _commands = step(record, Event(EventKind.WANT_DOWN, window_s=2.0), 10.0)
    assert leaving.deadline == 10.0 + 2.0 + 5.0 + EXIT_S
    longer = retime(leaving, Timings(shutdown_s=9.0))
    assert longer.deadline == 10.0 + 2.0 + 9.0 + EXIT_S
    assert retime(longer, Timings(shutdown_s=1.0)).deadline == longer.deadline
    assert retime(longer, Timings(shutdown_s=9.0)).deadline == longer.deadline, "again is no longer"
    assert longer.postponed(100.0).deadline == longer.deadline + 100.0
    assert retime(longer.postponed(100.0), Timings(shutdown_s=10.0)).deadline == 10.0 + 2.0 + 10.0 + EXIT_S + 100.0
    hurried, _commands = step(longer, Event(EventKind.WANT_DOWN), 11.0)
    assert hurried.deadline == 11.0 + 9.0 + EXIT_S
    assert retime(record, Timings(shutdown_s=9.0)).deadline is None
