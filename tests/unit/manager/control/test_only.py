"""Calls that are about some files: what they are refused for, and that they are not taken for another's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.control import ControlUnderTest, Reply

from wsgigroups.manager.store import Store

OWNERS = {"groups": {"blog": ["/a.toml"]}}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ControlUnderTest]:
    with ControlUnderTest(tmp_path) as found:
        document = {"version": 1, "groups": {"blog": {"app": "m:a"}}, "owners": OWNERS}
        Store(tmp_path / "state").save_revision(1, document, "pending", "uid 0")
        yield found


def post(api: ControlUnderTest, action: str, configuration: Any, **more: Any) -> Reply:
    body = {"configuration": {"version": 1, **configuration}, "only": ["/b.toml"], **more}
    return api.call("POST", f"/v1/{action}", json.dumps(body).encode())


def test_one_with_nothing_to_do_is_not_the_apply_of_another_file(api: ControlUnderTest) -> None:
    reply = post(api, "apply", {})  # the process of `blog` is on its way for ever
    assert reply.status == 409
    assert reply.document["holder"]["change"] == 1


def test_what_is_planned_is_about_the_files_alone(api: ControlUnderTest) -> None:
    plan = post(api, "plan", {}).document
    assert plan["empty"]
    assert plan["precondition"]["observed"] == {}


@pytest.mark.parametrize(
    ("configuration", "more", "said"),
    [
        ({"groups": {"blog": {"app": "m:a"}}}, {}, "group 'blog' of /b.toml is in /a.toml, too"),
        ({"server": {"timeout": 5}}, {}, "[server] holds for all groups"),
        ({}, {"overtake": True}, "cannot overtake"),
        ({"groups": 1}, {}, "groups of /b.toml is no table"),
    ],
)
def test_what_cannot_be_put_beside_the_rest(
    api: ControlUnderTest, configuration: Any, more: dict[str, Any], said: str
) -> None:
    reply = post(api, "apply", configuration, **more)
    assert (reply.status, reply.document["exit_code"]) == (400, 2)
    assert said in reply.document["error"]


def test_files_are_recorded_without_a_new_revision_and_not_forgotten(tmp_path: Path, api: ControlUnderTest) -> None:
    owners = api.handlers.applying.owners
    assert owners.of(1).groups == {"blog": ("/a.toml",)}
    moved = owners.of(1).model_copy(update={"groups": {"blog": ("/c.toml",)}})
    owners.record(1, moved)
    owners.record(1, type(moved)())  # of a program that knows of no files
    assert Store(tmp_path / "state").document(1)["owners"] == {"groups": {"blog": ["/c.toml"]}}
    assert api.call("GET", "/v1/status").document["groups"][0]["files"] == ["/c.toml"]
    assert owners.of(9).groups == {}, "of a revision that is not kept nothing is known"
