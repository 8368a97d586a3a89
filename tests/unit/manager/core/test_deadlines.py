"""The next deadline of many groups, found by looking at those that have changed."""

from __future__ import annotations

import random
from dataclasses import replace

from support.targets import small_target

from wsgigroups.lifecycle.step import Record
from wsgigroups.manager.core.deadlines import GroupDeadlines, deadline_of
from wsgigroups.manager.core.haste import MEMORY
from wsgigroups.manager.core.model import GroupState, Held


def some_group(dice: random.Random, name: str) -> GroupState:
    records = tuple(
        replace(Record(name, slot, slot, "f"), deadline=dice.choice([None, dice.uniform(0, 100)])) for slot in (1, 2)
    )
    held = {1: Held(MEMORY, dice.uniform(0, 100))} if dice.random() < 0.2 else {}
    return GroupState(small_target(name), records, look_at=dice.choice([None, None, dice.uniform(0, 100)]), held=held)


def test_what_is_remembered_is_what_a_whole_look_finds() -> None:
    dice, remembered = random.Random(8), GroupDeadlines()
    groups: dict[str, GroupState] = {}
    for _round in range(500):
        name, before = f"g{dice.randrange(6)}", groups
        if dice.random() < 0.3:
            groups = {key: value for key, value in groups.items() if key != name}
        else:
            groups = {**groups, name: some_group(dice, name)}
        whole = [at for group in groups.values() if (at := deadline_of(group)) is not None]
        if dice.random() < 0.8:  # mostly it is known what has changed, and since when
            assert remembered.next(groups, before, {name}) == min(whole, default=None)
        elif dice.random() < 0.5:
            assert remembered.next(groups) == min(whole, default=None)
