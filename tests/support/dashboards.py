"""A dashboard in a thread of the test, of a manager that the test plays, and a client of it."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from types import TracebackType
from typing import Any

from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.observing.door import ObservingDoor
from wsgigroups.manager.observing.served_dashboard import ServedDashboard

HUNG_S = 20.0  # only ever means "hung"
EVIL = '<img src=x onerror="document.title=1">\x1b]52;c;cm0=\x07'


def process_of(slot: int, life: int, **changes: Any) -> dict[str, Any]:
    """Return a process as the status has it."""
    base = {
        "slot": slot, "pid": 4700 + life, "life": life, "state": "ready", "uptime_s": 61.0, "requests_total": 5,
        "requests_active": 1, "requests_queued": 0, "rss_bytes": 0, "pss_bytes": 44_000_000, "cpu_s": 1.0,
        "failures": 0, "retry_in_s": None, "last_exit": None,
    }  # fmt: skip
    return {**base, **changes}


def group_shown(name: str, **changes: Any) -> dict[str, Any]:
    """Return a group as the status has it."""
    base = {
        "name": name, "state": "ready", "processes_wanted": 1, "processes_ready": 1, "threads": 4, "restarts": 0,
        "listen": ["127.0.0.1:8000"], "requests_active": 1, "requests_queued": 0, "requests_per_s": 2.0,
        "application_p99_s": 0.041, "last_error": None, "rollout": None, "user": "joe", "python": "3.11.2",
        "log": f"/var/log/{name}.log", "processes": [process_of(1, 3)],
    }  # fmt: skip
    return {**base, **changes}


def event_of(number: int, kind: str = "ready", **changes: Any) -> dict[str, Any]:
    """Return an event of the journal."""
    base = {
        "number": number, "at": "2026-01-31T09:12:04.000Z", "kind": kind, "group": "shop", "slot": 1, "life": 3,
        "pid": 4703, "change": None, "text": "",
    }  # fmt: skip
    return {**base, **changes}


def death_of(life: int, **changes: Any) -> dict[str, Any]:
    """Return a death."""
    base = {
        "at": "2026-01-31T09:12:04.000Z", "group": "shop", "slot": 1, "life": life, "pid": 4700 + life, "up_s": 3.0,
        "cause": "crashed", "asked": False, "reason": None, "message": "SIGSEGV", "exit_code": None,
        "signal": "SIGSEGV", "managed": True, "requests_total": 1,
        "requests": [{"asked": EVIL, "age_s": 1.5, "thread": 0, "frame": None, "stack": []}],
    }  # fmt: skip
    return {**base, **changes}


class PlayedLines:
    """A log to which the test adds."""

    def __init__(self, lines: list[str]) -> None:
        self.closed = False
        self._lines = lines

    async def more(self) -> list[str]:
        found = list(self._lines)
        self._lines.clear()
        return found

    def close(self) -> None:
        self.closed = True


class PlayedSource:
    """A manager that the test plays: set what it answers."""

    def __init__(self) -> None:
        self.groups: list[dict[str, Any]] = [group_shown("shop")]
        self.journal: list[dict[str, Any]] = [event_of(1)]
        self.dead: list[dict[str, Any]] = []
        self.busy: list[dict[str, Any]] = []
        self.log: list[str] = []
        self.opened: list[PlayedLines] = []
        self.acted: list[tuple[str, Mapping[str, Any]]] = []
        self.error: WsgigroupsError | None = None
        self.looks = 0

    async def status(self) -> dict[str, Any]:
        self.looks += 1
        if self.error:
            raise self.error
        manager = {"pid": 11720, "version": "0.1.0", "uptime_s": 12.5}
        return {"revision": 3, "manager": manager, "groups": self.groups, "gateway": None, "rolled_back": None}

    async def group(self, name: str) -> dict[str, Any]:
        threads = [{"life": 3, "busy": self.busy}]
        options = {"threads": "4", "application": EVIL}
        variables = ["DATABASE_URL"]
        return {"name": name, "options": options, "variables": variables, "application": EVIL, "processes": threads}

    async def events(self, after: int) -> dict[str, Any]:
        found = [event for event in self.journal if event["number"] > after]
        return {"events": found, "last": self.journal[-1]["number"] if self.journal else 0}

    async def deaths(self, group: str) -> dict[str, Any]:
        return {"deaths": self.dead}

    async def change(self, number: int) -> dict[str, Any]:
        error = {"message": EVIL}
        return {"finished": True, "outcome": "failed", "kind": "restart", "groups": {"shop": {"error": error}}}

    async def act(self, action: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self.acted.append((action, body))
        return {"change": 7}

    def lines(self, group: str, status: Any) -> PlayedLines:
        self.opened.append(PlayedLines(self.log))
        return self.opened[-1]


class DashboardInThread:
    """The dashboard at a port; `with` opens and ends it."""

    def __init__(self, source: PlayedSource, *, acts: bool = False, always: bool = False) -> None:
        self.source = source
        self.logged: list[str] = []
        self._acts = acts
        self._always = always
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> DashboardInThread:  # noqa: PYI034 — Self is Python 3.11
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(HUNG_S)

    async def _start(self) -> None:
        acting = self.source if self._acts else None
        self._dashboard = ServedDashboard(
            self.source, lambda _level, text: self.logged.append(text), acting=acting, always=self._always
        )
        await self._dashboard.start()
        listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = listener.getsockname()[1]
        self._door = ObservingDoor(listener, self._dashboard.protocol, lambda _level, text: self.logged.append(text))
        self._dashboard.stays = self._door.let_stay

    async def _stop(self) -> None:
        self._door.close()
        await self._dashboard.stop()

    def link(self) -> str:
        """Return a link that opens a session."""

        async def made() -> str:
            return self._dashboard.link(f"127.0.0.1:{self.port}")

        return str(self._run(made()))

    def visitor(self) -> DashboardClient:
        """Return a client with a session."""
        client = DashboardClient(self.port)
        client.enter(self.link())
        return client


class DashboardClient:
    """Asks as the page does. cookie, key: of its session."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookie = ""
        self.key = ""

    def enter(self, link: str) -> tuple[int, dict[str, Any]]:
        """Use a link."""
        status, head, body = self.ask("POST", "/session", {"token": link.partition("#token=")[2]})
        if status == 200:
            self.cookie = head["Set-Cookie"].partition(";")[0]
            self.key = json.loads(body)["key"]
        return status, {"cookie": head["Set-Cookie"], **json.loads(body)}

    def fields(self, method: str, **more: str | None) -> dict[str, str]:
        """Return the fields of a request; None leaves one out."""
        origin = f"http://127.0.0.1:{self.port}" if method != "GET" else None
        found = {
            "Cookie": self.cookie or None, "X-Wsgigroups-Key": self.key or None, "Origin": origin,
            **{name.replace("_", "-"): value for name, value in more.items()},
        }  # fmt: skip
        return {name: value for name, value in found.items() if value is not None}

    def ask(
        self, method: str, path: str, body: Any = None, **more: str | None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Ask once; more: fields, with _ for -."""
        data = None if body is None else json.dumps(body)
        if data is not None:
            more.setdefault("Content_Type", "application/json")
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=HUNG_S)) as connection:
            connection.request(method, path, data, self.fields(method, **more))
            response = connection.getresponse()
            return response.status, response.headers, response.read()

    def get(self, path: str) -> Any:
        """Return a document. Raises AssertionError."""
        status, _head, body = self.ask("GET", path)
        assert status == 200, body
        return json.loads(body)

    @contextmanager
    def stream(self, path: str) -> Iterator[Iterator[tuple[str, Any]]]:
        """Open a stream: its events, each with its data, as they come."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=HUNG_S)) as connection:
            connection.request("GET", path, headers=self.fields("GET"))
            with closing(connection.getresponse()) as response:
                assert response.status == 200, response.read()
                assert response.headers["Content-Type"].startswith("text/event-stream")
                yield _events(response)


def _events(response: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    kind = ""
    while line := response.readline().decode():
        name, _, value = line.rstrip("\n").partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield kind, json.loads(value)
