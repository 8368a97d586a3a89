"""Who is believed about the client: nobody, unless configured; and then only what is well-formed."""

from __future__ import annotations

from typing import Any

import pytest
from support import corpus
from support.feeding import feed

from wsgigroups.runtime.protocol import forwarding
from wsgigroups.runtime.protocol.forwarding import Trust
from wsgigroups.runtime.protocol.names import FORWARDING

TRUST = Trust(["10.0.0.0/8", "::1", "unix"])
NAMES = sorted(
    {key[5:].replace("_", "-") for key in FORWARDING} | {"X-Forwarded-For", "X-Forwarded-Anything", "X-SSL-Cert"}
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["upper", "lower", "underscore", "twice", "connection"])
def test_forwarding_fields_of_strangers_never_arrive(name: str, form: str) -> None:
    line = f"{name}: evil\r\n".encode()
    line = {
        "upper": line,
        "lower": line.lower(),
        "underscore": line.replace(b"-", b"_"),
        "twice": line * 2,
        "connection": f"Connection: {name}\r\n".encode() + line,
    }[form]
    found = feed([corpus.get(corpus.HOST + line)])
    assert not any("evil" in str(value) for value in found.values())


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("6.6.6.6, 1.2.3.4", "1.2.3.4"),
        ("1.2.3.4, 10.0.0.7", "1.2.3.4"),
        ("6.6.6.6,1.2.3.4 , 10.0.0.7,10.1.1.1", "1.2.3.4"),
        ("10.0.0.7", "10.0.0.7"),
        ("10.0.0.8, 10.0.0.7", "10.0.0.8"),
        ("1.2.3.4:5678", "1.2.3.4"),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ("2001:db8::1, ::1", "2001:db8::1"),
        ("203.0.113.5, , 10.0.0.1", "203.0.113.5"),
        ("203.0.113.5,", "203.0.113.5"),
        (", \t,203.0.113.5,,10.0.0.1, ", "203.0.113.5"),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.1"),
        ("nonsense", None),
        ("", None),
        ("1.2.3.4, nonsense", None),
        ("nonsense, 10.0.0.7", "10.0.0.7"),
        ("1.2.3.4; DROP TABLE", None),
    ],
)
def test_the_client_is_the_right_most_stranger(chain: str, client: str | None) -> None:
    assert forwarding.client_of(chain, TRUST) == client


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"HTTP_X_FORWARDED_PROTO": "https"}, {"wsgi.url_scheme": "https", "REQUEST_SCHEME": "https"}),
        ({"HTTP_X_FORWARDED_PROTO": "http, HTTPS"}, {"wsgi.url_scheme": "https"}),
        ({"HTTP_X_FORWARDED_PROTO": "javascript"}, {"wsgi.url_scheme": "http"}),
        ({"HTTP_X_FORWARDED_HOST": "www.example.org"}, {"HTTP_HOST": "www.example.org"}),
        ({"HTTP_X_FORWARDED_HOST": "evil, www.example.org:8080"}, {"HTTP_HOST": "www.example.org:8080"}),
        ({"HTTP_X_FORWARDED_HOST": "a/b"}, {"HTTP_HOST": "h"}),
        ({"HTTP_X_FORWARDED_HOST": ":80"}, {"HTTP_HOST": "h"}),
        ({"HTTP_X_FORWARDED_FOR": "1.2.3.4"}, {"REMOTE_ADDR": "1.2.3.4"}),
        ({"HTTP_X_REAL_IP": "1.2.3.4", "HTTP_FORWARDED": "for=1.2.3.4"}, {"REMOTE_ADDR": "10.0.0.7"}),
    ],
)
def test_a_trusted_proxy(given: dict[str, str], expected: dict[str, str]) -> None:
    environ: dict[str, Any] = {"wsgi.url_scheme": "http", "HTTP_HOST": "h", "REMOTE_ADDR": "10.0.0.7", **given}
    forwarding.apply(environ, TRUST)
    assert {key: environ[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("t=1700000000.250", 1700000000.25),
        ("1700000000.25", 1700000000.25),
        ("t=1700000000250", 1700000000.25),
        ("t=1700000000250000", 1700000000.25),
        ("1700000000250000", 1700000000.25),
        ("170000000025000x", None),
        ("now", None),
        ("t=-1700000000", None),
        ("1" * 400, None),
        ("", None),
    ],
)
def test_when_a_request_began_to_wait(text: str, seconds: float | None) -> None:
    for name in ("HTTP_X_REQUEST_START", "WSGIGROUPS_QUEUE_START"):
        assert forwarding.queue_start_s({name: text}) == seconds
        started_ns = forwarding.queue_start_ns({name: text})
        assert (started_ns is None) is (seconds is None)
        assert started_ns is None or abs(started_ns - int((seconds or 0) * 1000) * 1_000_000) < 1000


@pytest.mark.parametrize(
    ("address", "covered"),
    [
        ("10.1.2.3", True),
        ("11.1.2.3", False),
        ("::1", True),
        ("::ffff:10.1.2.3", True),
        ("fe80::1%eth0", False),
        ("x", False),
    ],
)
def test_who_is_trusted(address: str, covered: bool) -> None:
    assert TRUST.covers(address) is covered


@pytest.mark.parametrize("entry", ["10.0.0.0/33", "example.org", "", "10.0.0"])
def test_a_trust_that_is_none(entry: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        Trust([entry])


def test_nobody_is_trusted_by_default() -> None:
    assert not Trust([])
    assert not Trust([]).covers("127.0.0.1")
