"""A GatewayServer inside the test's own process, and daemons behind it: real ones, and such as nobody would want.

Runs in pytest's process; every thread ends with its context.
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
from dataclasses import replace
from pathlib import Path
from typing import Any

from support.serving import HUNG_S, Clock, receive_all

from wsgigroups.runtime.gateway.server import GatewayServer
from wsgigroups.runtime.protocol import uwsgi
from wsgigroups.runtime.wire.board import WORD, Board, private
from wsgigroups.runtime.wire.pulse import Pulse
from wsgigroups.runtime.wire.routes import Link, ListenerRoute, MountRoute, Routes, SiteRoute
from wsgigroups.runtime.wire.spec import Serving

ADDRESS = "the listener"


def routes_to(link: Link, *, tls: bool = False, proxy_protocol: tuple[str, ...] = (), **site: Any) -> Routes:
    """Return routes with one site, `localhost`, and one group, `app`, below everything if nothing else is said."""
    site.setdefault("mounts", (MountRoute("/", "app"),))
    return Routes(
        (ListenerRoute(ADDRESS, ("localhost",), tls, proxy_protocol),),
        {"localhost": SiteRoute("localhost", **site)},
        {"app": link},
    )


class Gateway:
    """A running gateway."""

    def __init__(
        self, server: GatewayServer, listener: socket.socket, board: Board, logged: list[tuple[str, str]]
    ) -> None:
        self.server = server
        self.address = listener.getsockname()
        self.board = board
        self.logged = logged

    def connect(self) -> socket.socket:
        """Open a connection that fails rather than hangs."""
        sock = socket.create_connection(self.address, HUNG_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def exchange(self, *blocks: bytes, end: bool = True) -> bytes:
        """Send blocks, close our side (`end`), and return all that comes until the gateway's end."""
        with self.connect() as sock:
            for block in blocks:
                with contextlib.suppress(ConnectionError):  # an early answer is there to be read
                    sock.sendall(block)
            if end:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_WR)
            return receive_all(sock)

    def get(self, path: str = "/", host: str = "localhost", fields: str = "") -> bytes:
        """Ask for a path on a connection of its own; return the whole answer."""
        return self.exchange(
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{fields}Connection: close\r\n\r\n".encode("latin-1"), end=False
        )

    def word(self, name: str) -> int:
        """Return a word of the board."""
        return int(self.board.words[WORD[name]])

    def wait(self, fact: Callable[[], bool]) -> None:
        """Wait until something is so. Raises TimeoutError."""
        until = time.monotonic() + HUNG_S
        while not fact():
            if time.monotonic() > until:
                raise TimeoutError(f"it never came; logged: {self.logged[-5:]}")
            threading.Event().wait(0.002)

    def wait_logged(self, text: str) -> None:
        """Wait until this is in a record of the log."""
        self.wait(lambda: any(text in record for _level, record in list(self.logged)))


@contextlib.contextmanager
def gateway(
    routes: Routes | None = None,
    *,
    directories: Sequence[int] = (),
    access_logs: Sequence[int] = (),
    certificates: str = "",
    clock: Clock | None = None,
    listener: socket.socket | None = None,
    pulse: Pulse | None = None,
    slot: int = 1,
    **settings: Any,
) -> Iterator[Gateway]:
    """Run a gateway on a loopback port, or on a listener of several, for as long as the context lasts."""
    logged: list[tuple[str, str]] = []
    with contextlib.ExitStack() as stack:
        if listener is None:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=128))
        before = set(threading.enumerate())
        board = private(1)
        server = GatewayServer(
            settings=replace(Serving(threads=1), **settings),
            listen=[ADDRESS],
            listeners=[listener],
            pulses=[] if pulse is None else [pulse],
            board=board,
            log=lambda level, text: logged.append((level, text)),
            identity=f"gateway/{slot}",
            certificates=certificates or "/nonexistent",
            clock=clock or time.monotonic_ns,
        )
        if routes is not None:
            server.route(routes, directories, access_logs)
        server.start()
        try:
            yield Gateway(server, listener, board, logged)
        finally:
            server.close(HUNG_S)
            left = [item for item in set(threading.enumerate()) - before if item.name == "wsgigroups-gateway"]
            board.close()
            assert not left, f"threads left behind: {left}"


class FakeDaemon:
    """Listens on a UNIX socket, and does with each connection what the test says, in a thread."""

    def __init__(self, behave: Callable[[socket.socket], None], backlog: int = 64) -> None:
        self._directory = tempfile.TemporaryDirectory()
        self.path = str(Path(self._directory.name) / "socket")
        self._behave = behave
        self._backlog = backlog
        self._listener = socket.socket(socket.AF_UNIX)
        self._threads: list[threading.Thread] = []
        self.accepted = 0
        self.released = threading.Event()  # set at the end: whoever waits for it goes on

    def __enter__(self) -> FakeDaemon:  # noqa: PYI034 — Self is Python 3.11
        self._listener.bind(self.path)
        self._listener.listen(self._backlog)
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.released.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join(HUNG_S)
        for thread in self._threads:
            thread.join(HUNG_S)
            assert not thread.is_alive()
        self._listener.close()
        self._directory.cleanup()

    @property
    def link(self) -> Link:
        return Link(self.path)

    def _accept(self) -> None:
        while True:
            # accept takes a descriptor before it waits, and a test may leave none for a while
            select.select([self._listener], [], [])
            try:
                sock, _address = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            thread = threading.Thread(target=self._serve, args=(sock,))
            thread.start()
            self._threads.append(thread)

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(HUNG_S)
        with sock, contextlib.suppress(OSError):
            self._behave(sock)


def read_packet(sock: socket.socket) -> dict[str, str]:
    """Read the packet of a request; its body is left where it is."""
    data = b""
    while len(data) < 4 or len(data) < 4 + data[1] + (data[2] << 8):
        size = 4 if len(data) < 4 else 4 + data[1] + (data[2] << 8)
        more = sock.recv(size - len(data))
        if not more:
            raise ConnectionError
        data += more
    return dict(uwsgi.variables(data))


def answering(*blocks: bytes) -> Callable[[socket.socket], None]:
    """Return a behaviour: read the packet, send these, and close."""

    def behave(sock: socket.socket) -> None:
        read_packet(sock)
        for block in blocks:
            sock.sendall(block)

    return behave


def open_directory(path: Path) -> int:
    """Return a descriptor of a directory."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY)
