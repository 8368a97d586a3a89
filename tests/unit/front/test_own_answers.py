"""What the server itself answers with success, and the limits of requests at a server that runs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support import corpus
from support.serving import receive_response, serving

ASTERISK = corpus.get(line=b"OPTIONS * HTTP/1.1")
SERVED = corpus.get(line=b"GET /served HTTP/1.1")
LAST = corpus.get(corpus.HOST + b"Connection: close\r\n", b"GET /last HTTP/1.1")


def application(environ: Any, start_response: Any) -> list[bytes]:
    """Say what was asked."""
    body = json.dumps([environ["REQUEST_METHOD"], environ["PATH_INFO"]]).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def test_a_connection_goes_on_after_the_server_itself_was_asked() -> None:
    with serving(application) as running, running.connect() as sock:
        for _ in range(3):
            sock.sendall(ASTERISK)
            assert receive_response(sock)[::2] == (200, b"OK\n")
            sock.sendall(SERVED)
            assert receive_response(sock)[2] == b'["GET", "/served"]'
        running.wait_word("connections", 1)


@pytest.mark.parametrize("count", [1, 400])
def test_what_is_sent_behind_it_is_answered_in_turn(count: int) -> None:
    with serving(application) as running:
        answers = running.exchange(SERVED + ASTERISK * count + LAST)
        running.wait_word("status_2xx", count + 2)
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == count + 2
    assert answers.count(b"Connection: close\r\n") == 1
    assert answers.index(b"/served") < answers.index(b"\r\n\r\nOK\n") < answers.index(b"/last")


@pytest.mark.parametrize(
    "request_",
    [
        corpus.get(corpus.HOST + b"Connection: close\r\n", b"OPTIONS * HTTP/1.1"),
        corpus.get(line=b"OPTIONS * HTTP/1.0"),
        corpus.get(corpus.HOST + b"Connection: keep-alive\r\n", line=b"OPTIONS * HTTP/1.0"),
        corpus.get(corpus.HOST + b"Content-Length: 1\r\n", b"OPTIONS * HTTP/1.1") + b"x",
        corpus.get(corpus.HOST + b"Transfer-Encoding: chunked\r\n", b"OPTIONS * HTTP/1.1") + b"0\r\n\r\n",
    ],
    ids=["close", "1.0", "1.0 kept", "body", "chunks"],
)
def test_it_ends_where_it_is_asked_to_or_a_body_follows(request_: bytes) -> None:
    with serving(application) as running:
        answers = running.exchange(request_ + SERVED, end=False)
    assert answers.count(b"HTTP/1.1 ") == 1
    assert answers.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Connection: close\r\n" in answers


def test_a_server_that_stops_ends_it() -> None:
    with serving(application) as running, running.connect() as sock:
        sock.sendall(SERVED)
        receive_response(sock)
        running.server.stop_accepting()
        sock.sendall(ASTERISK)
        status, fields, _body = receive_response(sock)
        assert (status, fields["connection"]) == (200, "close")


@pytest.mark.parametrize("method", ["QUERY", "VERSION-CONTROL", "MADE_UP", "get"])
def test_any_method_is_the_applications_to_judge(method: str) -> None:
    with serving(application) as running:
        answers = running.exchange(corpus.get(line=method.encode() + b" /m HTTP/1.1"))
        packet = running.exchange(corpus.uwsgi(REQUEST_METHOD=method))
    assert json.loads(answers.partition(b"\r\n\r\n")[2]) == [method, "/m"]
    assert json.loads(packet.partition(b"\r\n\r\n")[2]) == [method, "/u"]


def test_limits_follow_the_settings() -> None:
    long_field = corpus.get(corpus.HOST + corpus.field(b"X", 9000))
    cases = {
        "limit_request_field_size": (long_field, 16_384, 8190, b"431"),
        "limit_request_line": (corpus.get(line=b"GET /" + b"x" * 9000 + b" HTTP/1.1"), 16_384, 8190, b"414"),
        "limit_request_fields": (corpus.get(corpus.HOST + b"X: 1\r\n" * 150), 200, 100, b"431"),
    }
    with serving(application, limit_request_line=100) as running:
        assert running.exchange(corpus.get(line=b"GET /" + b"x" * 100 + b" HTTP/1.1"))[9:12] == b"414"
        running.server.tune({"limit_request_line": 8190})
        for name, (data, raised, usual, status) in cases.items():
            assert running.exchange(data)[9:12] == status
            running.server.tune({name: raised})
            assert running.exchange(data)[9:12] == b"200"
            running.server.tune({name: usual})
            assert running.exchange(data)[9:12] == status
