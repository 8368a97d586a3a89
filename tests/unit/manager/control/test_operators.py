"""Operators see, start, restart, reload and deploy their groups, nothing else: every route, asked by one of `blog`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.control import ControlUnderTest
from support.routes import with_values
from support.targets import small_target

from wsgigroups.manager.control import entrance
from wsgigroups.manager.control.operating import all_operators, operated
from wsgigroups.manager.control.routes import ROUTES, TEXTS
from wsgigroups.manager.core import model
from wsgigroups.manager.core.happenings import Happening
from wsgigroups.plan.desired import OperatorsTarget, target_from_json
from wsgigroups.trust.peers import Peer

UID, GID = 70001, 70002
BODIES: dict[str, Any] = {
    "plan": {"configuration": {"version": 1}},
    "apply": {"configuration": {"version": 1}},
    "scale": {"processes": {"blog": 2}},
    "deploy": {"group": "blog"},
}
OF_BLOG = {
    ("GET", "/v1/status"), ("GET", "/v1/groups/{name}"), ("GET", "/v1/groups/{name}/log"), ("GET", "/v1/changes/{id}"),
    ("GET", "/v1/events"), ("GET", "/v1/deaths"), ("POST", "/v1/start"), ("POST", "/v1/restart"),
    ("POST", "/v1/reload"),
}  # fmt: skip


class Visiting:
    """A control API whose caller is whoever a test says."""

    def __init__(self, api: ControlUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
        self.api = api
        self._patch = monkeypatch
        log = Path(api.path).parent / "log"
        log.mkdir()
        (log / "blog.log").write_text("of blog\n")

        async def groups() -> None:
            own = OperatorsTarget(frozenset({UID}), frozenset({GID}))
            targets = {
                "blog": small_target("blog", operators=own, log_path=str(log / "blog.log")),
                "shop": small_target("shop", log_path=str(log / "shop.log")),
                "a": small_target("a", operators=OperatorsTarget(frozenset({UID + 5})), log_path=str(log / "blog.log")),
            }
            api.shell.dispatch(model.Apply(targets, 2))

        api.within(groups)

    def be(self, uid: int = UID, groups: set[int] | None = None, *, from_daemon: bool = False) -> None:
        visitor = entrance.Visitor(Peer(uid, uid, os.getpid()), administers=False, from_daemon=from_daemon)
        self._patch.setattr(entrance.Entrance, "visitor", lambda _self, _fd: visitor)
        self._patch.setattr("wsgigroups.manager.control.server.groups_of", lambda _sock: groups or set())
        self.api.within(self._admit)

    async def _admit(self) -> None:
        self.api.server.admit()

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        reply = self.api.call(method, path, None if body is None else json.dumps(body).encode())
        return reply.status, reply.document


@pytest.fixture
def visiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Visiting]:
    monkeypatch.setattr("wsgigroups.manager.control.server.let_in", lambda *_arguments: None)
    with ControlUnderTest(tmp_path) as api:
        yield Visiting(api, monkeypatch)


VERBS = {"see", "open", "reopen", "roll", "shut", "plan", "apply", "stop", "scale", "upgrade"}


def test_operators_may_connect_before_the_answer(visiting: Visiting, monkeypatch: pytest.MonkeyPatch) -> None:
    admitted: list[frozenset[int]] = []
    monkeypatch.setattr(
        "wsgigroups.manager.control.server.let_in", lambda _path, uids, _gids, _mode: admitted.append(uids)
    )
    assert visiting.call("POST", "/v1/start", {"groups": ["blog"]})[0] == 200
    assert admitted == [{UID, UID + 5}]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_each_route(visiting: Visiting, route: Any) -> None:
    visiting.be()
    path = with_values(route.path.replace("{name}", "blog"))
    body = None if route.method == "GET" else BODIES.get(route.handler, {"groups": ["blog"]})
    status, answer = visiting.call(route.method, path, body)
    if route.handler == "log":
        assert status == 403, "another group writes to that log, too"
    elif route.handler == "deploy":
        assert status == 409, "an apply is under way, and it is not waited for"
    elif (route.method, route.path) in OF_BLOG:
        assert status == 200, answer
    else:
        assert status == 403, answer
        assert answer["exit_code"] == 5
        assert "may see, start, restart, reload and deploy blog, and nothing else" in answer["error"]
        verb, *others = answer["error"].removeprefix("cannot ").partition(":")[0].split()
        assert verb in VERBS, "it is a sentence"
        assert others or verb in ("plan", "apply", "stop", "scale", "upgrade")


@pytest.mark.parametrize("path", [text.path for text in TEXTS])
def test_metrics_are_for_who_may_read_all_of_them(visiting: Visiting, path: str) -> None:
    visiting.be()
    assert visiting.api.call("GET", with_values(path)).status == 403


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/groups/shop", None),
        ("GET", "/v1/groups/none", None),  # whether there is one is not told
        ("GET", "/v1/groups/shop/log", None),
        ("GET", "/v1/events?group=shop", None),
        ("GET", "/v1/deaths?group=shop", None),
        ("POST", "/v1/restart", {"groups": ["blog", "shop"]}),
        ("POST", "/v1/restart", {"groups": ["blog"], "slots": {"shop": [1]}}),
        ("POST", "/v1/start", {"groups": ["none"]}),
        ("POST", "/v1/reload", {"groups": ["shop"]}),
        ("POST", "/v1/deploy", {"group": "shop"}),
    ],
)
def test_other_groups_are_refused(visiting: Visiting, method: str, path: str, body: Any) -> None:
    visiting.be()
    status, answer = visiting.call(method, path, body)
    assert (status, answer["exit_code"]) == (403, 5)
    assert "is no operator of it" in answer["error"]


def test_no_operator_takes_the_place_of_an_apply(visiting: Visiting) -> None:
    visiting.be()
    status, answer = visiting.call("POST", "/v1/deploy", {"group": "blog", "overtake": True})
    assert (status, answer["exit_code"]) == (403, 5)
    assert "cannot overtake an apply" in answer["error"]


def test_nothing_of_other_groups_is_told(visiting: Visiting) -> None:
    api = visiting.api
    api.journal.record([Happening("ready", "", "shop"), Happening("ready", "", "blog"), Happening("audit", "x")])
    visiting.be()
    status = visiting.call("GET", "/v1/status")[1]
    assert [group["name"] for group in status["groups"]] == ["blog"]
    assert status["gateway"] is None
    events = visiting.call("GET", "/v1/events?limit=1000")[1]["events"]
    assert {event["group"] for event in events} == {"blog"}
    assert set(visiting.call("GET", "/v1/changes/2")[1]["groups"]) == {"blog"}  # it is about all three


def test_a_log_that_nobody_shares_is_told_and_what_is_added_to_it(visiting: Visiting) -> None:
    visiting.be(UID + 5)  # the other group of that log
    assert visiting.call("GET", "/v1/groups/a/log")[0] == 403

    async def alone() -> None:
        state = visiting.api.shell.state
        gone = {name: group for name, group in state.groups.items() if name != "a"}
        visiting.api.shell.state = replace(state, groups=gone)

    visiting.api.within(alone)
    visiting.be()
    first = visiting.call("GET", "/v1/groups/blog/log")[1]
    assert first["lines"] == ["of blog"]
    with open(Path(visiting.api.path).parent / "log" / "blog.log", "a") as log:
        log.write("more\nhalf")
    second = visiting.call("GET", f"/v1/groups/blog/log?after={first['after']}")[1]
    assert second["lines"] == ["more"]
    with open(Path(visiting.api.path).parent / "log" / "blog.log", "a") as log:
        log.write(" of it\n")
    assert visiting.call("GET", f"/v1/groups/blog/log?after={second['after']}")[1]["lines"] == ["half of it"]


@pytest.mark.parametrize(
    ("visitor", "status"),
    [
        ({"uid": UID + 1, "groups": {GID}}, 200),  # a member of a group that operates it
        ({"uid": UID + 1, "groups": {GID + 1}}, 403),
        ({"uid": UID, "from_daemon": True}, 403),  # an application gives no orders, whoever's it is
    ],
)
def test_who_operates_it(visiting: Visiting, visitor: dict[str, Any], status: int) -> None:
    visiting.be(**visitor)
    assert visiting.call("POST", "/v1/restart", {"groups": ["blog"]})[0] == status


def test_operators_are_those_of_the_targets_in_force() -> None:
    groups = {
        "a": model.GroupState(small_target("a", operators=OperatorsTarget(frozenset({1})))),
        "b": model.GroupState(small_target("b", operators=OperatorsTarget(frozenset({1, 2}), frozenset({9})))),
        "c": model.GroupState(small_target("c")),
    }
    assert operated(groups, 1, set()) == {"a", "b"}
    assert operated(groups, 5, {9}) == {"b"}
    assert operated(groups, 5, {1}) == frozenset()  # numbers of users are no numbers of groups
    assert all_operators(groups) == OperatorsTarget(frozenset({1, 2}), frozenset({9}))
    assert all_operators({}) == OperatorsTarget()


def test_operators_are_stored() -> None:
    target = small_target("a", operators=OperatorsTarget(frozenset({2, 1}), frozenset({9})))
    stored = json.loads(json.dumps(target.to_json()))
    assert target_from_json(stored) == target
    del stored["operators"]  # of an earlier version
    assert target_from_json(stored).operators == OperatorsTarget()
