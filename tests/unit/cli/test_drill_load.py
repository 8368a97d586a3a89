"""The load of a drill, against who answers as no server does: a tenant's process, whose answers root may read."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from wsgigroups.cli import drill_load
from wsgigroups.cli.drill_load import Load
from wsgigroups.config.addresses import parse

HEAD = b"HTTP/1.1 200 OK\r\n"


@contextlib.contextmanager
def asked_of(behave: Callable[[socket.socket], None]) -> Iterator[Load]:
    """A load of one client, and who answers it."""

    def serve() -> None:
        sock, _address = listener.accept()
        with sock, contextlib.suppress(OSError):
            sock.recv(65536)
            behave(sock)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield Load(parse(f"127.0.0.1:{listener.getsockname()[1]}"), "/", "localhost", 1)
        thread.join(20.0)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (HEAD + b"Content-Length: 2\r\n\r\nok", ""),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", ""),
        (HEAD + b"Content-Length: 3\r\n\r\nok", "IncompleteRead"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", "IncompleteRead"),
        (b"\x1b]52;c;cGFzdGVk\x07\x1b[2J\r\n\r\n", r"BadStatusLine: \x1b]52;c;cGFzdGVk\x07\x1b[2J"),
    ],
)
def test_answers_are_read_to_their_ends_and_told_in_visible_characters(sent: bytes, why: str) -> None:
    with asked_of(lambda sock: sock.sendall(sent)) as load:
        told = load.ask_once()
    assert why in told
    assert bool(told) == bool(why)
    assert told.isprintable()


def test_an_answer_without_an_end_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was kept in memory as long as it came."""
    monkeypatch.setattr(drill_load, "ANSWER_TIMEOUT_S", 0.05)

    def endless(sock: socket.socket) -> None:
        sock.sendall(HEAD + b"\r\n")
        for _block in range(100_000):
            sock.sendall(bytes(65536))

    with asked_of(endless) as load:
        assert "no end within" in load.ask_once()
