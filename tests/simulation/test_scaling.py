"""The law of scaling on loads as they come: a step, a ramp, a square wave, computing groups, too little memory."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from functools import partial

import pytest

from tests.simulation.scaling_world import MEBIBYTE, Machine, Simulated
from wsgigroups.plan.scaling import HURRY_S, ScalingTarget

LIMITS = ScalingTarget(minimum=1, maximum=20)
HOUR_S = 3600.0


def steady(rate: float, _now: float) -> float:
    return rate


def one(group: Simulated, **machine: float) -> Machine:
    return Machine({"blog": group}, **machine)  # type: ignore[arg-type]


def peak(group: Simulated) -> int:
    return max(to for _at, _of, to in group.changes)


def began(group: Simulated, since: float) -> float:
    """When the last process was begun, in seconds after a moment."""
    return max(at for at, of, to in group.changes if to > of) - since


@pytest.mark.parametrize("imports_s", [0.05, 0.3, 1.0, 10.0])
def test_a_tenfold_step_has_all_that_it_needs_begun_within_a_second_and_no_more(imports_s: float) -> None:
    """24 requests a second of 0.1 s are 2.4 busy threads: ⌈2.4 / (4 × 0.7)⌉ = 1. Ten times as many: ⌈24 / 2.8⌉ = 9.

    Two looks with a queue are 0.5 s; 1 → 2 → 4 → 8 → 9 are four looks, an eighth of a second apart.
    """
    blog = Simulated(lambda now: 24.0 if now < 20 else 240.0, LIMITS, imports_s=imports_s)
    machine = one(blog)
    machine.run(20 + 0.5 + 3 * HURRY_S + imports_s)
    assert began(blog, 20.0) <= 1.0
    assert (blog.ready, blog.starting) == (9, [])
    machine.run(60)
    assert blog.waits[-1][1] <= LIMITS.queue_target_s
    # those who came meanwhile are answered by busy threads, of which the target wants fewer
    assert peak(blog) <= 9 + math.ceil(imports_s) + 3


@pytest.mark.parametrize("imports_s", [0.3, 1.0, 10.0])
def test_ten_times_the_clients_have_what_they_need_begun_within_a_second_and_no_more(imports_s: float) -> None:
    """Clients who ask again when they are answered: 2, later 25. All of those have a thread with ⌈25 / 4⌉ = 7.

    Their threads are then busy all the time, and the target asks for ⌈25 / (4 × 0.7)⌉ = 9.
    """
    blog = Simulated(lambda _now: 0.0, LIMITS, clients=lambda now: 2.0 if now < 20 else 25.0, imports_s=imports_s)
    machine = one(blog)
    machine.run(20 + 0.5 + 3 * HURRY_S + imports_s)
    assert began(blog, 20.0) <= 1.0
    assert blog.ready >= 7
    machine.run(60 + 2 * imports_s)
    assert (blog.ready, peak(blog)) == (9, 9)


def test_what_computes_is_begun_only_as_far_as_processors_are_idle_for_it() -> None:
    """Its queue asks for 20; a process takes a processor, and of four three are idle."""
    blog = Simulated(lambda _now: 1000.0, LIMITS, threads=4, takes_s=0.02, computes_s=0.02, imports_s=30.0)
    machine = one(blog, cores=4.0)
    machine.run(25)
    assert (blog.ready, len(blog.starting)) == (1, 3)


def test_a_ramp_is_followed_up_at_once_and_down_one_at_a_time_after_the_delay() -> None:
    blog = Simulated(lambda now: max(0.0, min(now, 1200.0 - now)) / 2, LIMITS)
    machine = one(blog)
    machine.run(600)
    assert 10 <= blog.ready <= 14  # 300 a second of 0.1 s: 30 busy threads, ⌈30 / (4 × 0.7)⌉ = 11
    assert max(wait_s for _at, wait_s in blog.waits) < 1.0
    assert blog.turns() == 1
    machine.run(600 + 400)
    assert blog.turns() == 2
    assert blog.ready == 1


@pytest.mark.parametrize(("period_s", "at_first"), [(300.0, 2), (600.0, 2), (1000.0, 6)])
def test_a_square_wave_makes_at_most_two_changes_an_hour(period_s: float, at_first: int) -> None:
    """At the delay of 300 s, or with halves as long, in every hour; one that is slower as soon as the delay has grown.

    A change is a time of growing, or of going down one by one, whatever the number of steps.
    """
    blog = Simulated(lambda now: 240.0 if now % period_s < period_s / 2 else 5.0, LIMITS)
    machine = one(blog)
    machine.run(HOUR_S)
    machine.run(3 * HOUR_S)
    assert blog.turns() - blog.turns(HOUR_S) <= at_first
    assert blog.turns(HOUR_S) <= 3 * 2
    assert blog.turns(3 * HOUR_S) <= 2


def test_a_load_that_only_trembles_changes_nothing() -> None:
    chance = random.Random(7)
    blog = Simulated(lambda _now: chance.uniform(60.0, 100.0), LIMITS)
    machine = one(blog)
    machine.run(300)
    before = list(blog.changes)
    machine.run(2 * HOUR_S)
    assert len(blog.changes) - len(before) <= 2


def test_a_group_that_computes_gets_more_processes_while_processors_are_idle_and_no_others() -> None:
    blog = Simulated(lambda _now: 150.0, LIMITS, threads=15, takes_s=0.02, computes_s=0.02)
    machine = one(blog, cores=8.0)
    machine.run(120)
    assert 4 <= blog.ready <= 8
    machine.run(900)
    assert blog.ready == 5  # 150 of 0.02 s are 3 processors: 3 / (0.85 × 0.8) = 4.4, and those that stay shall do
    assert blog.waits[-1][1] <= LIMITS.queue_target_s


def test_busy_processors_end_the_growth_whatever_waits() -> None:
    blog = Simulated(lambda _now: 1000.0, LIMITS, threads=2, takes_s=0.02, computes_s=0.02)
    machine = one(blog, cores=2.0)
    machine.run(300)
    assert blog.ready <= 4
    assert blog.last.held == "all processors are busy"


def test_threads_that_wait_are_told_apart_from_those_that_compute() -> None:
    blog = Simulated(lambda _now: 1000.0, replace(LIMITS, maximum=2), takes_s=1.0, computes_s=0.001)
    machine = one(blog)
    machine.run(30)
    assert blog.ready == 2
    assert blog.last.held == "processes-max = 2"


def test_memory_that_is_not_there_is_not_given_away() -> None:
    blog = Simulated(lambda _now: 400.0, LIMITS)
    machine = one(blog, memory_bytes=300 * MEBIBYTE)
    machine.run(300)
    assert blog.ready == 5  # with 60 MiB for each that starts
    assert "memory-reserve" in blog.last.held


def test_two_hundred_groups_on_one_budget_get_their_minimum_and_who_waits_gets_the_rest() -> None:
    chance = random.Random(11)
    busy = set(chance.sample(range(200), 10))

    groups = {
        f"site-{number}": Simulated(partial(steady, 200.0 if number in busy else 1.0), replace(LIMITS, maximum=8))
        for number in range(200)
    }
    machine = Machine(groups, cores=64.0, processes=250)
    machine.run(60)
    grown = {name for name, group in groups.items() if group.ready > 1}
    assert grown == {f"site-{number}" for number in busy}
    assert sum(group.wanted for group in groups.values()) == 250
    assert any(group.last.held == "processes-max of [server]" for group in groups.values())


def test_a_group_that_nobody_asks_falls_asleep() -> None:
    limits = replace(LIMITS, minimum=0, sleep_after_s=60.0)
    blog = Simulated(lambda now: 10.0 if now < 30 else 0.0, limits)
    machine = one(blog)
    machine.run(85)
    assert blog.ready == 1
    machine.run(10)
    assert blog.ready == 0
    assert blog.changes[-1][1:] == (1, 0)
