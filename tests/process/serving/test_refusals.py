"""What a refusal costs the server, and that it comes before what was refused has been sent."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from support import corpus, proc
from support.serving import receive_all
from support.serving_processes import processes

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
CASES = {
    "line": (b"GET /" + b"x" * 70_000, b"414"),
    "method": (b"G" * 70_000, b"414"),
    "field": (GET + b"X: " + b"y" * 70_000, b"431"),
    "fields": (GET + b"X: y\r\n" * 10_000, b"431"),
    "head": (GET + (b"X: " + b"y" * 8000 + b"\r\n") * 9, b"431"),
    "equal fields": (GET + (b"X: " + b"y" * 597 + b"\r\n") * 99 + b"\r\n", b"200"),
    "chunk line": (corpus.chunked(b"3;" + b"a" * 70_000), b"400"),
    "chunk digits": (corpus.chunked(b"0" * 70_000), b"400"),
    "trailers": (corpus.chunked(b"0\r\n" + b"X: y\r\n" * 10_000), b"400"),
    "length": (corpus.post(b"Content-Length: %b\r\n" % (b"9" * 8000), b""), b"413"),
    "uwsgi": (corpus.uwsgi(("HTTP_X", "y" * 60_000)), b"431"),
}
ROUNDS = 40


@pytest.mark.measured
@pytest.mark.parametrize("what", CASES)
def test_less_than_five_milliseconds(what: str) -> None:
    """Of the server's processor time, each of many; nothing of the client's."""
    data, status = CASES[what]
    with processes("hello_app:application") as servers:
        pid = servers.processes[0].pid
        used_s = 0.0
        for _ in range(ROUNDS + 1):
            with servers.connect() as sock:
                with contextlib.suppress(ConnectionError):  # refused before all was sent
                    sock.sendall(data)
                if status == b"200":
                    assert sock.recv(1000)[9:12] == status
                else:
                    assert receive_all(sock)[9:12] == status
            used_s = used_s or proc.processor_s(pid)  # the first one pays for what is done once
        assert proc.processor_s(pid) - used_s < ROUNDS * 0.005


@pytest.mark.parametrize(
    "what", ["line", "method", "field", "fields", "head", "chunk line", "chunk digits", "trailers"]
)
def test_the_answer_does_not_wait_for_the_end(what: str) -> None:
    """None of these has an end: the client goes on waiting, and is refused."""
    data, status = CASES[what]
    with processes("hello_app:application") as servers, servers.connect() as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(data)
        answer: Any = sock.recv(1000)
        assert answer[9:12] == status
