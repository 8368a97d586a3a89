"""The audit log: who commanded what, without secrets, and who was refused; its events are for administrators alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.control import ControlUnderTest

from wsgigroups.manager.control import auditing, entrance
from wsgigroups.manager.control.handlers import Call
from wsgigroups.manager.control.requests import EventsQuery, NoParameters
from wsgigroups.manager.control.routes import ROUTES
from wsgigroups.trust.peers import Peer

ME = os.geteuid()


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ControlUnderTest]:
    with ControlUnderTest(tmp_path) as found:
        yield found


def post(api: ControlUnderTest, action: str, body: Any) -> int:
    return api.call("POST", f"/v1/{action}", json.dumps(body).encode()).status


def lines(api: ControlUnderTest) -> list[dict[str, Any]]:
    path = Path(api.path).parent / "state" / auditing.FILE
    if not path.exists():
        return []
    assert path.stat().st_mode & 0o777 == 0o600
    found = [json.loads(line) for line in path.read_text().splitlines()]
    for line in found:
        assert line.pop("at").endswith("Z")
        assert (line.pop("uid"), line.pop("user"), line.pop("pid")) == (ME, f"user-{ME}", os.getpid())
    return found


def test_a_call_that_changes_something_has_a_line_and_an_event(api: ControlUnderTest) -> None:
    assert post(api, "restart", {"groups": ["blog"]}) == 200
    (line,) = lines(api)
    change = line["change"]
    assert line == {
        "route": "POST /v1/restart", "parameters": {"groups": ["blog"]}, "outcome": "done", "change": change,
        "revision": 1,
    }  # fmt: skip
    (event,) = [event for event in api.call("GET", "/v1/events").document["events"] if event["kind"] == "audit"]
    assert event["text"] == f"done: restart blog by user-{ME} (uid {ME}, pid {os.getpid()})"
    assert event["change"] == change


def test_one_that_fails_says_why(api: ControlUnderTest) -> None:
    assert post(api, "stop", {"groups": ["none"]}) == 404
    (line,) = lines(api)
    assert (line["outcome"], line["exit_code"]) == ("failed", 4)
    assert "none" in line["error"]


def test_no_value_of_a_configuration_is_in_it(api: ControlUnderTest) -> None:
    groups = {name: {"app": "m:a", "environment": {"TOKEN": "hush"}} for name in (f"g{n:02}" for n in range(30))}
    body = {"configuration": {"version": 1, "groups": groups, "server": {"user": "no-such-user"}}, "shown": {}}
    assert post(api, "apply", body) == 400
    (line,) = lines(api)
    assert "hush" not in json.dumps(line)
    assert line["parameters"] == {"groups": [*(f"g{n:02}" for n in range(20)), "and 10 more"]}


def test_who_only_looks_or_plans_leaves_no_line(api: ControlUnderTest) -> None:
    api.call("GET", "/v1/status")
    assert post(api, "plan", {"configuration": {"version": 1}}) == 200
    assert lines(api) == []
    assert {route.handler for route in ROUTES if not route.changes and route.method == "POST"} == {"plan"}


def test_who_is_refused_has_lines_up_to_a_bound_and_those_left_out_are_counted(
    api: ControlUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = entrance.Visitor(Peer(ME, ME, os.getpid()), administers=False)
    monkeypatch.setattr(entrance.Entrance, "visitor", lambda _self, _fd: visitor)
    now = 0.0
    monkeypatch.setattr(auditing.time, "monotonic", lambda: now)
    api.audit._refusals = auditing.Bucket(3, 1, now)
    for _call in range(5):
        assert api.call("GET", "/v1/configuration").status == 403
    found = lines(api)
    assert len(found) == 3
    assert found[0]["route"] == "GET /v1/configuration"
    assert (found[0]["outcome"], found[0]["exit_code"]) == ("refused", 5)
    now = 1.0
    assert post(api, "stop", {"groups": ["blog"]}) == 403
    assert lines(api)[-1]["left_out"] == 2


def test_its_events_are_for_administrators_alone(api: ControlUnderTest) -> None:
    assert post(api, "restart", {"groups": ["blog"]}) == 200
    kinds: dict[bool, set[str]] = {}

    async def ask() -> None:
        for administers in (False, True):
            call: Call[NoParameters, EventsQuery, NoParameters]
            call = Call(Peer(1, 1, 1), query=EventsQuery(), administers=administers)
            kinds[administers] = {event.kind for event in (await api.handlers.events(call)).events}

    api.within(ask)
    assert kinds[True] - kinds[False] == {"audit"}


def test_a_name_that_nobody_has_is_its_number() -> None:
    assert auditing._name_of(4294000001) == "#4294000001"
