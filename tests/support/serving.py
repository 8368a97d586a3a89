"""A Server inside the test's own process, on a loopback port or a UNIX socket, with a clock of the test's.

Runs in pytest's process; the server's threads end with the context, and a test fails if one of them does not.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from wsgigroups.runtime.front.connection import IDLE, Connection
from wsgigroups.runtime.server import Server
from wsgigroups.runtime.wire import pulse
from wsgigroups.runtime.wire.board import WORD, Board, private
from wsgigroups.runtime.wire.pulse import Pulse
from wsgigroups.runtime.wire.spec import Serving

HUNG_S = 20.0  # only ever means "hung"


def new_pulse() -> Pulse:
    """Return a page for processes of a test that are one process."""
    fd = pulse.create("test")
    try:
        return Pulse(fd)
    finally:
        os.close(fd)


class Clock:
    """Monotonic nanoseconds that pass only when the test says so."""

    def __init__(self) -> None:
        self.now_ns = 10**15

    def __call__(self) -> int:
        return self.now_ns

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now_ns += int(seconds * 1e9)


class Running:
    """A server, its address and what it has logged."""

    def __init__(self, server: Server, address: Any, family: int, board: Board, logged: list[tuple[str, str]]) -> None:
        self.server = server
        self.address = address
        self.family = family
        self.board = board
        self.logged = logged

    def connect(self) -> socket.socket:
        """Open a connection that fails rather than hangs."""
        sock = socket.socket(self.family, socket.SOCK_STREAM)
        sock.settimeout(HUNG_S)
        sock.connect(self.address)
        if self.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def exchange(self, *blocks: bytes, end: bool = True) -> bytes:
        """Send blocks one after the other, close our side (`end`), and return all that comes until the server's end."""
        with self.connect() as sock:
            for block in blocks:
                try:
                    sock.sendall(block)
                except ConnectionError:  # refused before the last block: the answer is there to be read
                    break
            if end:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_WR)
            return receive_all(sock)

    @property
    def connections(self) -> list[Connection]:
        """The server's sides of all that are open now."""
        return list(self.server.poller.connections.open.copy().values())

    def word(self, name: str) -> int:
        """Return a word of the board."""
        return int(self.board.words[WORD[name]])

    def wait_word(self, name: str, value: int) -> None:
        """Wait until a word of the board has this value. Raises TimeoutError."""
        self.wait(lambda: self.word(name) == value, lambda: f"{name} is {self.word(name)}, not {value}")

    def wait_kept(self) -> None:
        """Wait until each connection waits for its next request, and is nobody's. Raises TimeoutError.

        A client has its answer, and the board no request any more, a moment before that.
        """
        self.wait(lambda: all(it.state == IDLE and it.deadline_ns and not it.owned for it in self.connections))

    def wait(self, fact: Callable[[], bool], what: Callable[[], str] = lambda: "the fact never came") -> None:
        """Wait until something is so, by looking: the other threads are running meanwhile. Raises TimeoutError."""
        until = time.monotonic() + HUNG_S
        while not fact():
            if time.monotonic() > until:
                raise TimeoutError(f"{what()}; logged: {self.logged[-5:]}")
            select.select([], [], [], 0.002)


def settle(running: Running, connections: int) -> None:
    """Wait until the server has taken in so many connections and what they sent; a request proves that it has."""
    running.wait(lambda: len(running.connections) >= connections)
    with running.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert receive_response(sock)[0] == 200


def receive_all(sock: socket.socket) -> bytes:
    """Read to the end of the stream; a reset counts as the end and is marked with b"<reset>"."""
    blocks = []
    while True:
        try:
            block = sock.recv(65536)
        except ConnectionResetError:
            blocks.append(b"<reset>")
            break
        if not block:
            break
        blocks.append(block)
    return b"".join(blocks)


def receive_response(sock: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read one response with a Content-Length or chunks; status, fields in lower case, body. Raises EOFError."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(sock)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if fields.get("transfer-encoding") == "chunked":
        whole = b""
        while True:
            while b"\r\n" not in body:
                body += _more(sock)
            size_text, _, body = body.partition(b"\r\n")
            size = int(size_text, 16)
            while len(body) < size + 2:
                body += _more(sock)
            whole, body = whole + body[:size], body[size + 2 :]
            if not size:
                return int(lines[0].split()[1]), fields, whole
    length = int(fields.get("content-length", "0"))
    while len(body) < length:
        body += _more(sock)
    assert len(body) == length, f"more than one response: {body!r}"
    return int(lines[0].split()[1]), fields, body


def _more(sock: socket.socket) -> bytes:
    block = sock.recv(65536)
    if not block:
        raise EOFError("the server closed the connection")
    return block


@contextlib.contextmanager
def serving(
    application: Any,
    *,
    unix: bool = False,
    clock: Clock | None = None,
    access: Callable[[bytes], None] | None = None,
    listener: socket.socket | None = None,
    pulses: Sequence[Pulse] = (),
    **settings: Any,
) -> Iterator[Running]:
    """Serve an application for as long as the context lasts."""
    logged: list[tuple[str, str]] = []
    family = socket.AF_UNIX if unix else socket.AF_INET
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        if listener is None:
            listener = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            listener.bind(os.path.join(directory, "socket") if unix else ("127.0.0.1", 0))
            listener.listen(128)
        before = set(threading.enumerate())
        board = private(settings.get("threads", 15))
        server = Server(
            settings=Serving().tuned(settings),
            listeners=[listener],
            pulses=pulses,
            application=application,
            board=board,
            log=lambda level, text: logged.append((level, text)),
            access_log=access,
            identity="test/1",
            clock=clock or time.monotonic_ns,
        )
        server.start()
        try:
            yield Running(server, listener.getsockname(), family, board, logged)
        finally:
            server.close(HUNG_S)
            left = [thread.name for thread in set(threading.enumerate()) - before if "wsgigroups" in thread.name]
            assert not left, f"threads left behind: {left}"
            board.close()
