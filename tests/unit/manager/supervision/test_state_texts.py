"""Texts of what is stored: made anew for what has changed, and for nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from support.targets import small_target

from wsgigroups.manager.core.model import Change, Former, GroupState, LastError, Progress, Proved, State, Transaction
from wsgigroups.manager.supervision import kept_changes
from wsgigroups.manager.supervision.remembering import group_from_json, rest_to_json
from wsgigroups.manager.supervision.state_texts import StateTexts
from wsgigroups.plan.desired import GroupTarget

GROUP = GroupState(small_target())


def test_a_group_that_is_as_it_was_has_the_same_text_whatever_its_processes_do() -> None:
    texts = StateTexts()
    first = texts.group("blog", GROUP, "/run", [])
    rest = json.loads(json.dumps(rest_to_json(GROUP)))
    target = json.loads(json.dumps(GROUP.target.to_json()))
    assert json.loads("".join(first)) == {**rest, "target": target, "proved": None, "run_dir": "/run", "counted": []}
    assert texts.group("blog", replace(GROUP, restart_before=7, records=()), "/run", ()) == first


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


@pytest.mark.parametrize("proved", [small_target(), small_target(fingerprint="h")], ids=["the same", "another"])
def test_what_is_stored_of_a_group_gives_the_group_back(proved: GroupTarget) -> None:
    group = replace(GROUP, proved=Proved(proved, 3), stopped=True)
    after = group_from_json(json.loads("".join(StateTexts().group("blog", group, "/run", []))))
    assert (after.target, after.proved, after.stopped) == (group.target, group.proved, True)


def test_the_text_of_a_target_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    texts, made = StateTexts(), []
    monkeypatch.setattr(GroupTarget, "to_json", lambda target: made.append(target.fingerprint) or {})
    new = replace(GROUP, target=small_target(fingerprint="g"), proved=Proved(GROUP.target, None))
    for group in (GROUP, replace(GROUP, restarts=1), new, replace(new, restarts=2)):
        texts.group("blog", group, "/run", [])
    assert made == ["f", "g"]


def test_where_it_is_in_force_and_the_exits_that_are_counted_make_another_text() -> None:
    texts = StateTexts()
    texts.group("blog", GROUP, "/run", [])
    assert json.loads("".join(texts.group("blog", GROUP, "/run", [5])))["counted"] == [5]
    assert json.loads("".join(texts.group("blog", GROUP, "/other", [5])))["run_dir"] == "/other"


def test_the_apply_under_way_is_told_until_it_is_over() -> None:
    texts = StateTexts()
    transaction = Transaction(1, 0, {"blog": Former(small_target())}, frozenset(), returns=True)
    state = State(changes={1: Change(1, "apply", {"blog": Progress()}, 2)}, transaction=transaction)
    for one in (state, replace(state, transaction=replace(transaction, returning=True)), State()):
        assert json.loads(texts.transaction(one)) == json.loads(json.dumps(kept_changes.to_json(one)))
