"""Heads that connections begin with: remembered or parsed, the same comes out, and no secret is kept."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from property.test_protocol_splits import nearly_requests
from unit.protocol import corpus

from wsgigroups.runtime.protocol import heads, openings
from wsgigroups.runtime.protocol.engines import split
from wsgigroups.runtime.protocol.errors import ProtocolError
from wsgigroups.runtime.protocol.heads import Head
from wsgigroups.runtime.protocol.names import TRUSTED, UNTRUSTED, Keys
from wsgigroups.runtime.protocol.openings import HEADS, Openings

ONE = {"REMOTE_ADDR": "192.0.2.1", "REMOTE_PORT": "1", "SCRIPT_NAME": "", "wsgi.version": (1, 0), "SERVER_PORT": "80"}
OTHER = {**ONE, "REMOTE_ADDR": "198.51.100.7", "REMOTE_PORT": "2"}
GATEWAY = b"X-Forwarded-For: 10.0.0.1\r\nScript-Name: \r\nX-Real-IP: 10.0.0.2\r\nRemote-User: a\r\n"


def parsed(data: bytes, base: dict[str, Any], keys: Keys) -> Head:
    return heads.parse(data, base, keys, split)


def shown(head: Head | None) -> Any:
    return None if head is None else {name: getattr(head, name) for name in Head.__slots__}


def learn(found: Openings, data: bytes, keys: Keys, times: int = 2) -> None:
    for _ in range(times):
        found.learn(data, ONE, parsed(data, ONE, keys))


@settings(max_examples=1500)
@given(nearly_requests(), st.booleans())
def test_a_remembered_head_is_what_it_would_be_parsed_to(data: bytes, trusted: bool) -> None:
    keys = TRUSTED if trusted else UNTRUSTED
    data = data[: data.find(b"\r\n\r\n") + 4]
    if trusted:
        data = data.replace(corpus.HOST, corpus.HOST + GATEWAY, 1)
    found = Openings()
    try:
        learn(found, data, keys)
    except ProtocolError:
        return  # what is refused is never learnt
    again = found.find(data, OTHER)
    if again is not None:
        assert shown(again) == shown(parsed(data, OTHER, keys))
        again.environ["HTTP_HOST"] = again.environ["changed"] = "by the application"
        assert shown(found.find(data, OTHER)) == shown(parsed(data, OTHER, keys))


@pytest.mark.parametrize(
    ("data", "times", "kept"),
    [
        (corpus.get(), 1, False),
        (corpus.get(), 2, True),
        (corpus.get(b"Connection: close\r\n" + corpus.HOST), 2, True),
        (corpus.get(b"", b"GET / HTTP/1.0"), 2, True),
        (corpus.get(corpus.HOST + b"Cookie: s=1\r\n"), 3, False),
        (corpus.get(corpus.HOST + b"aUTHORIZATION: Basic x\r\n"), 3, False),
        (corpus.get(corpus.HOST + b"Proxy-Authorization: Basic x\r\n"), 3, False),
        (corpus.get(corpus.HOST + b"Content-Length: 5\r\n"), 3, False),
        (corpus.get(corpus.HOST + b"Transfer-Encoding: chunked\r\n"), 3, False),
        (corpus.get(corpus.HOST + corpus.field(b"X", openings.BYTES)), 3, False),
    ],
)
def test_kept_is_what_came_twice_is_short_and_has_neither_body_nor_secret(data: bytes, times: int, kept: bool) -> None:
    found = Openings()
    learn(found, data, UNTRUSTED, times)
    assert (found.find(data, OTHER) is not None) is kept
    assert found.find(data + b"x", OTHER) is None


def test_the_tables_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openings, "_SEEN", 10)
    found = Openings()
    first = corpus.get()
    learn(found, first, UNTRUSTED)
    for number in range(HEADS - 1):
        learn(found, corpus.get(line=b"GET /%d HTTP/1.1" % number), UNTRUSTED)
        assert len(found._seen) <= 10
    assert len(found._known) == HEADS
    assert found.find(first, ONE) is not None
    learn(found, corpus.get(line=b"GET /one-more HTTP/1.1"), UNTRUSTED)
    assert len(found._known) == 1
