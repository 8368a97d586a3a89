"""What the next manager is told of deaths: all that counts, not more than there is room for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.targets import small_target

from wsgigroups.manager.core.model import GroupState, LastError
from wsgigroups.manager.core.totals import of_sites, sites_in
from wsgigroups.manager.supervision.remembering import (
    KEPT_DEATHS,
    KEPT_TEXT,
    errors_from_json,
    errors_to_json,
    group_from_json,
)
from wsgigroups.manager.supervision.state_texts import StateTexts
from wsgigroups.plan.routing import RoutingTarget


def test_deaths_come_back_as_they_were() -> None:
    first = LastError(1, 7, "cannot load", "Traceback", "load", ("GET /",))
    group = GroupState(small_target()).blamed(first).blamed(LastError(2, 9, "killed by signal 9"))
    last, deaths = errors_from_json(json.loads(json.dumps(errors_to_json(group))))
    assert (last, deaths) == (group.last_error, group.deaths)


def test_requests_of_sites_come_back_but_for_those_that_are_gone() -> None:
    target = small_target(
        "@gateway", routing=RoutingTarget('{"sites":["a.test","b.test"]}\n{}\n{}', (), (), (), "/run")
    )
    counts = {"requests_total": 9, **of_sites({"a.test": 4, "gone.test": 5, "b.test": 0})}
    group = group_from_json(
        json.loads("".join(StateTexts().group("@gateway", GroupState(target, ended=counts), "/run", ())))
    )
    assert sites_in(group.ended) == {"a.test": 4}
    assert group.ended["requests_total"] == 9


def test_they_are_bounded_and_the_latest_stay() -> None:
    group = GroupState(small_target())
    for slot in range(1, 2 * KEPT_DEATHS):
        group = group.blamed(
            LastError(slot, slot, "m" * 2 * KEPT_TEXT, f"{'t' * 2 * KEPT_TEXT}end", requests=("r",) * 999)
        )
    stored = errors_to_json(group)
    assert len(json.dumps(stored)) < (KEPT_DEATHS + 1) * 3 * KEPT_TEXT
    last, deaths = errors_from_json(stored)
    assert last is not None
    assert last.traceback.endswith("end")
    assert sorted(deaths) == list(range(KEPT_DEATHS, 2 * KEPT_DEATHS))


@pytest.mark.parametrize("item", [{}, {"last_error": 3, "deaths": [None, {}, {"slot": "x"}, 4]}, {"deaths": None}])
def test_what_cannot_be_read_is_left_out(item: dict[str, Any]) -> None:
    assert errors_from_json(item) == (None, {})
