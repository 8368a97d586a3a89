"""The manager's own listeners in a thread of the test, for a state that the test sets."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, TypeVar

from wsgigroups.config.addresses import parse
from wsgigroups.config.observing import ObservingPlaces
from wsgigroups.lifecycle.step import Record
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model
from wsgigroups.manager.observing.application_metrics import ApplicationMetrics
from wsgigroups.manager.observing.observing import Observing
from wsgigroups.manager.observing.scraping import Scrapes
from wsgigroups.manager.observing.served_dashboard import ServedDashboard
from wsgigroups.manager.supervision.shell import Outside, Shell

T = TypeVar("T")
HUNG_S = 20.0  # only ever means "hung"


def group_of(target: Any, *states: Tenancy, **more: Any) -> model.GroupState:
    """Return a group with a process in each of these states."""
    records = tuple(
        Record(target.name, slot, 100 + slot, target.fingerprint, state=state)
        for slot, state in enumerate(states, start=1)
    )
    return model.GroupState(target, records, **more)


class Observed:
    """A manager that does nothing but answer there."""

    def __init__(
        self, directory: Any, places: ObservingPlaces, make_dashboard: Callable[[], ServedDashboard] | None = None
    ) -> None:
        self.logged: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._directory = directory
        self._places = places
        self._make_dashboard = make_dashboard

    def __enter__(self) -> Observed:  # noqa: PYI034 — Self is Python 3.11
        self._thread.start()
        self.within(self._start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self.observing.stop(), self._loop).result(HUNG_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def within(self, work: Callable[[], T]) -> T:
        """Run a function in the manager's thread."""

        async def run() -> T:
            found = work()
            return await found if asyncio.iscoroutine(found) else found

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(HUNG_S)

    async def _start(self) -> None:
        self.shell = Shell(Outside(self._directory, 2, lambda _level, text: self.logged.append(text)))
        self.observing = Observing(
            self.shell,
            Scrapes(self.shell, 0.0),
            self.shell.outside.log,
            ApplicationMetrics(self._directory),
            self._places,
            make_dashboard=self._make_dashboard,
        )
        self.observing.begun = True
        await self.observing.start()

    def put(self, *groups: model.GroupState, stopping: bool = False) -> None:
        """Set the state."""
        found = {group.target.name: group for group in groups}
        self.shell.state = replace(self.shell.state, groups=found, stopping=stopping)


def ask(address: str, path: str, accept: str = "*/*") -> tuple[int, str]:
    """Return status and body of one GET, read to the end of the connection. Raises OSError."""
    with connect(address) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n".encode())
        return read_answer(sock)


def connect(address: str) -> socket.socket:
    """Open a connection that fails rather than hangs."""
    parsed = parse(address)
    sock = socket.socket(socket.AF_UNIX if parsed.path else socket.AF_INET, socket.SOCK_STREAM)
    sock.settimeout(HUNG_S)
    try:
        sock.connect(parsed.path or (parsed.host, parsed.port))
    except BaseException:
        sock.close()
        raise
    return sock


def read_answer(sock: socket.socket) -> tuple[int, str]:
    """Read one answer to the end of the connection."""
    blocks = []
    while block := sock.recv(65536):
        blocks.append(block)
    head, _, body = b"".join(blocks).partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()
