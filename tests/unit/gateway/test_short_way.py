"""The short way: what the accelerator sends to daemons and to clients is what Python would have sent."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import corpora, corpus
from support.short_way import DIRECT, Asking, asking, relayed, relayed_by_python

from wsgigroups.runtime import accelerator
from wsgigroups.runtime.gateway import answers, short_way
from wsgigroups.runtime.gateway.forwarding import TlsFacts
from wsgigroups.runtime.protocol import uwsgi
from wsgigroups.runtime.protocol.limits import Limits
from wsgigroups.runtime.wire.routes import Link, MountRoute, SiteRoute

EXTENSION = accelerator.load()
SECURE = DIRECT._replace(tls=TlsFacts("TLSv1.3", "AES", "www.example.org"), server_port="")
HOST = b"Host: www.example.org\r\n"
GET = b"GET / HTTP/1.1\r\n"
BROWSER = (
    b"Host: WWW.example.org.:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux)\r\nAccept: text/html,*/*;q=0.8\r\n"
    b"Accept-Language: en-US,en;q=0.5\r\nConnection: Keep-Alive\r\nCookie: session=1; theme=dark\r\nX-Request-Id: 7\r\n"
    b"TE: trailers\r\nX_Y: 1\r\nx-forwarded-for: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8\r\nProxy: x\r\n"
    b"X-Latin: a\tb\xe9\xff \r\n"
)
TAKEN = [
    GET + HOST,
    GET + BROWSER,
    b"GET /items/7/view?page=2&sort=%41?x HTTP/1.1\r\n" + BROWSER,
    b"DELETE /api?x HTTP/1.1\r\n" + HOST,
    b"GET /api/x%20y%zz HTTP/1.1\r\n" + HOST,
    b"GET /api/v2/%C3%A9/x HTTP/1.1\r\n" + HOST,
    b"GET /apis HTTP/1.1\r\n" + HOST,
    b"GET /%61pi/ HTTP/1.1\r\n" + HOST,
    b"GET /api/filesystem HTTP/1.1\r\n" + HOST,
    b"GET / HTTP/1.1\r\nHost: a.b.example.net\r\n",
    b"GET / HTTP/1.1\r\nHost: nobody.knows_it\r\n",
    b"GET /.well-known/acme-challenges HTTP/1.1\r\n" + HOST,
]
LEFT = [
    b"HEAD / HTTP/1.1\r\n" + HOST,
    b"CONNECT / HTTP/1.1\r\n" + HOST,
    b"PRI / HTTP/1.1\r\n" + HOST,
    b"OPTIONS * HTTP/1.1\r\n" + HOST,
    b"GET http://www.example.org/ HTTP/1.1\r\n" + HOST,
    b"GET / HTTP/1.0\r\n" + HOST,
    b"GET / HTTP/1.2\r\n" + HOST,
    b"GET /#x HTTP/1.1\r\n" + HOST,
    b"GET /\xe9 HTTP/1.1\r\n" + HOST,
    b"GET  / HTTP/1.1\r\n" + HOST,
    b"G(T / HTTP/1.1\r\n" + HOST,
    b"GET /%41" + b"a" * 2100 + b" HTTP/1.1\r\n" + HOST,
    b"GET /api/files/x HTTP/1.1\r\n" + HOST,
    b"GET /.well-known/acme-challenge/token HTTP/1.1\r\n" + HOST,
    b"GET /.well-known/acme-challenge HTTP/1.1\r\n" + HOST,
    GET,
    GET + b"Host: [::1]\r\n",
    GET + b"Host: \r\n",
    GET + b"Host: a:123456\r\n",
    GET + HOST + HOST,
    GET + HOST + b"host: www.example.org\r\n",
    GET + HOST + b"Accept: a\r\naccept: b\r\n",
    GET + HOST + b"X-Request-Id: a\r\nX-REQUEST-ID: a\r\n",
    GET + HOST + b"Content-Length: 0\r\n",
    GET + HOST + b"Content-Type: text/plain\r\n",
    GET + HOST + b"Transfer-Encoding: chunked\r\n",
    GET + HOST + b"Expect: 100-continue\r\n",
    GET + HOST + b"Connection: close\r\n",
    GET + HOST + b"Connection: keep-alive, X-Own\r\nX-Own: 1\r\n",
    GET + HOST + b" folded: x\r\n",
    GET + HOST + b"no colon\r\n",
    GET + HOST + b"X : 1\r\n",
    GET + HOST + b": 1\r\n",
    GET + HOST + b"X: \0\r\n",
    GET + HOST + b"X: \x7f\r\n",
    GET + HOST + b"X: a\rb\r\n",
    GET + HOST + b"X: a\nb\r\n",
    GET + HOST + b"x" * 63 + b": long\r\n",
    GET + HOST + b"".join(b"X-%d: a\r\n" % number for number in range(64)),
]

pytestmark = pytest.mark.skipif(EXTENSION is None, reason="no accelerator has been built")


@pytest.fixture
def daemon() -> Iterator[Asking]:
    with asking(EXTENSION) as found:
        yield found


@pytest.mark.parametrize("facts", [DIRECT, SECURE, DIRECT._replace(server_port="")])
@pytest.mark.parametrize("head", TAKEN)
def test_a_daemon_is_told_what_python_would_tell_it(daemon: Asking, head: bytes, facts: Any) -> None:
    packet = daemon.asked(head + b"\r\n", facts)
    assert packet is not None
    pairs = uwsgi.variables(packet)
    assert len(dict(pairs)) == len(pairs)
    assert dict(pairs) == daemon.by_python(head + b"\r\n", facts)
    assert pairs[0] == ("WSGIGROUPS_FRAMING", "chunked")  # before any field: it is ours


@pytest.mark.parametrize("head", [*LEFT, *(head + b"\r\nGET" for head in TAKEN)])
def test_what_is_not_plain_is_left(daemon: Asking, head: bytes) -> None:
    assert daemon.asked(head + b"\r\n") is None


@pytest.mark.parametrize("head", TAKEN[:3])
def test_no_part_of_a_head_is_taken(daemon: Asking, head: bytes) -> None:
    assert not [size for size in range(len(head) + 2) if daemon.asked((head + b"\r\n")[:size]) is not None]


def test_limits_of_heads_hold(daemon: Asking) -> None:
    head = GET + HOST + b"X_A: 1\r\nA: 1\r\n\r\n"
    assert daemon.asked(head, limits=Limits(8190, 8190, 3)) is not None
    assert daemon.asked(head, limits=Limits(8190, 8190, 2)) is None
    assert daemon.asked(head, limits=Limits(len(head), len(head), 9)) is not None
    assert daemon.asked(head, limits=Limits(len(head) - 1, 8190, 9)) is None


def judge(daemon: Asking, data: bytes) -> bool:
    """Whether it is taken; what is must be what Python takes, to the same."""
    packet = daemon.asked(data)
    if packet is not None:
        assert dict(uwsgi.variables(packet)) == daemon.by_python(data)
    return packet is not None


def test_public_corpora_are_taken_to_the_same(daemon: Asking) -> None:
    cases = [data for _name, data, _verdict in corpus.CASES]
    cases += [data for kind in ("valid", "invalid") for _name, data in corpora.gunicorn(kind)]
    cases += [data for _name, data, _flags in corpora.llhttp()]
    assert sum(judge(daemon, data) for data in cases) > 10


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False), st.sampled_from(TAKEN))
def test_damaged_heads_come_to_the_same(daemon: Asking, chance: random.Random, head: bytes) -> None:
    damaged = bytearray(head + b"\r\n")
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(damaged))
        other = chance.choice(
            (b"", b"\r\n", b":", b" ", b"\0", b"\xe9", b"Host: a\r\n", b"%2f", b"x-forwarded-for: 1\r\n")
        )
        damaged[at : at + chance.randint(0, 2)] = other
        damaged = damaged or bytearray(b"x")
    judge(daemon, bytes(damaged))


def test_a_site_may_be_for_the_long_way_alone(daemon: Asking) -> None:
    daemon.site = replace(daemon.site, redirect_to_https=True)
    assert daemon.asked(GET + HOST + b"\r\n") is None
    assert daemon.asked(GET + HOST + b"\r\n", SECURE) is not None
    many = tuple(MountRoute(f"/{number}", "app") for number in range(short_way.MOST_PREFIXES + 1))
    daemon.tables.clear()
    daemon.site = SiteRoute("www.example.org", (), many)
    assert daemon.asked(GET + HOST + b"\r\n") is None


def test_nothing_is_sent_to_whom_a_link_does_not_name(daemon: Asking) -> None:
    daemon.link = Link(daemon.link.socket, uids=(12345,))
    assert daemon.asked(GET + HOST + b"\r\n") is None
    sock = daemon.listener.accept()[0]
    with sock:
        assert sock.recv(1) == b""


@pytest.mark.parametrize("path", ["/nonexistent/socket", "/" + "x" * 107, "/" + "x" * 300])
def test_a_daemon_that_is_not_there_is_left_to_the_long_way(daemon: Asking, path: str) -> None:
    daemon.link = Link(path)
    assert daemon.asked(GET + HOST + b"\r\n") is None


def test_hosts_that_are_remembered_are_bounded(daemon: Asking) -> None:
    hosts = daemon.hosts(False)
    for number in range(3000):
        hosts.learn(f"h{number}.example.net")
        assert len(hosts.sites) <= 600
    assert judge(daemon, GET + HOST + b"\r\n")


def test_what_differs_from_request_to_request_is_not_packed_before() -> None:
    assert short_way.packed(DIRECT._replace(trusted=True)) is None
    assert short_way.packed(DIRECT._replace(remote_address="")) is None


def test_wrong_arguments_of_an_asker_are_errors(daemon: Asking) -> None:
    for arguments in ((), (b"", b"", [], "1", 1, 1, 1), (b"", "", {}, "1", 1, 1, 1), (b"", b"", {}, 1, 1, 1, 1)):
        with pytest.raises(TypeError):
            daemon.ask(*arguments)


OWN = b"Strict-Transport-Security: max-age=5\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nServer: wsgigroups\r\nContent-Type:  text/html \r\nSet-Cookie: a\r\nSet-Cookie:b\r\nE:"
USUAL = [
    ANSWER + b"\r\nContent-Length: 5\r\nConnection: close\r\n\r\nHello",
    ANSWER + b"\r\nContent-Length: 500\r\nConnection: close\r\n\r\nHello",
    b"HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 999 a\tb\xe9\r\nContent-Length: 00005\r\nA: \xff\r\n\r\n",
]
RARE = [
    *(b"HTTP/1.1 200", ANSWER, ANSWER + b"\r\n", ANSWER + b"\r\n\r", ANSWER + b"\r\n\r\n"),
    *(b"HTTP/1.1 %d OK\r\nContent-Length: 0\r\n\r\n" % status for status in (100, 101, 199, 204, 304)),
    *(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
    *(b"HTTP/1.1 020 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"),
    *(b"HTTP/1.1 200 \1\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"),
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ntwo",
    *(
        ANSWER + b"\r\nContent-Length: 0\r\n" + line + b"\r\n\r\n"
        for line in (
            *(b"Content-Length: 0", b"Transfer-Encoding: chunked", b"Connection: x", b"Connection: refused, close"),
            *(b"Connection: close\r\nConnection: close", b"Keep-Alive: 5", b"Upgrade: x", b" folded", b"A : b", b": b"),
            *(b"A", b"A: \0", b"A: b\rc", b"A: b\nc", b"HTTP_HOST: a", b"CONTENT_LENGTH: 5", b"x" * 63 + b": y"),
        )
    ),
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: " + b"y" * 40000 + b"\r\n\r\n",
]


@pytest.fixture
def relay() -> Any:
    return answers.relay(EXTENSION)


@pytest.mark.parametrize("own", [b"", OWN])
@pytest.mark.parametrize("data", USUAL)
def test_an_answer_is_relayed_as_python_would(relay: Any, data: bytes, own: bytes) -> None:
    for _ in range(2):
        found = relayed(relay, data, 100, own)
        assert isinstance(found, tuple)
        assert found == relayed_by_python(data, 100, own)


@pytest.mark.parametrize("data", RARE)
def test_all_other_answers_are_left_as_they_came(relay: Any, data: bytes) -> None:
    assert relayed(relay, data) == data


def test_the_limit_of_a_line_holds(relay: Any) -> None:
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: " + b"x" * 30 + b"\r\n\r\n"
    assert isinstance(relayed(relay, data, 33), tuple)
    assert relayed(relay, data, 32) == data
    data = b"HTTP/1.1 200 " + b"x" * 30 + b"\r\nContent-Length: 0\r\n\r\n"
    assert isinstance(relayed(relay, data, 43), tuple)
    assert relayed(relay, data, 42) == data


def test_what_a_link_says_without_an_answer(relay: Any) -> None:
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        assert relay(near.fileno(), 0, b"") is None
        near.sendall(b"unread")
        far.close()
        with pytest.raises(ConnectionResetError):
            relay(near.fileno(), 0, b"")
        assert relay(near.fileno(), 0, b"") == b""
    for arguments in ((), (1, 1), ("", 1, b""), (1, 1, "")):
        with pytest.raises(TypeError):
            relay(*arguments)


@given(st.randoms(use_true_random=False), st.sampled_from(USUAL), st.sampled_from((0, 20)))
def test_damaged_answers_come_to_the_same(chance: random.Random, data: bytes, limit: int) -> None:
    damaged = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(damaged))
        damaged[at : at + chance.randint(0, 2)] = chance.choice(
            (b"", b"\r\n", b":", b" ", b"\0", b"\xe9", b"close", b"5")
        )
        damaged = damaged or bytearray(b"x")
    found = relayed(answers.relay(EXTENSION), bytes(damaged), limit)
    if found != damaged:
        assert found == relayed_by_python(bytes(damaged), limit)


def test_only_what_python_refuses_or_drops_is_kept_from_a_daemon() -> None:
    fates = {
        "Accept": "passed",
        "TE": "hidden",
        "X-Forwarded-For": "gone",
        "X_Y": "gone",
        "(": "left",
        "Host": "host",
        "Expect": "left",
    }
    assert {name: short_way.fate_of(name) for name in fates} == fates
