"""What processes that have ended have counted: counters only, sensible numbers only."""

from __future__ import annotations

from tests.simulation.world import World, target
from wsgigroups.lifecycle.step import Exit
from wsgigroups.manager.core import model
from wsgigroups.manager.core.totals import added, counters

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
    assert world.state.groups["blog"].ended == {"requests_total": 10}
    world.tell(model.Apply({"blog": target("blog", 1, 2)}, 2))
    world.run(world.now + 30.0)
    assert world.state.groups["blog"].ended == {"requests_total": 10}
