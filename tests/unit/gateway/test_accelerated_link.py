"""The accelerator between a gateway and its daemons: packets and answers as Python has them, where they are plain."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgigroups.runtime import accelerator
from wsgigroups.runtime.gateway import answers, forwarding
from wsgigroups.runtime.gateway.forwarding import ConnectionFacts, RequestFacts, TlsFacts
from wsgigroups.runtime.gateway.packets import MOST_BYTES
from wsgigroups.runtime.gateway.router import Match
from wsgigroups.runtime.protocol import heads, names, uwsgi
from wsgigroups.runtime.protocol.limits import DEFAULT
from wsgigroups.runtime.wire.routes import MountRoute, SiteRoute

EXTENSION = accelerator.load()
SITE = SiteRoute("www.example.org", (), ())
DIRECT = ConnectionFacts("203.0.113.9", "40000", "192.0.2.1", "80")
PROXIED = DIRECT._replace(trusted=True)
SECURE = DIRECT._replace(tls=TlsFacts("TLSv1.3", "AES", "www.example.org"))
HOST = b"Host: www.example.org\r\n"
PLAIN = [
    HOST,
    HOST + b"Cookie: a=b\r\nAccept: */*\r\nX-Own: \xe9\r\nConnection: keep-alive\r\n",
    HOST + b"Connection: close\r\nTE: trailers\r\nX-Request-Id: 5\r\nX-Forwarded-For: 1.2.3.4\r\nProxy: x\r\n",
    HOST + b"Content-Type: text/plain\r\nContent-Length: 5\r\nExpect: 100-continue\r\n",
    HOST + b"X-Real-Ip: 5.6.7.8\r\nForwarded: for=1\r\n",
]
LEFT = [b"", HOST + b"Connection: X-Own\r\nX-Own: 1\r\n", HOST + b"%b: 1\r\n" % (b"X" * 70)]

pytestmark = pytest.mark.skipif(EXTENSION is None, reason="no accelerator has been built")


def packets(
    fields: bytes, connection: ConnectionFacts, application: str = "blog.wsgi:application", **kinds: Any
) -> tuple[bytes | None, dict[str, str]]:
    """Return the accelerator's packet for a head, and the variables that Python has for it."""
    keys = names.TRUSTED if connection.trusted else names.UNTRUSTED
    line = b"GET /api/x?y=z HTTP/1.%d\r\n" % (1 if HOST in fields else 0)
    environ = heads.parse(line + fields + b"\r\n", {"SCRIPT_NAME": "", "REMOTE_ADDR": "9.9.9.9"}, keys, DEFAULT).environ
    match = Match("www", SITE, MountRoute("/api", "blog", application), None, "/api", "/x")
    scheme = "http" if connection.tls is None else "https"
    request = RequestFacts("203.0.113.9", "1", scheme, environ.get("HTTP_HOST", ""), "203.0.113.9", "made", 1800)
    given = (environ, connection, request, match)
    forwarding.plainly(EXTENSION.pack, *given, kinds.get("length"), kinds.get("chunked", False))  # keys become known
    found = forwarding.plainly(EXTENSION.pack, *given, kinds.get("length"), kinds.get("chunked", False))
    return found, dict(forwarding.variables(*given, kinds.get("length")))


@pytest.mark.parametrize("connection", [DIRECT, PROXIED])
@pytest.mark.parametrize("application", ["", "blog.wsgi:application", "\u0142"])
@pytest.mark.parametrize("fields", PLAIN)
def test_packets_have_what_python_gives(fields: bytes, application: str, connection: ConnectionFacts) -> None:
    found, wanted = packets(fields, connection, application)
    assert found is not None
    pairs = uwsgi.variables(found)
    assert uwsgi.size_of(found) == len(found)
    assert len(dict(pairs)) == len(pairs)
    assert dict(pairs) == wanted
    assert pairs[0] == ("WSGIGROUPS_FRAMING", "chunked")  # before any field: it is ours


@pytest.mark.parametrize("fields", LEFT)
def test_what_is_not_plain_is_left(fields: bytes) -> None:
    assert packets(fields, DIRECT)[0] is None


def test_rare_kinds_are_left() -> None:
    assert packets(HOST, SECURE)[0] is None
    assert packets(HOST, DIRECT, length=5)[0] is None
    assert packets(HOST, DIRECT, chunked=True)[0] is None


def test_only_text_that_fits_is_packed() -> None:
    pack, table = EXTENSION.pack, {"A": b"\1\0A", "B": b""}
    assert pack({"B": 1}, table, (b"x", "yz")) == b"\0\5\0\0x\2\0yz"
    assert pack({"A": "\xe9"}, table, ()) == b"\0\6\0\0\1\0A\1\0\xe9"
    for value in ("\u0100", "\U0001f600", "\udc80", 5, None, b"x"):
        assert pack({"A": value}, table, ()) is None
    assert pack({"C": ""}, table, ()) is None
    assert pack({5: ""}, table, ()) is None
    assert pack({}, table, (5,)) is None
    assert len(pack({"A": "x" * (MOST_BYTES - 5)}, table, ())) == MOST_BYTES + 4
    for size in (MOST_BYTES - 4, MOST_BYTES, MOST_BYTES + 1, 200_000):
        assert pack({"A": "x" * size}, table, ()) is None
        assert pack({}, table, (b"x" * (size + 5),)) is None
    wrong: list[tuple[Any, ...]] = [(), ([], {}, ()), ({}, [], ()), ({}, {}, [])]
    for arguments in wrong:
        with pytest.raises(TypeError):
            pack(*arguments)


def answer_of(of: Any) -> Any:
    """Return what a way makes of an answer, as something to compare."""
    try:
        found = of()
    except answers.AnswerError as error:
        return error.status, error.reason
    return None if found is None else {name: getattr(found, name) for name in answers.Answer.__slots__}


def both(data: bytes, limit: int = 0) -> tuple[Any, Any]:
    """Return what the accelerator makes of an answer, and Python."""
    read = answers.reader(EXTENSION)
    return answer_of(lambda: read(data, limit, answers.HEAD_BYTES)), answer_of(lambda: answers.exactly(data, limit))


ANSWER = b"HTTP/1.1 200 OK\r\nServer: wsgigroups\r\nContent-Type:  text/html \r\nX-\xe9: no".replace(b"\xe9", b"E")
USUAL = [
    ANSWER + b"\r\nContent-Length: 5\r\nConnection: close\r\n\r\nHello",
    ANSWER + b"\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 304 \r\n\r\n",
    b"HTTP/1.1 999 a\tb\xe9\r\nA:\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nA: \xff\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
]
RARE = [
    b"",
    b"HTTP/1.1 200",
    ANSWER,
    ANSWER + b"\r\n",
    ANSWER + b"\r\n\r",
    b"HTTP/1.0 200 OK\r\n\r\n",
    b"HTTP/1.1 200\r\n\r\n",
    b"HTTP/1.1 020 OK\r\n\r\n",
    b"HTTP/1.1 2000 OK\r\n\r\n",
    b"HTTP/1.1 200 \x01\r\n\r\n",
    b"HTTP/1.1 200 OK\n\n",
    *(
        ANSWER + b"\r\n" + line + b"\r\n\r\n"
        for line in (
            *(b"Content-Length: -1", b"Content-Length: 1\r\nContent-Length: 1", b"Content-Length: " + b"1" * 19),
            *(b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked\r\nContent-Length: 1", b"Connection: x"),
            *(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Connection: close\r\nConnection: close"),
            *(b"Keep-Alive: 5", b"Upgrade: x", b" folded", b"A : b", b": b", b"A", b"A: \0", b"A: b\rc", b"A: b\nc"),
            *(b"HTTP_HOST: a", b"HTTP_CONNECTION: close", b"CONTENT_LENGTH: 5", b"HTTP_EXPECT: x", b"x" * 63 + b": y"),
            b"HTTP_TRANSFER_ENCODING: chunked",
        )
    ),
]


@pytest.mark.parametrize("data", USUAL)
def test_usual_answers_are_taken(data: bytes) -> None:
    for _ in range(2):
        found, wanted = both(data)
        assert found == wanted
        assert isinstance(found, dict)


@pytest.mark.parametrize("data", RARE)
def test_all_other_answers_are_left_to_python(data: bytes) -> None:
    assert both(data)[0] is None


def test_the_limit_of_a_line() -> None:
    data = b"HTTP/1.1 200 OK\r\nA: " + b"x" * 30 + b"\r\n\r\n"
    assert both(data, 33)[0] == both(data, 33)[1]
    assert both(data, 32) == (None, both(data, 32)[1])
    assert both(b"HTTP/1.1 200 " + b"x" * 30 + b"\r\n\r\n", 42)[0] is None
    read = answers.reader(EXTENSION)
    assert read(data, 0, len(data)) is not None
    assert read(data, 0, len(data) - 1) is None


@given(st.randoms(use_true_random=False), st.sampled_from(USUAL), st.sampled_from((0, 20)))
def test_damaged_answers_come_to_the_same(chance: random.Random, data: bytes, limit: int) -> None:
    damaged = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(damaged))
        damaged[at : at + chance.randint(0, 2)] = chance.choice((b"", b"\r\n", b":", b" ", b"\0", b"\xe9", b"close"))
        damaged = damaged or bytearray(b"x")
    found, wanted = both(bytes(damaged), limit)
    assert found is None or found == wanted


def test_names_that_fall_together_stay_apart() -> None:
    """Far more names than are remembered."""
    for number in range(1500):
        found, wanted = both(b"HTTP/1.1 200 OK\r\nX-%d: a\r\nx-%d: b\r\n\r\n" % (number, number + 7))
        assert found == wanted


def test_wrong_arguments_are_errors() -> None:
    read = answers.reader(EXTENSION)
    wrong: list[tuple[Any, ...]] = [(), (b"",), ("text", 1, 1), (b"", "1", 1), (b"", 1 << 80, 1)]
    for arguments in wrong:
        with pytest.raises((TypeError, OverflowError)):
            read(*arguments)
    with pytest.raises(TypeError):
        read(b"", 1, 1, key=1)
