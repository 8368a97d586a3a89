"""Ids of requests: who gives them, where they are seen, and that no client makes one up, at real sockets."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
import reporting_app
from support.serving import Running, serving

from wsgigroups.runtime.application.here import Here
from wsgigroups.runtime.log import LogLines
from wsgigroups.runtime.protocol import request_ids
from wsgigroups.runtime.wire.spec import Serving, Spec

TOLD = b"X-Request-ID: front-7f/3\r\n"


def ask(running: Running, fields: bytes = b"", path: bytes = b"/") -> tuple[bytes, bytes]:
    """Head and body of an answer."""
    answer = running.exchange(
        b"GET " + path + b" HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n" + fields + b"\r\n"
    )
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


def id_of(running: Running, fields: bytes = b"") -> Any:
    return json.loads(ask(running, fields)[1]).get("REQUEST_ID")


def test_each_request_has_one_of_its_own() -> None:
    with serving(reporting_app.application) as running:
        first, second = id_of(running), id_of(running)
        assert first.startswith("test-1-")
        assert request_ids.is_id(first)
        assert first != second
    with serving(reporting_app.application) as running:
        assert id_of(running) not in (first, second)


@pytest.mark.parametrize(
    ("fields", "taken"),
    [
        (TOLD, "front-7f/3"),
        (b"X-Request-ID: two words\r\n", ""),
        (b"X-Request-ID: " + b"a" * 129 + b"\r\n", ""),
        (b"", ""),
    ],
)
def test_a_trusted_peer_says_which(fields: bytes, taken: str) -> None:
    with serving(reporting_app.application, trusted_proxies=["127.0.0.1"]) as running:
        found = id_of(running, fields)
        assert found == taken or (not taken and found.startswith("test-1-"))
    with serving(reporting_app.application) as running:
        assert id_of(running, fields).startswith("test-1-")


def test_a_trusted_peer_says_it_in_a_packet() -> None:
    assert request_ids.told({"REQUEST_ID": "gateway-1-2-3", "HTTP_X_REQUEST_ID": "other"}) == "gateway-1-2-3"
    assert request_ids.told({"REQUEST_ID": "no\nid"}) == ""
    assert request_ids.told({}) == ""


def test_off_and_on_again_while_it_runs() -> None:
    with serving(reporting_app.application, request_id="off") as running:
        assert id_of(running) is None
        running.server.tune({"request_id": "response"})
        head, body = ask(running)
        assert f"\r\nX-Request-ID: {json.loads(body)['REQUEST_ID']}".encode() in head
        running.server.tune({"request_id": "environ"})
        assert b"X-Request-ID" not in ask(running)[0]


def failing(environ: Any, start_response: Any) -> Any:
    if environ["PATH_INFO"] == "/own":
        start_response("200 OK", [("x-request-id", "mine"), ("Date", "now"), ("Content-Length", "0")])
        return [b""]
    if environ["PATH_INFO"] == "/dated":
        start_response("200 OK", [("Date", "now"), ("Content-Length", "0")])
        return [b""]
    raise ValueError("broken")


def test_an_answer_brings_it_once_whoever_makes_the_answer() -> None:
    with serving(failing, request_id="response", limit_request_body=1) as running:
        for path, fields in ((b"/", b""), (b"/dated", b""), (b"/", b"Content-Length: 2\r\n")):
            head = ask(running, fields, path)[0]
            assert head.count(b"\r\nX-Request-ID: test-1-") == 1, head
        head = ask(running, path=b"/own")[0]
        assert head.lower().count(b"x-request-id: ") == 1
        assert b"x-request-id: mine" in head


def test_the_access_log_in_json_has_it() -> None:
    lines: list[bytes] = []
    with serving(reporting_app.application, access_log="json", access=lines.append) as running:
        found = id_of(running)
        running.wait(lambda: bool(lines))
        assert json.loads(lines[0])["request_id"] == found
        running.server.tune({"request_id": "off"})
        id_of(running)
        running.wait(lambda: b'"request_id":null' in b"".join(lines))


def test_records_of_a_request_have_it_and_others_have_not() -> None:
    spec = Spec("test", 1, 1, "", "", (), Serving(), {}, ())
    records: list[bytes] = []
    here = Here(spec, lambda _level, _text: None)
    lines = LogLines(2, lambda: "test/1 life=1 pid=9")
    lines.request_id = here.request_id

    def application(environ: Any, start_response: Any) -> Any:
        records.append(lines.record("info", "in it"))
        return reporting_app.application(environ, start_response)

    with serving(application) as running:
        here.attach(running.server)
        found = id_of(running)
        assert f"test/1 life=1 pid=9 request={found} info: in it\n".encode() in records[0]
        running.wait(lambda: not running.server.busy)
    assert b" pid=9 info: beside" in lines.record("info", "beside")


def test_ids_are_in_order_and_may_have_any_name() -> None:
    ids = request_ids.numbered("a%d/2", 255)
    assert list(itertools.islice(ids, 2)) == ["a%d-2-ff-1", "a%d-2-ff-2"]
