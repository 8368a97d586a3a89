"""Connections of UNIX sockets, which the accelerator takes together with what their peers have sent."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.serving import receive_all, serving

from wsgigroups.runtime import accelerator
from wsgigroups.runtime.front.connection import RECEIVE_BYTES
from wsgigroups.runtime.front.listener import Listener
from wsgigroups.runtime.gateway.packets import packet
from wsgigroups.runtime.protocol.forwarding import Trust

PACKET = packet(
    [
        *(("WSGIGROUPS_FRAMING", "chunked"), ("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/a"), ("QUERY_STRING", "")),
        *(("SERVER_PROTOCOL", "HTTP/1.1"), ("PATH_INFO", "/a"), ("SCRIPT_NAME", ""), ("REQUEST_SCHEME", "http")),
        *(("HTTP_HOST", "a"), ("SERVER_NAME", "a"), ("SERVER_PORT", "80"), ("REMOTE_ADDR", "::1")),
    ]
)

pytestmark = pytest.mark.skipif(accelerator.load() is None, reason="no accelerator has been built")


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "socket"))
        sock.listen(8)
        sock.setblocking(False)
        found = Listener(sock, {"SCRIPT_NAME": ""})
        found.arrive = accelerator.load().arrive  # also where the accelerator is not in use
        yield found


def connected(listener: Listener) -> socket.socket:
    """Return a peer of it."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(listener.sock.getsockname())
    return sock


@pytest.mark.parametrize("size", [0, 1, RECEIVE_BYTES - 1, RECEIVE_BYTES, RECEIVE_BYTES + 1])
def test_what_was_sent_comes_with_the_connection(listener: Listener, size: int) -> None:
    with connected(listener) as peer:
        peer.sendall(b"x" * size)
        connection = listener.accept(Trust([]))
        with contextlib.closing(connection.sock):
            assert connection.data == b"x" * min(size, RECEIVE_BYTES)
            assert connection.more is (size >= RECEIVE_BYTES)
            assert not os.get_inheritable(connection.fd)
            assert not connection.trusted


def test_a_peer_is_trusted_as_who_it_is(listener: Listener) -> None:
    for uids, trusted in (((), True), ((os.getuid(),), True), ((os.getuid() + 1,), False)):
        with connected(listener):
            connection = listener.accept(Trust(["unix"], uids))
            with contextlib.closing(connection.sock):
                assert connection.trusted is trusted


def test_a_peer_that_has_left_and_nobody_at_all(listener: Listener) -> None:
    with connected(listener) as peer:
        peer.sendall(b"first")
    connection = listener.accept(Trust([]))
    with contextlib.closing(connection.sock):
        assert (connection.data, connection.more) == (b"first", False)
    with pytest.raises(BlockingIOError):
        listener.accept(Trust([]))
    for wrong in ("", None, 1 << 70):
        with pytest.raises((TypeError, OverflowError)):
            accelerator.load().arrive(wrong)


def test_requests_that_come_at_once_in_parts_and_not_at_all_are_answered() -> None:
    def application(_environ, start_response):  # type: ignore[no-untyped-def]
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    with serving(application, unix=True, trusted_proxies=("unix",)) as daemon:
        for cut in (0, 1, 4, 50, len(PACKET) - 1, len(PACKET)):
            with daemon.connect() as peer:
                if cut:
                    peer.sendall(PACKET[:cut])
                if cut < len(PACKET):
                    daemon.wait_word("connections", 1)
                    peer.sendall(PACKET[cut:])
                assert receive_all(peer).endswith(b"\r\n\r\nok")
            daemon.wait_word("connections", 0)
        assert daemon.exchange(PACKET[:-1]) == b""
