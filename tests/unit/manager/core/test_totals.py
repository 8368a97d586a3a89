"""What processes that have ended have counted: counters only, sensible numbers only."""

from __future__ import annotations

from tests.simulation.world import World, target
from wsgigroups.lifecycle.step import Exit
from wsgigroups.manager.core import model
from wsgigroups.manager.core.totals import added, counters, stored

EVERY = 2**64 - 1


def test_only_counters_count_and_only_numbers() -> None:
    words = {"requests_total": 3, "requests_active": 9, "sent_bytes": -1, "status_2xx": True, "refused": "7", "odd": 1}
    assert counters({**words, "aborted": EVERY + 1, "status_5xx": 0, "received_bytes": 5.0}) == {"requests_total": 3}


def test_sums_have_an_end() -> None:
    assert added({"aborted": 2, "refused": EVERY}, {"refused": 1, "sent_bytes": 4}) == {
        "aborted": 2,
        "refused": EVERY,
        "sent_bytes": 4,
    }


def test_a_group_keeps_what_its_processes_counted_even_without_a_record_of_them() -> None:
    world = World(seed=1, moods=("good",))
    world.tell(model.Apply({"blog": target("blog", 1, 1)}, 1))
    world.run(world.now + 30.0)
    (record,) = world.state.groups["blog"].records
    world.daemons[record.life].alive = False
    for life in (record.life, record.life + 1000):
        world.tell(model.LifeExited(life, Exit(0, 0), {"requests_total": 5}, "blog"))
    world.tell(model.LifeExited(record.life + 1001, Exit(0, 0), {"requests_total": 5}, "gone"))
    assert world.state.groups["blog"].ended == {"requests_total": 10, "ended:exited": 1}
    before = world.state.groups["blog"].ended
    world.tell(model.Apply({"blog": target("blog", 1, 2)}, 2))
    world.run(world.now + 30.0)
    after = world.state.groups["blog"].ended
    assert {name: after[name] for name in before} == before


def test_each_end_is_counted_by_its_cause_with_the_time_it_took_of_the_processor() -> None:
    world = World(seed=1, moods=("good",))
    world.tell(model.Apply({"blog": target("blog", 1, 1)}, 1))
    for signal, cut, cpu_s in (("SIGSEGV", True, 1.25), ("SIGKILL", False, None), ("SIGSEGV", False, 0.5)):
        world.run(world.now + 120.0)
        (record,) = world.state.groups["blog"].records
        world.daemons[record.life].alive = False
        exited = model.LifeExited(record.life, Exit(-1, 11), {}, "blog", signal=signal, cut=cut, cpu_s=cpu_s)
        world.tell(exited)
        world.tell(exited)  # a spawner that tells twice changes nothing
    assert world.state.groups["blog"].ended == {"ended:crashed": 2, "ended:killed": 1, "cpu_us": 1_750_000}


def test_what_was_stored_is_read_again_with_what_the_manager_counted_itself() -> None:
    ended = {"requests_total": 3, "ended:crashed": 2, "cpu_us": 7}
    assert stored({**ended, "ended:magic": 1, "aborted": -1}) == ended
    assert counters(ended) == {"requests_total": 3}  # a board, and what a tenant's spawner says, has no other words
