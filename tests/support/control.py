"""The control API without a manager: the real server and handlers on a real socket, no spawner that ever answers.

The event loop runs in a thread of pytest's process, which is the caller. Nothing is started.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from support.targets import small_target

from wsgigroups.manager.applying import Applying
from wsgigroups.manager.control.auditing import Audit
from wsgigroups.manager.control.handlers import Handlers
from wsgigroups.manager.control.server import ControlServer
from wsgigroups.manager.core import model
from wsgigroups.manager.death_store import DeathStore
from wsgigroups.manager.journal import Journal
from wsgigroups.manager.observing.application_metrics import ApplicationMetrics
from wsgigroups.manager.observing.scraping import Scrapes
from wsgigroups.manager.store import Store
from wsgigroups.manager.supervision.shell import Outside, Shell
from wsgigroups.manager.upgrade.upgrading import Upgrading
from wsgigroups.targets.resolve import surroundings


@dataclass(frozen=True)
class Reply:
    """What the server answered."""

    status: int
    content_type: str
    raw: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.raw)


class ControlUnderTest:
    """A context manager. The group `blog` is there, its process is being spawned for ever."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.path = directory / "control.sock"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.logged: list[str] = []
        self.ended = 0

    def __enter__(self) -> ControlUnderTest:  # noqa: PYI034 — Self is Python 3.11
        self._thread.start()
        self.within(self._start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it; what leaving the context does when nobody has before."""
        if self._loop.is_closed():
            return
        self.within(self._stop)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def within(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run a coroutine function in the manager's thread, to its end."""

        async def run() -> None:
            await work()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(30)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Have the manager's thread do nothing as long as the block runs: it finds then what was done meanwhile."""
        left = threading.Event()
        self._loop.call_soon_threadsafe(left.wait, 60)
        try:
            yield
        finally:
            left.set()

    async def _start(self) -> None:
        store = Store(self._directory / "state")
        store.prepare()

        def log(_level: str, text: str) -> None:
            self.logged.append(text)

        self.journal = Journal(self._directory / "state", log)
        self.journal.open()
        self.deaths = DeathStore(self._directory / "state", log)
        self.shell = Shell(Outside(self._directory, 2, log, record=self.journal.record, died=self.deaths.record))
        self.shell.pool.get = self._never  # type: ignore[method-assign, assignment]
        applying = Applying(
            self.shell, store, surroundings(self._directory, self._directory / "log", self._directory / "state"), log
        )
        target = small_target(log_path=str(self._directory / "log" / "blog.log"))
        self.shell.dispatch(model.Apply({"blog": target}, 1))
        self.upgrading = Upgrading(applying, ["/bin/false"], self._end)
        self.handlers = Handlers(
            applying,
            self.journal,
            self.deaths,
            0.0,
            self._end,
            self.upgrading,
            Scrapes(self.shell, 0.0),
            ApplicationMetrics(self._directory),
        )
        self.audit = Audit(self._directory / "state", self.journal, log, lambda uid: f"user-{uid}")
        self.server = ControlServer(self.path, self.handlers, None, log, self.audit)
        self.upgrading.server = self.server
        await self.server.start()

    async def _stop(self) -> None:
        await self.server.stop()
        self.audit.close()
        self.journal.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _never(self, *_target: object) -> None:
        await asyncio.Event().wait()

    def _end(self) -> None:
        self.ended += 1

    def call(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Reply:
        """One request; the path is sent as it stands."""
        connection = _Connection(self.path)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Reply(response.status, response.headers.get_content_type(), response.read())
        finally:
            connection.close()

    def post(self, path: str, body: Any) -> Reply:
        """POST a JSON body."""
        return self.call("POST", path, json.dumps(body).encode())


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
