"""What a manager stores for the next one, and what that makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.targets import small_target

from wsgigroups.manager.core import model
from wsgigroups.manager.core.model import Proved
from wsgigroups.manager.store import Store, Stored
from wsgigroups.manager.supervision.recovery import first_in_slots
from wsgigroups.manager.supervision.remembering import group_from_json
from wsgigroups.manager.supervision.state_texts import StateTexts
from wsgigroups.plan.desired import RolloutTarget, Share

NEW, OLD = small_target(fingerprint="new"), small_target(fingerprint="old", rollout=RolloutTarget(canary=Share(2)))


def through_the_store(group: model.GroupState, directory: Path) -> model.GroupState:
    store = Store(directory)
    store.prepare()
    store.save(Stored(groups={"blog": StateTexts().group("blog", group, "/run", ())}))
    return group_from_json(store.load().groups["blog"])


def test_the_target_to_return_to_survives_the_manager(tmp_path: Path) -> None:
    found = through_the_store(model.GroupState(NEW, proved=Proved(OLD, 3), watched=True), tmp_path)
    assert found.fallback == OLD
    assert found.proved == Proved(OLD, 3)
    assert found.watched


def test_a_target_that_is_proved_is_stored_once(tmp_path: Path) -> None:
    group = model.GroupState(NEW, proved=Proved(NEW, 3))
    found = through_the_store(group, tmp_path)
    assert (found.unproved, found.fallback, found.watched) == (False, None, False)
    assert "".join(StateTexts().group("blog", group, "/run", ())).count('"fingerprint": "new"') == 1


def test_what_was_never_proved_is_not_proved_by_the_death_of_a_manager(tmp_path: Path) -> None:
    found = through_the_store(model.GroupState(NEW), tmp_path)
    assert (found.unproved, found.proved) == (True, None)


@pytest.mark.parametrize("absent", [("proved",), ("restarts", "ended", "proved")])
def test_what_an_earlier_version_stored_is_what_ran(absent: tuple[str, ...]) -> None:
    data: dict[str, Any] = json.loads("".join(StateTexts().group("blog", model.GroupState(NEW), "/run", ())))
    for name in absent:
        del data[name]
    del data["target"]["rollout"]
    found = group_from_json(data)
    assert (found.unproved, found.target.rollout) == (False, RolloutTarget())


def test_who_was_to_follow_a_process_is_no_restart_when_both_have_ended() -> None:
    a1, a2, b1 = ("a", 1), ("a", 2), ("b", 1)
    lives = [(a1, 7), (a1, 3), (a2, 4), (b1, 5), (a1, 9)]
    assert first_in_slots(lives) == {a1: 3, a2: 4, b1: 5}
    assert first_in_slots(()) == {}
