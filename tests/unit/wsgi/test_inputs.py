"""A chunked body means the same at any size and however it comes, and no body is longer than is allowed."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.serving import receive_all, receive_response, serving

from wsgigroups.runtime.wsgi import inputs

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
SIZES = [0, 1, 65_536, 65_537, 200_000]
LAST = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def head(*fields: bytes) -> bytes:
    """Return the head of a request with a chunked body."""
    lines = [b"POST /up HTTP/1.1", b"Host: a", b"Transfer-Encoding: chunked", *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def chunks(body: bytes, trailers: bytes = b"", size: int = 7001) -> bytes:
    """Return a body in chunks."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n" + trailers + b"\r\n"


def body_of(size: int) -> bytes:
    """Return bytes that differ."""
    return bytes(index % 251 for index in range(size))


class Asked:
    """An application that keeps what it was asked, and answers with the bytes that CONTENT_LENGTH promises."""

    def __init__(self, read: Callable[[Any], bytes] | None = None) -> None:
        self.environs: list[dict[str, Any]] = []
        self._read = read or self.counted

    @staticmethod
    def counted(environ: Any) -> bytes:
        """Read as Bottle does: nothing without a length, and never beyond it."""
        left, blocks = int(environ.get("CONTENT_LENGTH") or 0), []
        while left:
            block = environ["wsgi.input"].read(min(left, 65536))
            if not block:
                break
            left -= len(block)
            blocks.append(block)
        return b"".join(blocks)

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        self.environs.append(environ)
        body = self._read(environ)
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    @property
    def said(self) -> list[tuple[str | None, str | None]]:
        """Return what each request said of its body."""
        return [(environ.get("CONTENT_LENGTH"), environ.get("HTTP_TRANSFER_ENCODING")) for environ in self.environs]


def descriptors() -> int:
    """Return how many files this process has open."""
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
@pytest.mark.parametrize("trailers", [b"", b"X-Sum: 1\r\nX-Other: 2\r\n"], ids=["", "trailers"])
@pytest.mark.parametrize("expects", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_a_chunked_body_has_its_length_at_any_size(size: int, expects: bool, trailers: bytes, unix: bool) -> None:
    application, body = Asked(), body_of(size)
    with serving(application, unix=unix) as running, running.connect() as sock:
        if expects:
            sock.sendall(head(b"Expect: 100-continue"))
            assert sock.recv(len(CONTINUE)) == CONTINUE
        else:
            sock.sendall(head())
        sock.sendall(chunks(body, trailers))
        status, fields, answer = receive_response(sock)
        assert (status, answer) == (200, body)
        assert "connection" not in fields
        sock.sendall(LAST)
        assert receive_response(sock)[0] == 200
        assert application.said == [(str(size), None), (None, None)]
        assert application.environs[0]["wsgi.input_terminated"]
        running.wait_word("requests_total", 2)
        assert running.word("received_bytes") >= size


@pytest.mark.parametrize("expects", [False, True])
def test_how_it_comes_does_not_matter(expects: bool) -> None:
    """Head, body and the next request in one go, also where the client need not have waited for a word."""
    application = Asked()
    with serving(application) as running:
        for size in SIZES:
            fields = [b"Expect: 100-continue"] if expects else []
            answer = running.exchange(head(*fields) + chunks(body_of(size)) + LAST)
            assert answer.removeprefix(CONTINUE).count(b"HTTP/1.1 200 OK\r\n") == 2
            assert body_of(size) in answer
    assert application.said == [found for size in SIZES for found in ((str(size), None), (None, None))]


def test_a_long_one_is_read_in_all_the_ways_and_its_file_is_closed_afterwards() -> None:
    body = b"".join(b"line %d\n" % number for number in range(20_000))
    inputs: list[Any] = []

    def read(environ: Any) -> bytes:
        if environ["REQUEST_METHOD"] == "GET":
            return b""
        stream = environ["wsgi.input"]
        inputs.append(stream)
        assert stream.readline() == b"line 0\n"
        assert stream.readline(3) == b"lin"
        assert stream.read(4) == b"e 1\n"
        assert stream.readlines(10) == [b"line 2\n", b"line 3\n"]
        assert next(iter(stream)) == b"line 4\n"
        rest = stream.read()
        assert stream.read() == stream.readline() == b""
        return b"".join(b"line %d\n" % number for number in range(5)) + bytes(rest)

    with serving(Asked(read)) as running, running.connect() as sock:
        sock.sendall(LAST.replace(b"close", b"keep-alive"))
        assert receive_response(sock)[0] == 200
        before = descriptors()
        for _ in range(3):
            sock.sendall(head() + chunks(body))
            assert receive_response(sock)[2] == body
        sock.sendall(LAST)
        assert receive_response(sock)[0] == 200
        assert [stream.closed for stream in inputs] == [True] * 3
        assert descriptors() <= before


def test_what_was_collected_can_be_sent_back_as_a_file() -> None:
    body = body_of(300_000)

    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](environ["wsgi.input"])

    with serving(application) as running, running.connect() as sock:
        sock.sendall(head() + chunks(body))
        assert receive_response(sock)[2] == body


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("expects", [False, True])
def test_a_stream_has_no_length_at_any_size(size: int, expects: bool) -> None:
    application = Asked(lambda environ: environ["wsgi.input"].read())
    fields = [b"Expect: 100-continue"] if expects else []
    with serving(application, chunked_bodies="stream") as running:
        answer = running.exchange(head(*fields) + chunks(body_of(size)) + LAST)
    assert answer.removeprefix(CONTINUE).count(b"HTTP/1.1 200 OK\r\n") == 2
    assert body_of(size) in answer
    assert application.said == [(None, "chunked"), (None, None)]
    assert application.environs[0]["wsgi.input_terminated"]


def test_a_stream_is_read_as_it_comes() -> None:
    def application(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"ready"
        while block := environ["wsgi.input"].readline():
            yield b"got " + block

    def receive_until(sock: socket.socket, text: bytes) -> bytes:
        data = b""
        while text not in data:
            block = sock.recv(65536)
            assert block, data
            data += block
        return data

    with serving(application, chunked_bodies="stream") as running, running.connect() as sock:
        sock.sendall(head(b"Connection: close"))
        receive_until(sock, b"ready")
        for line in (b"one\n", b"two\n"):
            sock.sendall(b"%x\r\n%b\r\n" % (len(line), line))
            receive_until(sock, b"got " + line)
        sock.sendall(b"0\r\n\r\n")
        assert receive_all(sock).endswith(b"0\r\n\r\n")


def test_the_way_of_reading_may_be_changed_while_it_runs() -> None:
    application = Asked(lambda environ: environ["wsgi.input"].read())
    with serving(application) as running:
        for way in ("collect", "stream", "collect"):
            running.server.tune({"chunked_bodies": way})
            assert body_of(5) in running.exchange(head() + chunks(body_of(5)))
    assert application.said == [("5", None), (None, "chunked"), ("5", None)]


@pytest.mark.parametrize("limit", [100, 65_536, 100_000])
@pytest.mark.parametrize("way", ["collect", "stream"])
@pytest.mark.parametrize("coding", ["length", "chunks"])
def test_a_body_may_be_as_long_as_is_allowed_and_no_longer(coding: str, way: str, limit: int) -> None:
    application = Asked(lambda environ: environ["wsgi.input"].read())

    def request(size: int) -> bytes:
        if coding == "chunks":
            return head(b"Connection: close") + chunks(body_of(size))
        return b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size + body_of(size)

    with serving(application, limit_request_body=limit, chunked_bodies=way) as running:
        assert body_of(limit) in running.exchange(request(limit))
        answer = running.exchange(request(limit + 1))
        assert answer.startswith(b"HTTP/1.1 413 Content Too Large\r\n")
        assert b"\r\nConnection: close\r\n" in answer
        called = len(application.environs)
        running.server.tune({"limit_request_body": 0})
        assert body_of(limit + 1) in running.exchange(request(limit + 1))
        running.wait_word("status_4xx", 1)
    if way == "collect" or coding == "length":  # else the application may have begun to read
        assert called == 1


@pytest.mark.parametrize("expects", [b"", b"Expect: 100-continue\r\n"])
def test_a_length_that_is_too_much_is_refused_before_a_byte_of_it_comes(expects: bytes) -> None:
    application = Asked()
    with serving(application, limit_request_body=10) as running, running.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n" + expects + b"\r\n")
        assert receive_response(sock)[0] == 413
    assert application.environs == []


def test_a_chunked_body_that_grows_too_long_is_refused_while_it_grows() -> None:
    application = Asked()
    with serving(application, limit_request_body=100_000) as running, running.connect() as sock:
        sock.sendall(head() + b"%x\r\n" % 10_000_000 + body_of(100_001))
        assert receive_response(sock)[0] == 413
    assert application.environs == []


BROKEN: dict[str, tuple[bytes, bytes]] = {
    "nonsense": (b"nonsense\r\n", b"HTTP/1.1 400 "),
    "the end": (b"", b""),
    "a bad trailer": (b"0\r\nHost: b\r\n\r\n", b"HTTP/1.1 400 "),
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("size", [10, 200_000])
def test_a_chunked_body_that_breaks_off_reaches_no_application(size: int, kind: str) -> None:
    more, wanted = BROKEN[kind]
    application, before = Asked(), descriptors()
    with serving(application) as running:
        answer = running.exchange(head() + chunks(body_of(size)).removesuffix(b"0\r\n\r\n") + more)
        assert answer.startswith(wanted)
        assert bool(answer) == bool(wanted)
        running.wait_word("connections", 0)
        if not wanted:
            running.wait_word("aborted", 1)
        assert b" 200 OK" in running.exchange(LAST)
    assert len(application.environs) == 1
    assert descriptors() == before


def test_a_client_that_falls_silent_in_the_middle_is_told_so() -> None:
    application = Asked()
    with serving(application, socket_timeout_s=0.2) as running, running.connect() as sock:
        sock.sendall(head() + b"%x\r\n" % 100_000 + body_of(70_000))
        assert receive_response(sock)[0] == 408
    assert application.environs == []


@contextlib.contextmanager
def full_disk(monkeypatch: pytest.MonkeyPatch, kind: str) -> Iterator[None]:
    """Have no room for a file: it cannot be made, or not be written."""
    with monkeypatch.context() as patch:
        if kind == "no file":
            patch.setenv("TMPDIR", "/nonexistent")
        else:  # every write is ENOSPC (full(4))
            patch.setattr(inputs, "unnamed_file", lambda: open("/dev/full", "r+b", buffering=0))  # noqa: SIM115
        yield


@pytest.mark.parametrize("kind", ["no file", "no space"])
def test_where_there_is_no_room_for_a_body_its_request_is_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    application = Asked()
    with serving(application) as running:
        before = descriptors()
        with full_disk(monkeypatch, kind):
            answer = running.exchange(head() + chunks(body_of(200_000)))
            assert body_of(500) in running.exchange(head(b"Connection: close") + chunks(body_of(500)))
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert any(level == "error" and "no room" in text and "POST /up" in text for level, text in running.logged)
        assert body_of(200_000) in running.exchange(head(b"Connection: close") + chunks(body_of(200_000)))
        running.wait_word("connections", 0)
        assert descriptors() == before
    assert len(application.environs) == 2


@pytest.mark.parametrize("known", [True, False])
def test_the_file_has_no_name(known: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the file system does not know files that never have one."""
    seen: list[tuple[list[str], str, int]] = []
    make = os.open

    def make_named(path: Any, flags: int, *more: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        return make(path, flags, *more)

    def read(environ: Any) -> bytes:
        stream = environ["wsgi.input"]
        mode = os.fstat(stream.fileno()).st_mode & 0o777
        seen.append((os.listdir(tmp_path), os.readlink(f"/proc/self/fd/{stream.fileno()}"), mode))
        return b""

    with serving(Asked(read)) as running, monkeypatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path))
        if not known:
            patch.setattr(os, "open", make_named)
        running.exchange(head() + chunks(body_of(200_000)))
    ((names, target, mode),) = seen
    assert names == []
    assert target.startswith(str(tmp_path))
    assert target.endswith("(deleted)")
    assert mode == 0o600


def fail(environ: Any) -> bytes:
    """Read all, then fail."""
    if environ["PATH_INFO"] == "/last":
        return b""
    environ["wsgi.input"].read()
    raise ValueError("on purpose")


@pytest.mark.parametrize("kind", ["collected", "chunks", "length"])
def test_a_connection_outlives_a_500_if_the_body_has_come_to_its_end(kind: str) -> None:
    body = body_of(100_000)
    requests = {
        "collected": head() + chunks(body),
        "chunks": head() + chunks(body),
        "length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + body,
    }
    with serving(Asked(fail), chunked_bodies="stream" if kind == "chunks" else "collect") as running:
        answer = running.exchange(requests[kind] + LAST)
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 1


def test_one_whose_body_was_not_read_does_not() -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        raise ValueError("on purpose")

    with serving(application) as running:
        answer = running.exchange(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + LAST * 3000)
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert answer.count(b"HTTP/1.1 ") == 1
