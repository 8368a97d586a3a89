"""Names of accounts: blamed on the line that has them, wanted even where they are ignored, said once in the plan."""

from __future__ import annotations

import os
import pwd
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from support.logs import logs_of_nobody

from tests.simulation.world import target
from wsgigroups.config import Configuration
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.manager.supervision.live import tune
from wsgigroups.plan.desired import Desired
from wsgigroups.plan.observed import ObservedGroup
from wsgigroups.plan.planner import StepKind, plan
from wsgigroups.runtime.wire.spec import Serving
from wsgigroups.targets import home as homes
from wsgigroups.targets import resolve as resolving
from wsgigroups.targets.resolve import Surroundings, resolve

ORDINARY_UID = 4711  # has no entry anywhere


@pytest.fixture(params=[0, ORDINARY_UID], ids=["root", "ordinary"])
def manager_uid(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Whom the manager would run as; what root executes is another test's concern."""
    monkeypatch.setattr(os, "geteuid", lambda: request.param)
    monkeypatch.setattr(homes, "can_execute", lambda *_: True)
    monkeypatch.setattr(resolving, "untrusted_component", lambda *_: None)
    return int(request.param)


def targets(groups: dict[str, Any] | None = None, **tables: Any) -> Desired:
    groups = {"blog": {}} if groups is None else groups
    named = {name: {"app": "hello_app:application", **options} for name, options in groups.items()}
    document = {"version": 1, "groups": named, **tables}
    return resolve(
        Configuration.from_document(document), Surroundings(Path("/run/w"), Path("/tmp"), Path("/"), {}, b"key")
    )


@pytest.mark.parametrize(
    ("section", "option", "name", "words"),
    [
        ("server", "user", "nosuchserveruser", "[server] user: there is no user 'nosuchserveruser'"),
        ("server", "group", "nosuchgroup", "[server] group: there is no group 'nosuchgroup'"),
        ("gateway", "user", "nosuchuser", "[gateway] user: there is no user 'nosuchuser'"),
        ("gateway", "group", "nosuchgroup", "[gateway] group: there is no group 'nosuchgroup'"),
    ],
)
def test_a_shared_name_must_exist_and_is_blamed_on_its_own_line(
    manager_uid: int, section: str, option: str, name: str, words: str
) -> None:
    for groups in ({"blog": {}}, {"blog": {"user": "nobody"}}, {}):
        with pytest.raises(WsgigroupsError) as caught:
            targets(groups, **{section: {option: name}})
        assert caught.value.message == f"cannot use {words} on this host"
        assert caught.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"user": "carol-is-not-here"}, "user of group 'blog'"),
        ({"group": "crew-is-not-here"}, "group of group 'blog'"),
        ({"supplementary-groups": ["crew-is-not-here"]}, "supplementary-groups of group 'blog'"),
        ({"operators": ["daemon", "carol-is-not-here"]}, "operators of group 'blog'"),
        ({"operators": ["@crew-is-not-here"]}, "operators of group 'blog'"),
        ({"socket-user": "carol-is-not-here", "listen": ["unix:/tmp/x"]}, "socket-user of group 'blog'"),
    ],
)
def test_a_groups_own_name_must_exist_too(manager_uid: int, options: dict[str, Any], words: str) -> None:
    with pytest.raises(WsgigroupsError) as caught:
        targets({"blog": options})
    assert words in caught.value.message


def test_an_ordinary_manager_ignores_names_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: ORDINARY_UID)
    found = targets({"blog": {"user": "nobody"}, "shop": {}}, server={"user": "daemon"})
    assert {found[name].user for name in found} == {f"#{ORDINARY_UID}"}
    assert found["blog"].spec.identity is None
    end = f"ignored: the manager is not root, processes run as #{ORDINARY_UID}"
    assert plan(found, {}).notices == (f"blog: user {end}", f"shop: [server] user {end}")


def test_what_is_said_of_many_groups_is_said_once() -> None:
    def notices(names: list[str]) -> tuple[str, ...]:
        return plan({name: replace(target(name, 1, 1), notices=("said",)) for name in names}, {}).notices

    assert notices(["a"]) == ("a: said",)
    assert notices(["a", "b", "c", "d"]) == ("a, b, c, d: said",)
    assert notices([f"g{number}" for number in range(10)]) == ("g0, g1, g2 and 7 more groups: said",)


def test_who_is_believed_on_a_unix_socket(manager_uid: int) -> None:
    """Root, and the owner of the socket's file: the only ones who can connect by its mode."""
    options = {"listen": ["unix:/tmp/x"], "user": "nobody", "socket-user": "daemon"}
    owner = manager_uid or pwd.getpwnam("daemon").pw_uid
    assert targets({"blog": options})["blog"].spec.serving.trusted_uids == (0, owner)


def test_connections_are_not_kept_where_requests_wait_for_new_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: ORDINARY_UID)
    kept = {
        mode: targets({"blog": {"script-reloading": mode}})["blog"].spec.serving.keep_alive_timeout_s
        for mode in (False, True, "wait")
    }
    assert kept == {False: 5.0, True: 5.0, "wait": 0.0}


def test_a_group_without_the_newer_options_is_as_it_was_before_there_were_any() -> None:
    plain, named = (targets({"blog": extra})["blog"] for extra in ({}, {"signals": "ignore", "reload": []}))
    assert plain.fingerprint == named.fingerprint
    assert not {"signals", "reload"} & plain.options.keys()
    assert plain.fingerprint != targets({"blog": {"signals": "allow"}})["blog"].fingerprint
    assert plain.fingerprint == targets({"blog": {"reload": ["/srv/*.py"]}})["blog"].fingerprint


LIMITS = {
    "limit-request-line": "16K",
    "limit-request-field-size": "32K",
    "limit-request-fields": 200,
    "limit-request-body": "10M",
    "chunked-bodies": "stream",
}


def test_limits_of_requests_reach_processes_that_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: ORDINARY_UID)
    before, after = targets()["blog"], targets({"blog": LIMITS})["blog"]
    started, tuned = before.spec.serving, after.spec.serving
    own = ("multiprocess", "run_once", "trusted_uids")
    assert started == replace(Serving(), **{name: getattr(started, name) for name in own})
    assert tuned == replace(
        started,
        limit_request_line=16384,
        limit_request_field_size=32768,
        limit_request_fields=200,
        limit_request_body=10 * 2**20,
        chunked_bodies="stream",
    )
    sent: list[Any] = []
    # no process has that number: what is set from outside is left out
    process = SimpleNamespace(life=7, pid=2**30, info={"slot": 1}, given=before, send=sent.append)
    tune(cast("Any", process), after, logs_of_nobody())
    assert started.tuned(sent[0].serving) == tuned
    observed = ObservedGroup(before.options, before.fingerprint, 1, scaled=False, stopped=False, members=())
    (step,) = plan({"blog": after}, {"blog": observed}).steps
    assert step.kind is StepKind.LIVE
    assert {reason.option: (reason.old, reason.new) for reason in step.reasons} == {
        "limit-request-line": ("8190", "16384"),
        "limit-request-field-size": ("8190", "32768"),
        "limit-request-fields": ("100", "200"),
        "limit-request-body": ("0", "10485760"),
        "chunked-bodies": ("collect", "stream"),
    }


def test_processes_may_be_left_to_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: ORDINARY_UID)
    target = targets({"blog": {"processes": "auto"}})["blog"]
    assert target.processes >= 1
    assert target.spec.processes == target.processes
    assert target.spec.serving.multiprocess
    assert target.options["processes"] == "auto"
    assert any(notice.startswith(f"processes = {target.processes}: ") for notice in target.notices)
    for wrong in (0, "many", -1, 5000, True):
        with pytest.raises(WsgigroupsError):
            targets({"blog": {"processes": wrong}})
