"""What most requests go through: it must come to the same as any other way, and keep nothing for itself."""

from __future__ import annotations

import gc
import os
import socket
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from support.driven import Driven
from support.gated import GET
from support.serving import Clock, receive_all, receive_response

from wsgigroups.runtime import originals
from wsgigroups.runtime.front.connection import CLOSED, IDLE, Connection
from wsgigroups.runtime.wire.board import WORD

TEXT = ("Content-Type", "text/plain")


def answer_with_length(environ: Any, start_response: Any) -> list[bytes]:
    """As frameworks do."""
    body = environ["PATH_INFO"].encode()
    start_response("200 OK", [TEXT, ("Content-Length", str(len(body)))])
    return [body]


@pytest.fixture
def driven() -> Iterator[Driven]:
    found = Driven(answer_with_length)
    yield found
    found.close()


def next_call(driven: Driven) -> Connection:
    """Return the connection with the next complete request."""
    while True:
        if not driven.poller.ready:
            driven.poller.wait()
        connection = driven.poller.step()
        if connection is not None:
            return connection


def all_received(driven: Driven, sock: socket.socket) -> bytes:
    """End the client's side, and return all that came."""
    sock.shutdown(socket.SHUT_WR)
    driven.poller.wait()
    while driven.poller.ready:
        driven.poller.step()
    return receive_all(sock)


def test_a_new_limit_holds_for_what_was_said_before() -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("X-Long", "x" * 200), ("Content-Length", "1")])
        return [b"1"]

    driven = Driven(application)
    with driven.connect() as sock:
        for limit, status in ((0, 200), (0, 200), (0, 200), (100, 500), (0, 200)):
            driven.server.tune({"header_buffer_size_bytes": limit})
            sock.sendall(GET % b"/")
            driven.round(1)
            driven.send()
            assert receive_response(sock)[0] == status
    driven.close()


@pytest.mark.parametrize("brief", [True, False])
def test_what_an_application_leaves_in_its_environ_goes_with_the_answer(brief: bool) -> None:
    """Not only with the next request or the connection: a kept one may be idle for long."""

    class Thing:
        """What can be referred to weakly."""

    things: list[Any] = []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        environ["mine"] = thing = Thing()
        things.append(weakref.ref(thing))
        return answer_with_length(environ, start_response)

    driven = Driven(application)
    with driven.connect() as sock:
        for count in range(1, 5):
            sock.sendall(GET % b"/")
            driven.round(1, brief)
            driven.send()
            assert receive_response(sock)[2] == b"/"
            gc.collect()
            assert [thing() for thing in things] == [None] * count
    driven.close()


def test_an_answer_whose_leader_has_lost_the_lead_is_sent_at_once(driven: Driven) -> None:
    with driven.connect() as sock:
        for _ in range(3):
            sock.sendall(GET % b"/late")
            connection = next_call(driven)
            driven.caller.answer(connection, 0, driven.tally, True)
            assert connection.answer
            driven.caller.send_late(connection, driven.tally)
            assert not connection.answer
            assert receive_response(sock)[2] == b"/late"
            assert connection.state == IDLE
            assert connection.head is None
            assert connection.deadline_ns
            connection.owned = False
        driven.caller.send_late(connection, driven.tally)  # nothing was left
        assert driven.tally.aborted == 0


def test_one_whose_client_is_gone_meanwhile_is_counted_and_logged(driven: Driven) -> None:
    sock = driven.connect()
    sock.sendall(GET % b"/gone")
    connection = next_call(driven)
    driven.caller.answer(connection, 0, driven.tally, True)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()  # a reset
    driven.caller.send_late(connection, driven.tally)
    assert driven.tally.aborted == 1
    assert [text.partition(": ")[0] for _level, text in driven.logged] == ["GET /gone from 127.0.0.1"]
    assert connection not in driven.connections


def test_a_connection_whose_answer_went_with_others_is_closed_when_idle_for_too_long() -> None:
    clock = Clock()
    driven = Driven(answer_with_length, clock, keep_alive_timeout_s=5.0)
    with driven.connect() as sock:
        sock.sendall(GET % b"/")
        driven.round(1)
        clock.advance(3.0)  # counts from when the answer leaves
        driven.send()
        assert receive_response(sock)[2] == b"/"
        for advance_s, left in ((4.8, 1), (0.4, 0)):
            clock.advance(advance_s)
            driven.poller.wake()
            driven.poller.wait()
            assert len(driven.connections) == left
    driven.close()


def test_what_epoll_watches_is_not_blocking(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read without a flag that says so, and may be empty: another thread may have read before."""
    with driven.connect() as sock:
        (connection,) = driven.connections
        read = os.read
        assert connection.watched
        assert not os.get_blocking(connection.fd)
        sock.sendall(GET % b"/")
        driven.round(1)
        driven.send()
        assert receive_response(sock)[2] == b"/"
        sock.sendall(GET % b"/")
        # As if it had been read before.
        monkeypatch.setattr(originals.os, "read", lambda fd, most: read(fd, most) and read(fd, most))
        driven.poller.wait()
        assert connection.state == IDLE
        assert not driven.poller.ready


def test_surplus_connections_end_with_their_next_answer_and_no_others(driven: Driven) -> None:
    with driven.connect() as first, driven.connect() as second:
        for sock in (first, second):
            sock.sendall(GET % b"/")
        calls = [next_call(driven), next_call(driven)]
        driven.poller.connections.surplus = 1
        for connection in calls:
            driven.caller.answer(connection, 0, driven.tally)
            connection.owned = False
        found = [receive_response(sock)[1].get("connection") for sock in (first, second)]
        assert sorted(map(str, found)) == ["None", "close"]
        assert driven.poller.connections.surplus == 0


def test_an_answer_that_cannot_be_watched_leaves_the_others_be(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    with driven.connect() as first, driven.connect() as second:
        for sock in (first, second):
            sock.sendall(GET % b"/")
        driven.round(2)
        connection = driven.posted[0]
        connection.watched = False
        port = connection.sock.getpeername()[1]

        def fail(_connection: Connection) -> None:
            raise OSError("no place in epoll")

        monkeypatch.setattr(driven.poller.connections, "watch", fail)
        driven.send()
        (kept,) = [sock for sock in (first, second) if sock.getsockname()[1] != port]
        assert receive_response(kept)[2] == b"/"
        assert driven.board.words[WORD["aborted"]] == 1


def test_what_comes_in_two_rounds_is_put_together(driven: Driven) -> None:
    """The first part has not been looked at when the second one is read."""
    with driven.connect() as sock:
        request = GET % b"/parts"
        for part in (request[:9], request[9:]):
            sock.sendall(part)
            driven.poller.wait()
        assert len(driven.poller.ready) == 2
        driven.round(1)
        driven.send()
        assert receive_response(sock)[2] == b"/parts"


def test_a_request_that_comes_in_the_last_moment_of_a_kept_connection_is_answered() -> None:
    clock = Clock()
    driven = Driven(answer_with_length, clock, keep_alive_timeout_s=5.0)
    with driven.connect() as sock:
        for number, advance_s in enumerate((0.0, 6.0, 6.0)):
            clock.advance(advance_s)
            sock.sendall(GET % (b"/%d" % number))
            driven.round(1)
            driven.send()
            assert receive_response(sock)[2] == b"/%d" % number
    driven.close()


def test_what_a_gateway_says_of_clients_counts_for_heads_that_come_again() -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", str(len(environ["REMOTE_ADDR"])))])
        return [environ["REMOTE_ADDR"].encode()]

    driven = Driven(application, trusted_proxies=("127.0.0.1",))
    with driven.connect() as sock:
        for _ in range(4):
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.9\r\n\r\n")
            driven.round(1)
            driven.send()
            assert receive_response(sock)[2] == b"192.0.2.9"
    driven.close()


def test_a_block_behind_a_written_one_is_no_second_answer() -> None:
    def application(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "5")])(b"first")
        return [b"again"]

    driven = Driven(application)
    with driven.connect() as sock:
        sock.sendall(GET % b"/")
        driven.round(1)
        driven.send()
        data = all_received(driven, sock)
        assert data.count(b"HTTP/1.1") == 1
        assert data.endswith(b"\r\n\r\nfirst")
    driven.close()


def test_an_answer_that_the_first_client_is_slow_to_take_makes_its_socket_non_blocking(driven: Driven) -> None:
    with driven.connect() as sock:
        (connection,) = driven.connections
        driven.poller.connections.epoll.unregister(connection.fd)
        connection.watched = False
        os.set_blocking(connection.fd, True)
        driven.poller.connections.watch_output(connection)
        assert connection.watched
        assert not os.get_blocking(connection.fd)
        sock.sendall(GET % b"/")
        driven.round(1)
        driven.send()
        assert receive_response(sock)[2] == b"/"


def test_nothing_read_is_the_end_and_no_request(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    with driven.connect() as sock:
        (connection,) = driven.connections
        monkeypatch.setattr(originals.os, "read", lambda _fd, _most: b"")
        sock.sendall(GET % b"/")
        driven.poller.wait()
        assert not driven.poller.ready
        assert connection.state == CLOSED


def test_no_memory_for_what_has_come_ends_its_connection_only(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_fd: int, _most: int) -> bytes:
        raise MemoryError

    with driven.connect() as sock:
        (connection,) = driven.connections
        with monkeypatch.context() as patch:
            patch.setattr(originals.os, "read", fail)
            sock.sendall(GET % b"/")
            driven.poller.wait()
        assert connection.state == CLOSED
        assert not driven.poller.ready
        assert "MemoryError" in driven.logged[0][1]
    with driven.connect() as sock:
        sock.sendall(GET % b"/next")
        driven.round(1)
        driven.send()
        assert receive_response(sock)[2] == b"/next"
