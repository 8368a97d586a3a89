"""What `GET /v1/events` answers: what happened, oldest first, and more as soon as it happens."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.control import ControlUnderTest

from wsgigroups.manager.core.happenings import Happening


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ControlUnderTest]:
    with ControlUnderTest(tmp_path) as under_test:
        yield under_test


def kinds(answer: dict[str, Any]) -> list[str]:
    return [event["kind"] for event in answer["events"]]


def test_events_are_shown_oldest_first_and_from_a_number_on(api: ControlUnderTest) -> None:
    first = api.call("GET", "/v1/events").document
    assert kinds(first) == ["change-begun", "group-added"]
    assert first["last"] == 2
    assert first["events"][1]["group"] == "blog"
    assert first["events"][1]["at"].endswith("Z")
    assert kinds(api.call("GET", "/v1/events?after=1").document) == ["group-added"]
    assert kinds(api.call("GET", "/v1/events?limit=1").document) == ["group-added"]
    assert kinds(api.call("GET", "/v1/events?group=shop").document) == []
    assert kinds(api.call("GET", "/v1/events?since=99999999999").document) == []


def test_who_waits_hears_of_the_next_one_that_concerns_him(api: ControlUnderTest) -> None:
    replies = []
    path = "/v1/events?after=2&group=blog&wait_s=30"
    waiting = threading.Thread(target=lambda: replies.append(api.call("GET", path).document))
    waiting.start()
    assert api.post("/v1/stop", {"groups": ["blog"]}).status == 200

    async def happen() -> None:
        api.journal.record([Happening("died", "killed by signal 9", "blog", 1, 1, 9)])

    api.within(happen)
    assert api.post("/v1/stop", {"groups": ["blog"]}).status == 200  # something moves
    waiting.join(25)
    assert [event["group"] for event in replies[0]["events"]] == ["blog"]


def test_a_wait_ends_without_an_event(api: ControlUnderTest) -> None:
    answer = api.call("GET", "/v1/events?after=2&wait_s=0.05").document
    assert answer["events"] == []
    assert answer["last"] == 2


@pytest.mark.parametrize("query", ["after=-1", "limit=0", "limit=1001", "since=nan", "wait_s=61", "before=1"])
def test_a_question_that_does_not_fit_is_refused(api: ControlUnderTest, query: str) -> None:
    assert api.call("GET", f"/v1/events?{query}").status == 400
