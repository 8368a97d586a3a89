"""Texts of what is stored: made anew for what has changed, and for nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from support.targets import small_target

from wsgigroups.manager.core.model import Change, Former, GroupState, LastError, Progress, Proved, State, Transaction
from wsgigroups.manager.supervision import kept_changes
from wsgigroups.manager.supervision.remembering import group_to_json
from wsgigroups.manager.supervision.state_texts import StateTexts

GROUP = GroupState(small_target())


def test_a_group_that_is_as_it_was_has_the_same_text_whatever_its_processes_do() -> None:
    texts = StateTexts()
    first = texts.group("blog", GROUP, "/run", [])
    assert json.loads(first) == {**json.loads(json.dumps(group_to_json(GROUP))), "run_dir": "/run", "counted": []}
    assert texts.group("blog", replace(GROUP, restart_before=7, records=()), "/run", ()) is first


@pytest.mark.parametrize(
    "changes",
    [
        {"target": small_target(fingerprint="g")},
        {"proved": Proved(small_target(fingerprint="h"), 3)},
        {"stopped": True},
        {"processes_override": 4},
        {"restarts": 1},
        {"ended": {"requests_total": 1}},
        {"last_error": LastError(1, 2, "it died")},
        {"deaths": {1: LastError(1, 2, "it died")}},
    ],
    ids=lambda changes: str(*changes),
)
def test_each_thing_that_is_stored_of_a_group_makes_another_text(changes: dict[str, Any]) -> None:
    texts = StateTexts()
    texts.group("blog", GROUP, "/run", [])
    after = replace(GROUP, **changes)
    text = texts.group("blog", after, "/run", [])
    assert text == StateTexts().group("blog", after, "/run", [])
    assert text != StateTexts().group("blog", GROUP, "/run", [])


def test_where_it_is_in_force_and_the_exits_that_are_counted_make_another_text() -> None:
    texts = StateTexts()
    texts.group("blog", GROUP, "/run", [])
    assert json.loads(texts.group("blog", GROUP, "/run", [5]))["counted"] == [5]
    assert json.loads(texts.group("blog", GROUP, "/other", [5]))["run_dir"] == "/other"


def test_the_apply_under_way_is_told_until_it_is_over() -> None:
    texts = StateTexts()
    transaction = Transaction(1, 0, {"blog": Former(small_target())}, frozenset(), returns=True)
    state = State(changes={1: Change(1, "apply", {"blog": Progress()}, 2)}, transaction=transaction)
    for one in (state, replace(state, transaction=replace(transaction, returning=True)), State()):
        assert json.loads(texts.transaction(one)) == json.loads(json.dumps(kept_changes.to_json(one)))
