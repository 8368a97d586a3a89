"""Every case of the corpus, whole and in every kind of pieces: one verdict, one environ."""

from __future__ import annotations

import random
from typing import Any

import pytest
from support import corpus
from support.feeding import converse, feed, new_connection, splittings, ways

from wsgigroups.runtime.front.connection import IDLE, Connection
from wsgigroups.runtime.front.intake import Intake
from wsgigroups.runtime.protocol.errors import ProtocolError
from wsgigroups.runtime.protocol.limits import DEFAULT


@pytest.mark.parametrize(("name", "data", "verdict"), corpus.CASES, ids=[case[0] for case in corpus.CASES])
def test_one_verdict(name: str, data: bytes, verdict: Any) -> None:
    whole = feed([data])
    if isinstance(verdict, dict):
        assert isinstance(whole, dict), f"refused with {whole}"
        found = {key: whole.get(key) for key in verdict}
        assert found == verdict
    else:
        assert whole == verdict
    for pieces in splittings(data, thorough=True):
        assert feed(pieces) == whole


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize(("name", "data", "verdict"), corpus.CASES, ids=[case[0] for case in corpus.CASES])
def test_all_ways_lead_to_the_same(name: str, data: bytes, verdict: Any, trusted: bool) -> None:
    found = ways(data, trusted)
    assert found[1:] == found[:1] * len(found[1:])


@pytest.mark.parametrize(("name", "data", "verdict"), corpus.CASES, ids=[case[0] for case in corpus.CASES])
def test_what_follows_is_a_request_of_its_own(name: str, data: bytes, verdict: Any) -> None:
    """In the packets of the one before or in its own; behind a refused one there is none."""
    following = corpus.get(line=b"GET /next HTTP/1.1")
    alone = feed([data])
    expected = [alone]
    if isinstance(alone, dict):
        assert alone.pop("rest") == b""
    goes_on = not name.startswith("uwsgi") and isinstance(alone, dict) and alone["SERVER_PROTOCOL"] == "HTTP/1.1"
    if goes_on or name == "asterisk with OPTIONS":
        expected += [*converse([following])]
    for pieces in splittings(data + following):
        assert converse(pieces) == expected


def test_a_long_chunked_body_leaves_no_decoder_behind() -> None:
    """A request after it has to go the way of every other one."""
    connection = new_connection()
    intake = Intake(DEFAULT)
    connection.data = corpus.chunked(b"%x\r\n%b" % (100_000, b"x" * 70_000))
    assert intake.advance(connection)
    assert connection.decoder is not None
    for following in (corpus.get(), corpus.post(b"Content-Length: 1\r\n", b"x")):
        connection.state, connection.data = IDLE, following  # as after an answer
        assert intake.advance(connection)
        assert connection.decoder is None


def test_a_head_that_came_before_leaves_nothing_behind() -> None:
    """Found by fuzzing, when heads were remembered: each one begins anew, however the stream was cut."""
    again = corpus.get(line=b"PUT /a?b HTTP/1.1")
    for between in (b"", b"\r\n"):
        for last in (corpus.get(), corpus.get(line=b"POST /p HTTP/2.1"), b"G" * 9000, b"GET / HTTP/1.1\n"):
            stream = between.join([again] * 4) + between + last
            whole = converse([stream])
            assert len(whole) >= 5
            pieces = [piece for request in [again] * 4 for piece in (request, between) if piece] + [last]
            for cut in (pieces, stream.splitlines(keepends=True), [bytes([byte]) for byte in stream]):
                assert converse(cut) == whole


def test_an_unfinished_head_has_no_verdict_yet() -> None:
    data = corpus.get()
    for end in range(1, len(data)):
        assert feed([data[:end]]) is None


@pytest.mark.parametrize("modifier", range(1, 256))
def test_a_first_byte_of_another_modifier_is_no_request(modifier: int) -> None:
    packet = corpus.uwsgi_packet(*corpus.BASIC, modifiers=(modifier, 0))
    assert feed([packet, b"\r\n\r\n"]) in (400, 501, 505)


@pytest.mark.parametrize("size", range(1, 21))
def test_a_truncated_packet_is_never_a_request(size: int) -> None:
    packet = corpus.uwsgi()
    assert feed([packet[: len(packet) - size * 5]]) is None


def test_a_trusted_gateway_says_who_asked() -> None:
    packet = corpus.uwsgi(("REMOTE_ADDR", "1.2.3.4"), ("HTTPS", "on"), ("REMOTE_USER", "joe"), ("SCRIPT_NAME", "/m"))
    found = feed([packet], trusted=True)
    assert found["REMOTE_ADDR"] == "1.2.3.4"
    assert found["wsgi.url_scheme"] == found["REQUEST_SCHEME"] == "https"
    assert found["REMOTE_USER"] == "joe"
    assert found["SCRIPT_NAME"] == "/m"
    assert feed([packet])["REMOTE_ADDR"] == "9.9.9.9"


@pytest.mark.parametrize("name", ["PATH_INFO", "SCRIPT_NAME"])
def test_a_gateway_cannot_send_half_a_path(name: str) -> None:
    more = () if name == "PATH_INFO" else (("SCRIPT_NAME", "m"),)
    packet = corpus.uwsgi(*more, **({"PATH_INFO": "u"} if name == "PATH_INFO" else {}))
    assert feed([packet], trusted=True) == 400


def test_a_gateway_says_what_is_left_of_a_mounted_path() -> None:
    found = feed([corpus.uwsgi(("SCRIPT_NAME", "/m"), PATH_INFO="")], trusted=True)
    assert (found["SCRIPT_NAME"], found["PATH_INFO"]) == ("/m", "")
    assert feed([corpus.uwsgi(PATH_INFO="")], trusted=True)["PATH_INFO"] == "/"


def test_uwsgi_and_http_give_the_same_environ() -> None:
    """Written list of differences: SERVER_PROTOCOL is the gateway's word, CONTENT_TYPE is absent in both."""
    http = feed([corpus.get(corpus.HOST + b"X-A: b\r\nCookie: c=d\r\n", b"GET /u?v HTTP/1.1")])
    packet = feed([corpus.uwsgi(("HTTP_X_A", "b"), ("HTTP_COOKIE", "c=d"))])
    assert packet == http


def sequence(requests: list[bytes], fresh: bool) -> list[Any]:
    """Return what becomes of requests sent one after the other, on one connection or on one each."""
    found = []
    intake = Intake(DEFAULT)
    connection: Connection | None = None
    for data in requests:
        if fresh or connection is None:
            connection = new_connection()
        connection.data = data
        connection.state = IDLE
        try:
            assert intake.advance(connection)
        except ProtocolError as error:
            found.append(error.status)
            connection.scanner = None
            continue
        head = connection.head
        assert head is not None
        found.append((head.method, head.length, head.chunked, head.keep_alive, head.is_http_1_1, head.environ))
        found.append(connection.body)
    return found


def test_what_came_before_on_a_connection_changes_nothing() -> None:
    chance = random.Random(7)
    fields = [corpus.HOST, corpus.HOST + b"X-A: 1\r\n", corpus.HOST + b"Connection: close\r\n", b"", corpus.HOST * 2]
    bodies = [
        (b"", b""),
        (b"Content-Length: 2\r\n", b"ab"),
        (b"Transfer-Encoding: chunked\r\n", b"1\r\na\r\n0\r\n\r\n"),
    ]
    lines = [
        b"GET /a HTTP/1.1",
        b"GET /b?c HTTP/1.1",
        b"PUT /%41 HTTP/1.0",
        b"GET http://h/x HTTP/1.1",
        b"GET /#f HTTP/1.1",
    ]
    lines += [b"GET / HTTP/1.2", b"CONNECT a:1 HTTP/1.1", b"OPTIONS * HTTP/1.1", b"BREW / HTTP/1.1", b"HEAD / HTTP/1.1"]
    for _ in range(400):
        requests = []
        for _ in range(12):
            extra, body = chance.choice(bodies) if chance.random() < 0.2 else bodies[0]
            requests.append(corpus.get(chance.choice(fields[:2]) + extra, chance.choice(lines)) + body)
            if chance.random() < 0.2:
                requests.append(corpus.get(chance.choice(fields), chance.choice(lines)))
        assert sequence(requests, fresh=False) == sequence(requests, fresh=True)
