"""What `GET /v1/deaths` answers, and to whom."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.control import ControlUnderTest

from wsgigroups.manager.control.handlers import Call
from wsgigroups.manager.control.requests import DeathsQuery, NoParameters
from wsgigroups.manager.core.deaths import Death, RequestAtDeath
from wsgigroups.manager.core.stacks import Frame
from wsgigroups.trust.peers import Peer


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ControlUnderTest]:
    with ControlUnderTest(tmp_path) as under_test:
        yield under_test


def die(api: ControlUnderTest, *lives: int, group: str = "blog", slot: int = 1) -> None:
    stack = (Frame("application", "/srv/a.py:1", "f"), Frame("library", "socket", count=2))
    for life in lives:
        request = RequestAtDeath("GET /x\udc80", 1.0, 3, stack)
        api.deaths.record(
            Death(1000.5, group, slot, life, 9, "crashed", signal="SIGSEGV", requests=(request,), log=("secret",))
        )


def test_deaths_are_shown_oldest_first(api: ControlUnderTest) -> None:
    die(api, 1, 2)
    die(api, 3, slot=2)
    die(api, 4, group="shop")
    found = api.call("GET", "/v1/deaths").document
    assert [item["life"] for item in found["deaths"]] == [1, 2, 3, 4]
    first = found["deaths"][0]
    assert (first["at"], first["cause"], first["asked"]) == ("1970-01-01T00:16:40.500Z", "crashed", False)
    assert (first["requests"][0]["asked"], first["requests"][0]["frame"]["place"]) == ("GET /x\\udc80", "/srv/a.py:1")
    assert (first["log"], first["reason"], first["exit_code"]) == (["secret"], None, None)
    of_slot = api.call("GET", "/v1/deaths?group=blog&slot=1&limit=1").document
    assert [item["life"] for item in of_slot["deaths"]] == [2]
    assert api.call("GET", "/v1/deaths?group=shop").document["deaths"], "it is gone, and what it died of is known"
    assert api.call("GET", "/v1/deaths?group=none").status == 404


@pytest.mark.parametrize(
    ("caller", "log"),
    [({"administers": True}, ["secret"]), ({"groups": frozenset({"blog"})}, ["secret"]), ({}, None)],
)
def test_who_may_read_the_status_reads_no_log(
    api: ControlUnderTest, caller: dict[str, Any], log: list[str] | None
) -> None:
    die(api, 1)
    found = []

    async def ask() -> None:
        call: Call[NoParameters, DeathsQuery, NoParameters] = Call(Peer(12345, 1, 1), query=DeathsQuery(), **caller)
        found.extend((await api.handlers.deaths_of(call)).deaths)

    api.within(ask)
    assert [item.log for item in found] == [log]


@pytest.mark.parametrize("query", ["slot=-1", "limit=1001", "group=" + "x" * 300, "before=1"])
def test_a_question_that_does_not_fit_is_refused(api: ControlUnderTest, query: str) -> None:
    assert api.call("GET", f"/v1/deaths?{query}").status == 400
