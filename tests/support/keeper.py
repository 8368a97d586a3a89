"""A KeeperServer inside the test's own process, with the distribution's nginx, by files that a test writes.

Needs the program; tests that use it are marked `needs(NGINX)`.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from support import orphans
from support.looking import wait
from support.nginx import NGINX
from support.serving import HUNG_S

from wsgigroups.gateway.engines.nginx import NginxHost, render
from wsgigroups.runtime.keeper.program import children_of, is_worker
from wsgigroups.runtime.keeper.server import KeeperServer
from wsgigroups.runtime.wire.board import WORD, Board, private
from wsgigroups.runtime.wire.routes import Link, ListenerRoute, MountRoute, Routes, SiteRoute

SITE = "www.test"


class Kept:
    """One that runs. Its configurations have one site; number: that of the last one that it was told."""

    def __init__(self, base: Path, listener: socket.socket, board: Board, path: str, least_life_s: float) -> None:
        self.base = base
        self.board = board
        self.logged: list[tuple[str, str]] = []
        self.number = 1
        self.listener = listener
        self.port = listener.getsockname()[1]
        self.failed = threading.Event()
        self.shut = threading.Event()
        self.server = KeeperServer(
            path=path,
            base=str(base),
            listeners=[listener],
            board=board,
            log=lambda level, text: self.logged.append((level, text)),
            name="1",
            least_life_s=least_life_s,
        )
        self.server.on_failure = self.failed.set
        self.server.on_all_shut = self.shut.set

    def text(self, links: dict[str, Link], number: int, logs: int = 0, directories: int = 0, **site: object) -> str:
        """Return a file: each group is below a path with its name."""
        site.setdefault("mounts", tuple(MountRoute(f"/{name}", name) for name in links))
        routes = Routes(
            (ListenerRoute(f"127.0.0.1:{self.port}", (SITE,)),),
            {SITE: SiteRoute(SITE, access_log=0 if logs else -1, **site)},  # type: ignore[arg-type]
            links,
        )
        host = NginxHost(
            ".",
            {name: link.socket for name, link in links.items()},
            tuple(f"{number}/static-{place}" for place in range(directories)),
            tuple(f"{number}/access-{place}" for place in range(logs)),
            user="root" if os.geteuid() == 0 else "",
            connections=64,
            shutdown_timeout_s=0.0,
            kept=True,
        )
        return render(routes, host)

    def route(
        self, links: dict[str, Link], logs: Sequence[int] = (), directories: Sequence[int] = (), **site: object
    ) -> None:
        """Tell it another configuration. Raises RoutesError."""
        self.number += 1
        text = self.text(links, self.number, len(logs), len(directories), **site)
        self.server.route(text.encode(), self.number, list(directories), list(logs))

    def connection(self) -> http.client.HTTPConnection:
        """Return a client of its own; it connects when it asks."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=HUNG_S)

    def get(self, path: str = "/") -> tuple[int, bytes]:
        """Ask for a path on a connection of its own."""
        with contextlib.closing(self.connection()) as connection:
            connection.request("GET", path, headers={"Host": SITE})
            response = connection.getresponse()
            return response.status, response.read()

    def word(self, name: str) -> int:
        """Return a word of the board."""
        return int(self.board.words[WORD[name]])

    def wait(self, fact: Callable[[], object]) -> None:
        """Wait until something is so. Raises TimeoutError."""
        wait(fact, lambda: f"it never came; logged: {self.logged[-5:]}")

    @property
    def master(self) -> int:
        """The pid of nginx: of the process whose children take requests."""
        return next((pid for pid in children_of(os.getpid()) if children_of(pid)), 0)

    @property
    def workers(self) -> list[int]:
        """The pids of all workers that there are."""
        ours = children_of(os.getpid())
        return [pid for parent in ours for pid in [parent, *children_of(parent)] if is_worker(pid)]

    def files(self) -> list[str]:
        """Return the names of what is on the disk."""
        return sorted(os.listdir(self.base / "1")) if (self.base / "1").exists() else []


@contextlib.contextmanager
def kept(
    base: Path, links: dict[str, Link], path: str = NGINX, least_life_s: float = 0.0, **how: object
) -> Iterator[Kept]:
    """Run one on a loopback port. As its keeper this process is a child subreaper meanwhile."""
    orphans.adopt()
    base.mkdir(exist_ok=True)
    board = private(1)
    with contextlib.ExitStack() as stack:
        stack.callback(orphans.adopt_no_more)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=128))
        found = Kept(base, listener, board, path, least_life_s)
        stack.callback(board.close)
        stack.callback(lambda: found.server.close(HUNG_S))
        found.route(links, **how)  # type: ignore[arg-type]
        found.server.start()
        yield found
