"""What the control API refuses, and with which document; and that a caller hears when a change moves."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from support.control import ControlUnderTest

from wsgigroups.manager.control.server import MAXIMUM_BODY_BYTES
from wsgigroups.manager.core import model


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ControlUnderTest]:
    with ControlUnderTest(tmp_path) as under_test:
        yield under_test


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/v1/changes/1?wait_s=abc", "query.wait_s"),
        ("/v1/changes/1?wait_s=", "query.wait_s"),
        ("/v1/changes/1?wait_s=nan", "query.wait_s"),
        ("/v1/changes/1?wait_s=inf", "query.wait_s"),
        ("/v1/changes/1?wait_s=-1", "query.wait_s"),
        ("/v1/changes/1?wait_s=61", "query.wait_s"),
        ("/v1/changes/1?wait_s=0&wait_s=0", "query.wait_s"),
        ("/v1/changes/1?seen=" + "x" * 65, "query.seen"),
        ("/v1/changes/1?wait=5", "query.wait"),
        ("/v1/changes/abc", "path.id"),
        ("/v1/changes/0", "path.id"),
        ("/v1/changes/" + "9" * 30, "path.id"),
        ("/v1/status?verbose=1", "query.verbose"),
    ],
)
def test_a_value_that_does_not_fit_is_named(api: ControlUnderTest, path: str, where: str) -> None:
    reply = api.call("GET", path)
    assert reply.status == 400
    assert reply.document["error"].startswith(f"cannot use this request: {where}: ")
    assert reply.document["exit_code"] == 2


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/v1/scale", b'{"processes": {"blog": true}}', "body.processes.blog"),
        ("/v1/scale", b'{"processes": {"blog": "3"}}', "body.processes.blog"),
        ("/v1/scale", b'{"processes": {"blog": 0}}', "body.processes.blog"),
        ("/v1/scale", b'{"processes": {"blog": 1025}}', "body.processes.blog"),
        ("/v1/scale", b'{"processes": {}}', "body.processes"),
        ("/v1/scale", b"", "body.processes"),
        ("/v1/stop", b'{"groups": []}', "body.groups"),
        ("/v1/stop", b'{"groups": [1]}', "body.groups.0"),
        ("/v1/stop", b'{"groups": ["blog"], "now": true}', "body.now"),
        ("/v1/stop", b"[]", "body"),
        ("/v1/stop", b"{", "body"),
        ("/v1/stop", b'{"groups": ["\xff"]}', "body"),
        ("/v1/stop", b'{"groups": ["\\ud800"]}', "body"),
        ("/v1/stop", b"[" * 100_000, "body"),
        ("/v1/shutdown", b'{"now": "yes"}', "body.now"),
        ("/v1/rollback", b'{"revision": 1.5}', "body.revision"),
        ("/v1/rollback", b'{"revision": %b}' % (b"9" * 400), "body.revision"),
        ("/v1/plan", b'{"configuration": 3}', "body.configuration"),
    ],
)
def test_a_body_that_does_not_fit_is_named(api: ControlUnderTest, path: str, body: bytes, where: str) -> None:
    reply = api.call("POST", path, body)
    assert reply.status == 400
    assert reply.document["error"].startswith(f"cannot use this request: {where}: ")
    assert api.ended == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "exit_code"),
    [
        ("POST", "/v1/stop", b'{"groups": ["shop"]}', 404, 4),
        ("POST", "/v1/scale", b'{"processes": {"shop": 2}}', 404, 4),
        ("GET", "/v1/changes/77", None, 409, 1),
        ("POST", "/v1/rollback", b'{"revision": 77}', 409, 1),
        ("GET", "/v1/nothing", None, 404, 2),
        ("GET", "/", None, 404, 2),
        ("DELETE", "/v1/status", None, 405, 2),
        ("POST", "/v1/plan", b" " * (MAXIMUM_BODY_BYTES + 1), 413, 2),
    ],
)
def test_every_refusal_is_a_document(
    api: ControlUnderTest, method: str, path: str, body: bytes | None, status: int, exit_code: int
) -> None:
    reply = api.call(method, path, body)
    assert (reply.status, reply.content_type) == (status, "application/json")
    assert reply.document["error"].startswith("cannot ")
    assert reply.document["exit_code"] == exit_code


def test_a_mistake_of_ours_is_a_document_and_a_line_in_the_log(api: ControlUnderTest) -> None:
    api.shell.state = replace(api.shell.state, groups={"blog": None})  # type: ignore[dict-item]
    reply = api.call("GET", "/v1/status")
    assert reply.status == 500
    assert "its log has the traceback" in reply.document["error"]
    assert any("[BUG] GET /v1/status" in line and "Traceback" in line for line in api.logged)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EMFILE, "the manager has no descriptors left: "),
        (errno.ENFILE, "RLIMIT_NOFILE allows "),
        (errno.ENOSPC, "no space left on device"),
        (errno.EROFS, "read-only file system"),
        (errno.ENOMEM, "cannot allocate memory"),
    ],
)
def test_what_the_machine_lacks_is_no_mistake_of_ours(
    api: ControlUnderTest, number: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(*_arguments: object, **_more: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(type(api.shell), "dispatch", lacking)
    reply = api.call("POST", "/v1/stop", b'{"groups": ["blog"]}')
    assert reply.document["exit_code"] == 1
    assert reply.document["error"].startswith("cannot POST /v1/stop: ")
    assert words in reply.document["error"]
    assert not any("BUG" in line for line in api.logged)
    assert any(words in line for line in api.logged)


def test_texts_that_no_encoder_takes_are_shown_as_escapes(api: ControlUnderTest) -> None:
    async def blame() -> None:
        (record,) = api.shell.state.groups["blog"].records
        api.shell.dispatch(model.LifeFailed(record.life, "load", "cannot read \udcff", "trace \ud800"))

    api.within(blame)
    (group,) = api.call("GET", "/v1/status").document["groups"]
    assert group["last_error"]["message"] == "cannot read \\udcff"
    assert group["last_error"]["traceback"] == "trace \\ud800"


def test_a_caller_who_waits_hears_when_the_change_moves(api: ControlUnderTest) -> None:
    first = api.call("GET", "/v1/changes/1").document
    assert not first["finished"]
    replies = []
    path = f"/v1/changes/1?wait_s=30&seen={quote(first['seen'])}"
    waiting = threading.Thread(target=lambda: replies.append(api.call("GET", path)))
    waiting.start()
    assert api.post("/v1/stop", {"groups": ["blog"]}).status == 200
    waiting.join(25)
    assert replies[0].document["finished"]
    assert replies[0].document["groups"]["blog"]["error"]["message"] == "overtaken by change 2 (stop)"


def test_a_change_that_is_forgotten_while_somebody_waits_is_not_found(api: ControlUnderTest) -> None:
    seen = api.call("GET", "/v1/changes/1").document["seen"]
    replies = []
    waiting = threading.Thread(
        target=lambda: replies.append(api.call("GET", f"/v1/changes/1?wait_s=30&seen={quote(seen)}"))
    )
    waiting.start()

    async def forget() -> None:
        api.shell.state = replace(api.shell.state, changes={})
        api.shell.dispatch(model.Tick())

    while waiting.is_alive():  # it may have asked only after the first of them
        api.within(forget)
        waiting.join(0.05)
    assert replies[0].status == 409
    assert "cannot find change 1" in replies[0].document["error"]
    assert "wsgigroups events" in replies[0].document["hint"]
