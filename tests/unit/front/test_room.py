"""Whose connections end when all places are taken: a table, and slow uploads against a server."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import pytest
from support.serving import Clock, Running, receive_response, serving

from wsgigroups.runtime.front import room
from wsgigroups.runtime.front.connection import BODY, FLUSHING, HEAD, IDLE, LINGERING, QUEUED, RUNNING, Connection
from wsgigroups.runtime.protocol.names import TRUSTED, UNTRUSTED

SECOND = 10**9
NOW = 1000 * SECOND
PLACES = 8
UPLOAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx"


def connection(state: int, peer: str = "10.0.0.1", *, age_s: float = 10.0, size: int = 1, **facts: Any) -> Connection:
    """One as the leader finds it: a body or a head of so many bytes that began so long ago."""
    one, other = socket.socketpair()
    other.close()
    made = Connection(one, {}, TRUSTED if facts.pop("trusted", False) else UNTRUSTED, peer, facts.pop("unix", False))
    made.state = state
    made.since_ns = made.begun_ns = NOW - int(age_s * SECOND)
    made.received_bytes, made.data = size, b"x" * size
    for name, value in facts.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("facts", "ended"),
    [
        # who has begun nothing goes before who has, the longest silence first
        ([(BODY, {}), (IDLE, {"deadline_ns": 7}), (LINGERING, {"deadline_ns": 5})], [2, 1, 0]),
        # of requests on their way the slowest
        ([(BODY, {"size": 500}), (HEAD, {"size": 2}), (BODY, {"size": 50})], [1, 2, 0]),
        ([(BODY, {"size": 500, "age_s": 100.0}), (BODY, {"size": 100, "age_s": 10.0})], [0, 1]),
        # … but not those that have only begun
        ([(BODY, {"age_s": 0.5}), (HEAD, {"age_s": 0.5})], []),
        # … nor those whose first request may be on its way, as that of a kept one may, too, but not for ever
        (
            [(IDLE, {"age_s": 0.5}), (IDLE, {"age_s": 0.5, "begun": True}), (IDLE, {"age_s": 2.0, "deadline_ns": 1})],
            [1, 2],
        ),
        # an address with more than its share before others, however fast
        (
            [(BODY, {"peer": "10.0.0.2", "size": 1})] + [(BODY, {"size": 900 + n}) for n in range(3)],
            [1, 2, 3, 0],
        ),
        # … which a trusted proxy has not, nor a UNIX socket
        (
            [(BODY, {"peer": "10.0.0.2", "size": 1})] + [(BODY, {"size": 900 + n, "trusted": True}) for n in range(3)],
            [0, 1, 2, 3],
        ),
        (
            [(BODY, {"size": 900 + n, "unix": True}) for n in range(3)] + [(BODY, {"peer": "b", "size": 1})],
            [3, 0, 1, 2],
        ),
        # nobody's request that is being answered
        ([(QUEUED, {}), (RUNNING, {}), (FLUSHING, {}), (BODY, {"owned": True}), (IDLE, {"owned": True})], []),
    ],
)
def test_the_order(facts: list[tuple[int, dict[str, Any]]], ended: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PART", 1)  # all of them at once
    items = [connection(state, **more) for state, more in facts]
    assert [items.index(item) for item in room.to_end(items, PLACES, NOW)] == ended
    for item in items:
        item.sock.close()


def test_a_sixteenth_of_the_places_at_once() -> None:
    items = [connection(BODY, f"10.0.{n}.1") for n in range(64)]
    assert len(room.to_end(items, 64, NOW)) == 4
    for item in items:
        item.sock.close()


def upload(running: Running, host: str) -> socket.socket:
    sock = socket.create_connection(running.address, timeout=20, source_address=(host, 0))
    sock.sendall(UPLOAD)
    return sock


def test_slow_uploads_of_one_client_do_not_keep_others_out() -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    clock = Clock()
    with serving(application, clock=clock) as running, contextlib.ExitStack() as stack:
        running.server.poller.arrivals.most_connections = PLACES
        for _ in range(PLACES - 1):
            stack.enter_context(upload(running, "127.0.0.1"))
        other = stack.enter_context(upload(running, "127.0.0.3"))
        running.wait(lambda: [item.state for item in running.connections] == [BODY] * PLACES)
        clock.advance(2.0)
        for _ in range(3):
            with socket.create_connection(running.address, timeout=20, source_address=("127.0.0.2", 0)) as sock:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                assert receive_response(sock)[0] == 200
        other.sendall(b"x" * 99)
        assert receive_response(other)[0] == 200
        assert running.word("aborted") >= 1
