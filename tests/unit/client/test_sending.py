"""What a command does when a manager lets its connection go before it has answered."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import wsgigroups.client
from wsgigroups.client import Client
from wsgigroups.errors import ExitCode, WsgigroupsError

HUNG_S = 30.0
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"change":1}'


def read_whole(sock: socket.socket) -> bytes:
    """Read a request, with its body if it has one: that comes apart from the head. Empty where none comes."""
    data = b""
    while not data.endswith(b"}" if data.startswith(b"POST") else b"\r\n\r\n"):
        block = sock.recv(65536)
        if not block:
            return b""
        data += block
    return data


class LettingGo:
    """In the place of a manager: it lets some connections go, and answers on the next. One thread of its own."""

    def __init__(self, path: Path, unread: int = 0, read: int = 0) -> None:
        """unread, read: how many it lets go before anything was sent, and after it has read a request."""
        self.requests = 0
        self.let_go = threading.Semaphore(0)
        self._left = [False] * unread + [True] * read
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(8)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            sock = self._listener.accept()[0]
            with sock:
                reads = self._left.pop(0) if self._left else None
                if reads is not False:
                    self.let_go.release()
                    sock.settimeout(HUNG_S)
                    if not read_whole(sock):
                        return
                    self.requests += 1
                if reads is None:
                    sock.sendall(ANSWER)
            if reads is False:
                self.let_go.release()

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX) as last:
            self._left = []
            last.connect(self._listener.getsockname())
        self._thread.join(HUNG_S)
        self._listener.close()


@pytest.fixture
def run_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(wsgigroups.client, "AGAIN_S", 0.0)
    with tempfile.TemporaryDirectory(prefix="wg-") as path:
        yield Path(path)


@pytest.fixture
def manager(request: pytest.FixtureRequest, run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LettingGo]:
    made = LettingGo(run_dir / wsgigroups.client.SOCKET_NAME, **request.param)
    connect = wsgigroups.client.connect

    def connect_and_wait(*arguments: object, **keywords: object) -> None:
        """Send nothing before it has done with the connection what it will."""
        connect(*arguments, **keywords)  # type: ignore[arg-type]
        assert made.let_go.acquire(timeout=HUNG_S)

    monkeypatch.setattr(wsgigroups.client, "connect", connect_and_wait)
    yield made
    made.close()


@pytest.mark.parametrize("manager", [{"unread": 2}], indirect=True)
def test_what_could_not_be_sent_is_sent_again(manager: LettingGo, run_dir: Path) -> None:
    assert Client(run_dir).act("restart", {}) == {"change": 1}
    assert manager.requests == 1


@pytest.mark.parametrize("manager", [{"read": 2}, {"unread": 1, "read": 1}], indirect=True)
def test_a_question_is_asked_again(manager: LettingGo, run_dir: Path) -> None:
    assert Client(run_dir).get("/v1/status") == {"change": 1}


@pytest.mark.parametrize("manager", [{"read": 1}], indirect=True)
def test_what_may_have_been_done_is_not_sent_again(manager: LettingGo, run_dir: Path) -> None:
    with pytest.raises(WsgigroupsError, match="cannot reach a manager") as caught:
        Client(run_dir).act("restart", {})
    assert caught.value.exit_code is ExitCode.NO_MANAGER
    assert manager.requests == 1


@pytest.mark.parametrize("manager", [{"unread": 3}, {"read": 3}], indirect=True)
def test_it_gives_up(manager: LettingGo, run_dir: Path) -> None:
    with pytest.raises(WsgigroupsError, match="cannot reach a manager"):
        Client(run_dir).get("/v1/status")
