"""The answerer: the same few bytes for everybody, within bounds, and never slowed down by a client."""

from __future__ import annotations

import array
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from wsgigroups.runtime.answerer import loop
from wsgigroups.runtime.wire import frames

TIMEOUT_S = 20.0


@dataclass
class Running:
    """An answerer in a thread, and the manager's end of its channel."""

    channel: socket.socket
    answerer: loop.Answerer
    thread: threading.Thread
    codes: list[int]

    def give(self, key: str, listener: socket.socket) -> None:
        frames.send(self.channel, {"type": "answer", "key": key}, [listener.fileno()])

    def take_back(self, key: str) -> None:
        frames.send(self.channel, {"type": "rest", "key": key})


@pytest.fixture
def running() -> Iterator[Running]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    answerer = loop.Answerer(theirs)
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(answerer.run()))
    thread.start()
    found = Running(ours, answerer, thread, codes)
    yield found
    ours.close()
    thread.join(TIMEOUT_S)
    assert found.codes
    for fd in found.answerer.held:
        os.close(fd)
    theirs.close()


@pytest.fixture(params=["tcp", "unix"])
def listener(request: pytest.FixtureRequest, tmp_path: object) -> Iterator[socket.socket]:
    if request.param == "tcp":
        sock = socket.create_server(("127.0.0.1", 0), backlog=128)
    else:
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(f"{tmp_path}/a.sock")
        sock.listen(128)
    with sock:
        yield sock


def connect(listener: socket.socket) -> socket.socket:
    client = socket.socket(listener.family)
    client.settimeout(TIMEOUT_S)
    client.connect(listener.getsockname())
    return client


def read_all(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65536), b""))


@pytest.mark.parametrize("request_", [b"GET / HTTP/1.1\r\n\r\n", b"\0\x04\0\0\x01\0a\0", b"\xff" * 100_000, b""])
def test_everybody_gets_the_same(running: Running, listener: socket.socket, request_: bytes) -> None:
    running.give("a", listener)
    with connect(listener) as client:
        client.sendall(request_)
        assert read_all(client) == loop.ANSWER


def test_more_clients_than_there_is_room_for_are_answered_in_turn(
    running: Running, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "MOST_OF_ONE", 2)
    monkeypatch.setattr(loop, "LINGER_S", 0.05)
    running.give("a", listener)
    clients = [connect(listener) for _ in range(12)]
    for client in clients:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert [read_all(client) for client in clients] == [loop.ANSWER] * 12
    for client in clients:
        client.close()


def test_what_is_taken_back_is_left_to_others(running: Running, listener: socket.socket) -> None:
    running.give("a", listener)
    with connect(listener) as client:
        client.sendall(b"x")
        assert read_all(client) == loop.ANSWER
    running.take_back("a")
    with socket.create_server(("127.0.0.1", 0)) as other:
        running.give("b", other)  # frames are obeyed in order: when this one is, the other was
        with connect(other) as client:
            client.sendall(b"x")
            assert read_all(client) == loop.ANSWER
    with connect(listener) as client:
        listener.settimeout(TIMEOUT_S)
        listener.accept()[0].close()
        assert read_all(client) == b""


def test_who_sends_descriptors_does_not_have_them_closed(
    running: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setattr(loop, "MOST_HELD", 2)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{tmp_path}/a.sock")
        listener.listen()
        running.give("a", listener)
        clients = [connect(listener) for _ in range(2)]
        reader, writer = os.pipe()
        for client in clients:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [writer]).tobytes())]
            client.sendmsg([b"x"], rights)
        os.close(writer)
        running.thread.join(TIMEOUT_S)
        assert running.codes == [75], "it ends, and whatever it holds with it"
        os.set_blocking(reader, False)
        with pytest.raises(BlockingIOError):
            os.read(reader, 1)  # until then nobody has closed what was sent
        for client in clients:
            client.close()
        os.close(reader)
