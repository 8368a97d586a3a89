"""What a daemon can send to the gateway besides an answer: nothing whose close takes as long as the daemon likes."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from support.gateway import FakeDaemon, answering, gateway, read_packet, routes_to
from support.processes import open_descriptors

from wsgigroups.runtime.front.listener import Listener
from wsgigroups.runtime.gateway import asking
from wsgigroups.runtime.wire.rights import take_rights

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"


def _kernel_refuses() -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        return take_rights(sock, take=False)


@pytest.mark.skipif(not _kernel_refuses(), reason="this kernel is older than 6.16")
@pytest.mark.parametrize("request_", [GET, POST])
def test_descriptors_do_not_travel_to_the_gateway(request_: bytes) -> None:
    """One that does not close, as a socket with SO_LINGER, held up the sites of everybody for a minute."""
    refused: list[str] = []

    def behave(sock: socket.socket) -> None:
        read_packet(sock)
        try:
            socket.send_fds(sock, [OK], [0])
        except PermissionError as error:
            refused.append(str(error.strerror))
            sock.sendall(OK)

    with FakeDaemon(behave) as daemon, gateway(routes_to(daemon.link)) as front:
        assert front.exchange(request_, end=False).endswith(b"ok")
    assert refused == ["Operation not permitted"]


@pytest.mark.skipif(not _kernel_refuses(), reason="this kernel is older than 6.16")
def test_descriptors_do_not_travel_to_who_serves_a_unix_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as client:
        listening.bind(str(tmp_path / "s"))
        listening.listen(1)
        Listener(listening, {})
        client.connect(str(tmp_path / "s"))
        with pytest.raises(PermissionError):
            socket.send_fds(client, [b"GET"], [0])


@pytest.mark.parametrize("with_answer", [True, False])
def test_before_linux_6_16_what_comes_with_descriptors_is_neither_read_nor_closed(
    monkeypatch: pytest.MonkeyPatch, with_answer: bool
) -> None:
    monkeypatch.setattr(asking, "take_rights", lambda _sock, take: take)
    read_end, write_end = os.pipe2(os.O_NONBLOCK)
    before = set(open_descriptors())

    def behave(sock: socket.socket) -> None:
        read_packet(sock)
        if with_answer:
            sock.sendall(OK[:-1])
        socket.send_fds(sock, [b"k"], [write_end])

    ways = iter([behave, answering(OK)])
    with FakeDaemon(lambda sock: next(ways)(sock)) as daemon, gateway(routes_to(daemon.link)) as front:
        first = front.exchange(POST, end=False)
        os.close(write_end)
        assert not first.endswith(b"ok")
        assert front.exchange(POST, end=False).endswith(b"ok")
        with pytest.raises(BlockingIOError):  # who reads would see the end
            os.read(read_end, 1)
    (left,) = set(open_descriptors()) - before
    os.close(left)
    assert os.read(read_end, 1) == b""
    os.close(read_end)
