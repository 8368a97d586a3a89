"""A process that leaves: what had come is its own, and its board says when nothing else will be."""

from __future__ import annotations

import socket

import pytest
from support.driven import Driven
from support.serving import Clock, new_pulse

from wsgigroups.runtime.wire.board import LISTENING
from wsgigroups.runtime.wire.pulse import GONE


def test_the_board_says_so_when_what_had_come_is_accepted(driven: Driven) -> None:
    with socket.create_connection(driven.listener.getsockname(), timeout=20):
        driven.poller.stop()
        assert driven.word("listening") != LISTENING["no"]
        driven.poller.wait()
        assert driven.word("listening") == LISTENING["no"]
        assert len(driven.connections) == 1
        assert not driven.server.listening.watching


def queue(driven: Driven, count: int) -> list[socket.socket]:
    """Connect so often, while nobody accepts."""
    driven.listener.listen(2 * count)
    return [socket.create_connection(driven.listener.getsockname(), timeout=20) for _ in range(count)]


def close_all(clients: list[socket.socket]) -> None:
    for client in clients:
        client.close()


def test_who_is_the_last_takes_all_that_wait_and_closes_the_listener(driven: Driven) -> None:
    clients = queue(driven, 150)
    driven.poller.stop(closes=True)
    driven.poller.wait()
    assert len(driven.connections) == 150
    assert driven.server.listening.stopped
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(driven.listener.getsockname(), timeout=20)
    driven.poller.wait()
    assert driven.logged == [], "nobody else has closed it"
    close_all(clients)


def test_who_is_followed_leaves_the_rest_to_others(driven: Driven) -> None:
    clients = queue(driven, 150)
    driven.poller.stop()
    driven.poller.wait()
    assert 0 < len(driven.connections) < 150
    clients.append(socket.create_connection(driven.listener.getsockname(), timeout=20))
    close_all(clients)


def test_the_last_one_goes_on_until_its_siblings_have_left() -> None:
    clock, page = Clock(), new_pulse()
    driven = Driven(clock=clock, pulses=[page], multiprocess=True)
    try:
        page.tell(2, 3, clock())
        driven.poller.stop(None, closes=True)
        with socket.create_connection(driven.listener.getsockname(), timeout=20):
            while not driven.connections:
                driven.poller.wait()
            assert not driven.server.listening.stopped
            assert driven.poller.timeout_s() is not None
            page.tell(2, GONE, clock())
            driven.poller.wait()
            assert driven.server.listening.stopped
    finally:
        driven.close()


def test_a_sibling_that_does_not_leave_is_not_waited_for_for_long() -> None:
    clock, page = Clock(), new_pulse()
    driven = Driven(clock=clock, pulses=[page], multiprocess=True)
    try:
        page.tell(2, 3, clock())
        driven.poller.stop(None, closes=True)
        driven.poller.wait()
        assert not driven.server.listening.stopped
        clock.advance(0.25)
        driven.poller.wait()
        assert driven.server.listening.stopped
    finally:
        driven.close()


def test_siblings_hear_at_once_that_it_has_left() -> None:
    clock, page = Clock(), new_pulse()
    driven = Driven(clock=clock, pulses=[page], multiprocess=True)
    try:
        driven.poller.stop()
        driven.poller.wait()
        assert page.fewest(2, clock()) == GONE
    finally:
        driven.close()


def test_who_parts_with_its_clients_takes_others_still(driven: Driven) -> None:
    driven.server.part(True)
    for _client in range(2):
        with driven.connect() as client:
            client.sendall(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
            driven.round(1)
            driven.send()
            assert b"Connection: close" in client.recv(65536)
    driven.server.tune({"keep_alive_timeout_s": 7.0})
    assert not driven.poller.connections.keeps, "other options change nothing of it"
    driven.server.part(False)
    with driven.connect() as client:
        client.sendall(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        driven.round(1)
        driven.send()
        assert b"Connection: close" not in client.recv(65536)
