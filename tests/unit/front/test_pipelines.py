"""Many requests in one segment: what comes before a bad one is answered, and nothing behind it is ever run."""

from __future__ import annotations

from typing import Any

import pytest
from support import corpus
from support.serving import serving

GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /bad HTTP/1.1\r\nHost: a\r\n"
BAD = {
    "length": (POST + b"Content-Length: x\r\n\r\n", 400),
    "two lengths": (POST + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN), 400),
    "length and coding": (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunk": (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\nxyz\r\n", 400),
    "chunk end": (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxyz0\r\n\r\n", 400),
    "trailer": (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nHost: b\r\n\r\n", 400),
    "coding": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "method": (b"PRI /bad HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    "CONNECT": (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    "line": (b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"x" * 9000), 414),
    "field": (b"GET /bad HTTP/1.1\r\nHost: a\r\nX: %b\r\n\r\n" % (b"x" * 9000), 431),
    "expectation": (b"GET /bad HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", 417),
    "version": (b"GET /bad HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    "host": (b"GET /bad HTTP/1.1\r\n\r\n", 400),
    "bare LF": (b"GET /bad HTTP/1.1\nHost: a\n\n", 400),
    "uwsgi": (corpus.uwsgi(REQUEST_URI="/bad", PATH_INFO="/bad"), 400),
}


class Application:
    """Answers its path, and remembers what it was asked."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self.bodies: list[bytes] = []

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        self.called.append(environ["PATH_INFO"])
        self.bodies.append(environ["wsgi.input"].read())
        start_response("200 OK", [])
        return [environ["PATH_INFO"].encode()]


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
@pytest.mark.parametrize("what", BAD)
def test_a_bad_one_in_the_middle(what: str, unix: bool) -> None:
    bad, status = BAD[what]
    application = Application()
    requests = [GET % number for number in range(1, 50)] + [bad] + [GET % number for number in range(51, 101)]
    with serving(application, unix=unix) as running:
        answer = running.exchange(b"".join(requests))
        running.wait_word("requests_total", 49)
        running.wait_word("connections", 0)
    assert application.called == [f"/{number}" for number in range(1, 50)]
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 49
    assert answer.count(b"HTTP/1.1 ") == 50
    assert answer.rpartition(b"HTTP/1.1 ")[2].startswith(b"%d " % status)
    bodies = [part.partition(b"HTTP/1.1 ")[0] for part in answer.split(b"\r\n\r\n")[1:-1]]
    assert bodies == [b"/%d" % number for number in range(1, 50)]


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
@pytest.mark.parametrize("size", [1, 100, 3000], ids=["short", "buffered", "long"])
@pytest.mark.parametrize("chunks", [False, True], ids=["length", "chunks"])
def test_bodies_that_look_like_requests(chunks: bool, size: int, unix: bool) -> None:
    body = HIDDEN * size
    if chunks:
        blocks = [body[start : start + 997] for start in range(0, len(body), 997)]
        fields = b"Transfer-Encoding: chunked\r\n\r\n"
        sent = b"".join(b"%x\r\n%b\r\n" % (len(block), block) for block in blocks) + b"0\r\n\r\n"
    else:
        fields, sent = b"Content-Length: %d\r\n\r\n" % len(body), body
    application = Application()
    request = b"POST /p HTTP/1.1\r\nHost: a\r\n" + fields + sent
    with serving(application, unix=unix) as running:
        answer = running.exchange(request * 3 + GET % 4)
    assert application.called == ["/p", "/p", "/p", "/4"]
    assert application.bodies == [body] * 3 + [b""]
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == answer.count(b"HTTP/1.1 ") == 4
