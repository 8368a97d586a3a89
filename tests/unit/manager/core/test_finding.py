"""Where a life is: what was learned of it is looked at first, and never believed."""

from __future__ import annotations

import random

from support.targets import small_target

from wsgigroups.lifecycle.step import Record
from wsgigroups.manager.core import model
from wsgigroups.manager.core.turn import Turn

LIVES = 40


def groups_with(dice: random.Random, turn: Turn) -> None:
    """Put a group that has some of the lives that no other one has."""
    name = f"g{dice.randrange(5)}"
    others = {record.life for key, group in turn.state.groups.items() if key != name for record in group.records}
    free = sorted(set(range(1, LIVES)) - others)
    lives = dice.sample(free, min(len(free), dice.randrange(6)))
    turn.put(model.GroupState(small_target(name), tuple(Record(name, 1, life, "f") for life in lives)))


def test_a_life_is_found_where_it_is() -> None:
    dice, turn = random.Random(5), Turn(model.State(), 0.0)
    for _round in range(400):
        if dice.random() < 0.1 and turn.state.groups:
            turn.drop(dice.choice(sorted(turn.state.groups)))
        else:
            groups_with(dice, turn)
        for life in range(LIVES):
            there = [(g, r) for g in turn.state.groups.values() for r in g.records if r.life == life]
            assert turn.state.find(life) == (there[0] if there else None)


def test_it_is_found_in_a_state_that_nobody_was_told_of() -> None:
    group = model.GroupState(small_target("a"), (Record("a", 1, 7, "f"),))
    state = model.State({"b": model.GroupState(small_target("b")), "a": group})
    assert state.find(7) == (group, group.records[0])
    assert state.homes == {7: "a"}


def test_what_is_remembered_is_bounded() -> None:
    turn = Turn(model.State(), 0.0)
    for life in range(1, 3 * model.KEPT_HOMES, 2):
        turn.state.settle("a", model.GroupState(small_target("a"), (Record("a", 1, life, "f"),)))
    assert len(turn.state.homes) <= model.KEPT_HOMES + 1


def test_a_turn_tells_whom_it_has_touched() -> None:
    turn = Turn(model.State({"c": model.GroupState(small_target("c"))}), 0.0)
    turn.put(model.GroupState(small_target("a")))
    turn.drop("c")
    turn.finish(model.State())
    assert turn.state.touched == {"a", "c"}
