"""Requests that do not come to their end are ended: a head, a body, a connection without a request (5 s each)."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.control import ControlUnderTest

from wsgigroups.manager.control import server

WHOLE = b"GET /v1/history HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlUnderTest]:
    assert server.PARTIAL_S == 5.0
    monkeypatch.setattr(server, "PARTIAL_S", 0.2)
    monkeypatch.setattr(server, "UNREAD_S", 0.2)
    with ControlUnderTest(tmp_path) as under_test:
        yield under_test


def connected(api: ControlUnderTest) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(20)
    sock.connect(str(api.path))
    return sock


def until_the_end(sock: socket.socket) -> bytes:
    parts = []
    try:
        while part := sock.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


@pytest.mark.parametrize("part", [b"", b"G", WHOLE[:-2], WHOLE[:-2] + b"X-Long: "])
def test_a_head_without_an_end_ends_the_connection(api: ControlUnderTest, part: bytes) -> None:
    with connected(api) as sock:
        sock.sendall(part)
        assert until_the_end(sock) == b""
    assert api.call("GET", "/v1/status").status == 200


def test_a_second_request_without_an_end_ends_the_connection(api: ControlUnderTest) -> None:
    with connected(api) as sock:
        sock.sendall(WHOLE + WHOLE[:20])
        assert until_the_end(sock).startswith(b"HTTP/1.1 200")


def test_a_body_without_an_end_is_refused_and_ends_the_connection(api: ControlUnderTest) -> None:
    with connected(api) as sock:
        sock.sendall(b"POST /v1/stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{")
        answer = until_the_end(sock)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"did not come to its end" in answer


def test_a_hundred_of_them_keep_nobody_waiting(api: ControlUnderTest) -> None:
    with contextlib.ExitStack() as held:
        socks = [held.enter_context(connected(api)) for _ in range(100)]
        for sock in socks:
            sock.sendall(WHOLE[:30])
        assert api.call("GET", "/v1/status").status == 200
        assert all(until_the_end(sock) == b"" for sock in socks)


def test_who_does_not_read_his_answer_loses_the_connection(api: ControlUnderTest) -> None:
    with connected(api) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        sent = 0
        try:
            while sent < 3000:  # requests until nothing is taken any more
                sock.sendall(WHOLE)
                sent += 1
        except BlockingIOError:
            pass
        sock.settimeout(20)
        until_the_end(sock)
    assert api.call("GET", "/v1/status").status == 200
