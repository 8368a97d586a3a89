"""PEP 3333 at a real socket: what a well-behaved and a misbehaving application get a client to see.

The server runs in threads of this process, once on TCP and once on a UNIX socket.
"""

from __future__ import annotations

import http.client
import io
import threading
from collections.abc import Iterator
from typing import Any
from wsgiref.validate import validator

import misbehaving_app
import pytest
from support.serving import Running, receive_all, receive_response, serving

GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@pytest.fixture(params=["tcp", "unix"])
def unix(request: pytest.FixtureRequest) -> bool:
    """Which kind of socket."""
    return bool(request.param == "unix")


def body_of(answer: bytes) -> bytes:
    """Return what follows the head."""
    return answer.partition(b"\r\n\r\n")[2]


def simple(body: bytes = b"fine", status: str = "200 OK", *fields: tuple[str, str]) -> Any:
    """Return an application with one answer."""

    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response(status, list(fields))
        return [body]

    return application


def whole(answer: bytes) -> bool:
    """Tell whether a client would take these bytes, up to the end of the stream, for one complete response."""

    class Stream:
        def makefile(self, _mode: str) -> io.BytesIO:
            return io.BytesIO(answer.removesuffix(b"<reset>"))

    response = http.client.HTTPResponse(Stream())  # type: ignore[arg-type]
    try:
        response.begin()
        response.read()
    except http.client.HTTPException:
        return False
    return not answer.endswith(b"<reset>") or response.length == 0


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize(("path", "expected"), [(path, kind) for path, (kind, _) in misbehaving_app.OFFENCES.items()])
def test_offence(path: str, expected: str, version: bytes, unix: bool) -> None:
    with serving(misbehaving_app.application, unix=unix) as running:
        answer = running.exchange(b"GET %s HTTP/%s\r\nHost: a\r\n\r\n" % (path.encode(), version))
        if expected == "500":
            assert answer.startswith(b"HTTP/1.1 500 ")
            assert whole(answer)
            assert body_of(answer) == b"Internal Server Error\n"
            assert any(level == "error" and path in text for level, text in running.logged)
        elif expected == "cut":
            # Nothing can reset a UNIX socket: an HTTP/1.0 client there learns of the cut only by Content-Length.
            assert not whole(answer) or (unix and version == b"1.0" and b"Content-Length" not in answer)
        else:
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert whole(answer)
            assert body_of(answer) == b"ten bytes!"
        assert b"Smuggled" not in answer
        assert body_of(running.exchange(LAST % b"/healthy")) == b"fine"


def test_the_connection_survives_a_500(unix: bool) -> None:
    with serving(misbehaving_app.application, unix=unix) as running, running.connect() as sock:
        sock.sendall(GET % b"/raises-before-start")
        assert receive_response(sock)[0] == 500
        sock.sendall(GET % b"/healthy")
        assert receive_response(sock)[2] == b"fine"


def everything(environ: Any, start_response: Any) -> Iterator[bytes]:
    """Read, log, and answer in blocks."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.errors"].write("a line\n")
    environ["wsgi.errors"].flush()
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"got "
    yield body


@pytest.mark.parametrize("method", [b"GET", b"POST", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"])
def test_the_validator_is_silent(method: bytes, unix: bool) -> None:
    with serving(validator(everything), unix=unix) as running:
        answer = running.exchange(method + b" /x?y HTTP/1.1\r\nHost: a:1\r\nContent-Length: 3\r\nX-A: b\r\n\r\nabc")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert [text for _level, text in running.logged] == ["wsgi.errors: a line"]


def test_the_environ(unix: bool) -> None:
    seen: dict[str, Any] = {}

    def application(environ: Any, start_response: Any) -> list[bytes]:
        seen.update(environ)
        start_response("204 No Content", [])
        return []

    with serving(application, unix=unix, threads=3, multiprocess=True) as running:
        running.exchange(LAST % b"/p%20q?r")
        host, port = ("a", "80") if unix else ("127.0.0.1", str(running.address[1]))
    assert seen["SERVER_NAME"] == host
    assert seen["SERVER_PORT"] == port
    assert seen["REMOTE_ADDR"] == ("" if unix else "127.0.0.1")
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"], seen["QUERY_STRING"]) == ("", "/p q", "r")
    assert seen["REQUEST_URI"] == "/p%20q?r"
    assert seen["wsgi.version"] == (1, 0)
    assert (seen["wsgi.multithread"], seen["wsgi.multiprocess"], seen["wsgi.run_once"]) == (True, True, False)
    assert seen["wsgi.input_terminated"] is True
    assert (seen["wsgigroups.group"], seen["wsgigroups.slot"]) == ("test", "1")
    assert type(seen) is dict


def test_content_length_is_added_to_one_block() -> None:
    with serving(simple(b"abc")) as running:
        answer = running.exchange(LAST % b"/")
    assert b"\r\nContent-Length: 3\r\n" in answer
    assert body_of(answer) == b"abc"


def test_blocks_are_chunked_for_http_1_1_and_end_with_the_connection_for_1_0() -> None:
    with serving(everything) as running:
        new = running.exchange(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
        old = running.exchange(b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx")
    assert body_of(new) == b"4\r\ngot \r\n1\r\nx\r\n0\r\n\r\n"
    assert body_of(old) == b"got x"
    assert b"Connection: close" in old


def test_http_1_0_keep_alive() -> None:
    with serving(simple()) as running, running.connect() as sock:
        for _ in range(2):
            sock.sendall(b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
            status, fields, body = receive_response(sock)
            assert (status, fields["connection"], body) == (200, "keep-alive", b"fine")


@pytest.mark.parametrize("code", ["204 No Content", "304 Not Modified"])
def test_no_body_where_none_is_allowed(code: str) -> None:
    with serving(simple(b"not to be sent", code, ("Content-Length", "14"))) as running:
        answer = running.exchange(GET % b"/a" + LAST % b"/b")
    assert answer.count(b"HTTP/1.1 " + code.encode()) == 2
    assert b"not to be sent" not in answer
    assert (b"Content-Length" in answer) == code.startswith("304")


def test_head_has_the_fields_and_no_body() -> None:
    with serving(simple(b"abc", "200 OK", ("Content-Length", "3"))) as running:
        answer = running.exchange(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
    assert answer.count(b"Content-Length: 3\r\n") == 2
    assert body_of(answer).startswith(b"HTTP/1.1 200 OK")
    assert b"abc" not in answer


def test_head_with_blocks_promises_no_coding() -> None:
    with serving(everything) as running:
        answer = running.exchange(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.endswith(b"\r\n\r\n")
    assert b"chunked" not in answer


@pytest.mark.parametrize("code", ["100 Continue", "101 Switching Protocols", "199 x"])
def test_an_interim_status_is_no_answer(code: str) -> None:
    with serving(simple(b"", code)) as running:
        assert running.exchange(GET % b"/").startswith(b"HTTP/1.1 500 ")


def test_a_header_line_above_header_buffer_size() -> None:
    with serving(simple(b"", "200 OK", ("X-Long", "y" * 9000)), header_buffer_size_bytes=8192) as running:
        assert running.exchange(GET % b"/").startswith(b"HTTP/1.1 500 ")
        assert any("X-Long" in text and "9008 bytes" in text and "8192" in text for _level, text in running.logged)
    with serving(simple(b"", "200 OK", ("X-Long", "y" * 8184)), header_buffer_size_bytes=8192) as running:
        assert running.exchange(GET % b"/").startswith(b"HTTP/1.1 200 ")


def test_own_date_and_server_replace_ours() -> None:
    with serving(simple(b"", "200 OK", ("Date", "today"), ("Server", "mine"))) as running:
        answer = running.exchange(LAST % b"/")
    assert answer.count(b"Date: ") == answer.count(b"Server: ") == 1
    assert b"Server: mine\r\n" in answer


def test_close_is_called_once_in_every_case() -> None:
    closed: list[str] = []

    class Body:
        def __init__(self, path: str) -> None:
            self.path = path

        def __iter__(self) -> Iterator[bytes]:
            yield b"x" * 10
            if self.path == "/raises":
                raise ValueError("on purpose")

        def close(self) -> None:
            closed.append(self.path)

    def application(environ: Any, start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        start_response("200 OK", [("Content-Length", "10")] if path == "/whole" else [])
        return Body(path)

    with serving(application) as running:
        for path in ("/whole", "/raises", "/blocks"):
            running.exchange(LAST % path.encode())
    assert closed == ["/whole", "/raises", "/blocks"]


def test_start_response_and_write_are_dead_after_the_request() -> None:
    kept: list[Any] = []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        kept.extend([start_response, start_response("200 OK", [])])
        return [b"x"]

    with serving(application) as running:
        running.exchange(LAST % b"/")
        with pytest.raises(RuntimeError):
            kept[0]("200 OK", [], None)
        with pytest.raises(RuntimeError):
            kept[1](b"late")


def test_pipelined_requests_are_answered_in_order_and_nothing_after_a_bad_one(unix: bool) -> None:
    called: list[str] = []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        called.append(environ["PATH_INFO"])
        start_response("200 OK", [])
        return [environ["PATH_INFO"].encode()]

    requests = [GET % (b"/%d" % number) for number in range(1, 101)]
    requests[49] = b"GET /50 HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"
    with serving(application, unix=unix) as running:
        answer = running.exchange(b"".join(requests))
    assert called == [f"/{number}" for number in range(1, 50)]
    assert answer.count(b"HTTP/1.1 200 OK") == 49
    assert answer.count(b"HTTP/1.1 400 ") == 1
    bodies = [part[: part.index(b"HTTP/1.1")] for part in answer.split(b"\r\n\r\n")[1:-1]]
    assert bodies == [b"/%d" % number for number in range(1, 50)]


def echo(environ: Any, start_response: Any) -> list[bytes]:
    """Answer with the body."""
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return [body]


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 300_000])
@pytest.mark.parametrize("chunks", [False, True])
def test_bodies_of_every_size(size: int, chunks: bool, unix: bool) -> None:
    body = bytes(index % 251 for index in range(size))
    if chunks:
        fields = b"Transfer-Encoding: chunked"
        sent = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts(body, 7001)) + b"0\r\n\r\n"
    else:
        fields, sent = b"Content-Length: %d" % size, body
    with serving(echo, unix=unix) as running, running.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n\r\n" + sent + GET % b"/next")
        status, answer_fields, answer = receive_response_exactly(sock)
        assert (status, answer) == (200, body)
        if answer_fields.get("connection") != "close":
            assert receive_response_exactly(sock)[0] == 200


def parts(body: bytes, size: int) -> list[bytes]:
    """Cut into blocks."""
    return [body[start : start + size] for start in range(0, len(body), size)]


def receive_response_exactly(sock: Any) -> tuple[int, dict[str, str], bytes]:
    """Read one response with a Content-Length, byte by byte in its head, so that the next one stays in the socket."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        assert byte, f"the connection was closed after {head!r}"
        head += byte
    lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    body = b""
    while len(body) < int(fields["content-length"]):
        body += sock.recv(int(fields["content-length"]) - len(body))
    return int(lines[0].split()[1]), fields, body


def test_the_ways_to_read() -> None:
    lines = [b"one\n", b"two\n", b"", b"three"]
    body = b"".join(lines) * 20_000

    def application(environ: Any, start_response: Any) -> list[bytes]:
        stream = environ["wsgi.input"]
        first = stream.readline()
        limited = stream.readline(2), stream.readline(), stream.readline(5)
        some = stream.read(7)
        listed = stream.readlines(9)  # which is only a hint
        rest = b"".join(stream)
        assert stream.read() == stream.read(5) == stream.readline() == b""
        assert stream.readlines() == []
        assert first == b"one\n"
        assert limited == (b"tw", b"o\n", b"three")
        assert len(listed) == 2
        start_response("200 OK", [])
        return [first + b"".join(limited) + some + b"".join(listed) + rest]

    for text in (body, body[:60_000]):
        with serving(application) as running:
            answer = running.exchange(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert body_of(answer) == text


def test_continue_is_sent_when_the_body_is_wanted() -> None:
    with serving(echo) as running, running.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        interim = b"HTTP/1.1 100 Continue\r\n\r\n"
        assert sock.recv(len(interim)) == interim
        sock.sendall(b"abc")
        assert receive_response(sock)[2] == b"abc"
        sock.sendall(GET % b"/")
        assert receive_response(sock)[0] == 200


def test_no_continue_for_a_body_that_is_there_or_unwanted() -> None:
    with serving(echo) as running:
        there = running.exchange(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc")
    assert b"100 Continue" not in there
    assert body_of(there) == b"abc"
    with serving(simple()) as running:
        unwanted = running.exchange(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    assert unwanted.startswith(b"HTTP/1.1 200 ")
    assert b"Connection: close" in unwanted


@pytest.mark.parametrize("chunks", [False, True])
@pytest.mark.parametrize("size", [10, 100_000])
def test_a_body_cut_short_is_never_whole(size: int, chunks: bool, unix: bool) -> None:
    outcome: list[str] = []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        try:
            environ["wsgi.input"].read()
            outcome.append("whole")
        except OSError:
            outcome.append("raised")
        start_response("200 OK", [])
        return [b"as if nothing had happened"]

    fields = b"Transfer-Encoding: chunked" if chunks else b"Content-Length: %d" % (size + 1)
    body = b"%x\r\n" % (size + 1) + b"x" * size if chunks else b"x" * size
    with serving(application, unix=unix) as running:
        answer = running.exchange(b"POST / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n\r\n" + body)
        running.wait_word("connections", 0)
    assert b"200" not in answer
    # A short body, and a chunked one, have come to their end before the application is called.
    assert outcome == (["raised"] if size > 65536 and not chunks else [])


def test_a_bad_chunk_in_a_long_body_is_400() -> None:
    data = b"%x\r\n" % 100_000 + b"x" * 100_000 + b"\r\nnonsense\r\n"
    with serving(echo) as running:
        answer = running.exchange(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + data)
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_an_unread_body_closes_the_connection_and_runs_nothing() -> None:
    called: list[str] = []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        called.append(environ["PATH_INFO"])
        start_response("413 Content Too Large", [])
        return [b"no"]

    hidden = GET % b"/hidden"
    with serving(application) as running:
        body = hidden * 10_000
        answer = running.exchange(b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert called == ["/p"]
    assert answer.count(b"HTTP/1.1") == 1
    assert b"Connection: close" in answer


@pytest.mark.parametrize("target", [b"/", b"*"])
def test_options(target: bytes) -> None:
    with serving(simple()) as running:
        answer = running.exchange(b"OPTIONS %b HTTP/1.1\r\nHost: a\r\n\r\n" % target)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body_of(answer) == (b"fine" if target == b"/" else b"OK\n")


def test_files(tmp_path: Any, unix: bool) -> None:
    content = bytes(index % 253 for index in range(2_000_000))
    (tmp_path / "file").write_bytes(content)
    closed: list[bool] = []

    def application(environ: Any, start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        file: Any = open(tmp_path / "file", "rb")  # noqa: SIM115 — the server closes it
        if path == "/memory":
            file.close()
            file = io.BytesIO(content)
        if path in ("/offset", "/part"):
            file.seek(1000)
        fields = {"/part": [("Content-Length", "5000")], "/lies": [("Content-Length", "2000001")]}.get(path, [])
        start_response("200 OK", list(fields))
        wrapper = environ["wsgi.file_wrapper"](file, 4096)
        close = wrapper.close
        wrapper.close = lambda: (closed.append(True), close())
        return wrapper

    with serving(application, unix=unix) as running:
        for path, expected in (
            (b"/", content),
            (b"/offset", content[1000:]),
            (b"/part", content[1000:6000]),
            (b"/memory", content),
        ):
            with running.connect() as sock:
                sock.sendall(GET % path)
                status, fields, body = receive_response(sock)
                assert (status, body) == (200, expected)
                assert path == b"/memory" or fields["content-length"] == str(len(expected))
        assert not whole(running.exchange(LAST % b"/lies"))
        head = running.exchange(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"Content-Length: 2000000\r\n" in head
        assert body_of(head) == b""
    assert len(closed) == 6


def test_streaming_goes_out_block_by_block() -> None:
    go_on = threading.Event()

    def application(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"first"
        assert go_on.wait(20)
        yield b"second"

    with serving(application) as running, running.connect() as sock:
        sock.sendall(LAST % b"/")
        data = b""
        while b"first" not in data:
            data += sock.recv(1000)
        assert b"second" not in data
        go_on.set()
        assert receive_all(sock).endswith(b"6\r\nsecond\r\n0\r\n\r\n")


def test_the_board_counts() -> None:
    with serving(simple(b"x" * 100)) as running:
        running.exchange(GET % b"/a" + LAST % b"/b")
        running.exchange(b"PRI / HTTP/1.1\r\nHost: a\r\n\r\n")
        running.wait_word("requests_total", 2)
        running.wait_word("status_5xx", 1)
        running.wait_word("connections", 0)
        assert running.word("status_2xx") == 2
        assert running.word("started_total") == 2
        assert running.word("requests_active") == 0
        assert running.word("sent_bytes") > 200
        assert running.word("application_time_ns") > 0
        assert running.word("heartbeat_ns") > 0


def test_two_protocols_on_one_socket(unix: bool) -> None:
    from support import corpus

    with serving(echo, unix=unix) as running:
        answer = running.exchange(corpus.uwsgi(CONTENT_LENGTH="3", REQUEST_METHOD="POST") + b"abc" + b"more than that")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert body_of(answer) == b"abc"
        assert body_of(running.exchange(LAST % b"/")) == b""


def run_of(running: Running) -> int:
    """Return how many requests reached the application."""
    return running.word("requests_total")
