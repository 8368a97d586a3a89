"""The HTTP side of the dashboard: the page's files, sessions, what it asks, and streams of what it shows.

Runs in the loop of whoever serves it. Nothing but the files, which have no secrets, is answered without a session.
"""

from __future__ import annotations

import asyncio
import json
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from wsgigroups.config.counts import MAXIMUM_PROCESSES
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.runtime.text import clean
from wsgigroups.web import frames
from wsgigroups.web.charts import ALL
from wsgigroups.web.guarding import HEADERS, refusal
from wsgigroups.web.streams import EventStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.typedefs import Handler, Middleware

    from wsgigroups.web.looking import Looking
    from wsgigroups.web.sessions import Sessions
    from wsgigroups.web.source import ActingSource, Answer, DashboardSource, FollowedLines

STATIC = Path(__file__).parent / "static"
FILES = {
    "/": ("index.html", "text/html"),
    "/app.css": ("app.css", "text/css"),
    "/app.js": ("app.js", "text/javascript"),
    "/asking.js": ("asking.js", "text/javascript"),
    "/charts.js": ("charts.js", "text/javascript"),
    "/closer.js": ("closer.js", "text/javascript"),
    "/showing.js": ("showing.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
KEY_FIELD = "X-Wsgigroups-Key"
MAXIMUM_BODY_BYTES = 4096
STREAMS = 16  # at a time: the oldest leaves
LOG_S = 1.0  # between two looks at a log
KEEP_S = 15.0  # of a stream that has nothing to say
LINES = 400  # of a log in one event
_CHARACTERS = 2000  # of a line
_STATUS = {ExitCode.USAGE: 400, ExitCode.NO_SUCH_GROUP: 404, ExitCode.NOT_PERMITTED: 403, ExitCode.NO_MANAGER: 503}
_ACTIONS = ("restart", "scale")


@dataclass(slots=True)
class Dashboard:
    """One dashboard. acting: changes what it is asked to, None: nobody can change anything here.

    log(level, text); stays: told of the descriptor of a connection whose answer goes on; opened: told of a link's use.
    """

    source: DashboardSource
    looking: Looking
    sessions: Sessions
    log: Callable[[str, str], None]
    acting: ActingSource | None = None
    stays: Callable[[int], None] = lambda _fd: None
    opened: Callable[[], None] = lambda: None
    _streams: dict[asyncio.Task[Any], None] = field(default_factory=dict)

    def application(self) -> web.Application:
        """Return the application."""
        app = web.Application(client_max_size=MAXIMUM_BODY_BYTES, middlewares=[self._guard()])
        for path in FILES:
            app.router.add_get(path, _file)
        app.router.add_post("/session", self._open_session)
        app.router.add_delete("/session", self._close_session)
        app.router.add_get("/v1/stream", self._stream, allow_head=False)
        app.router.add_get("/v1/charts", self._charts, allow_head=False)
        app.router.add_get("/v1/groups/{name}", self._group, allow_head=False)
        app.router.add_get("/v1/logs/{name}", self._lines, allow_head=False)
        app.router.add_post("/v1/actions", self._act)
        app.router.add_get("/v1/changes/{id:[0-9]{1,15}}", self._change, allow_head=False)
        app.on_response_prepare.append(_forbid)
        return app

    def close(self) -> None:
        """End all streams."""
        for task in self._streams:
            task.cancel()

    def _guard(self) -> Middleware:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                response = self._refused(request) or await handler(request)
            except web.HTTPException as error:
                response = _said(error.status, error.reason)
            except WsgigroupsError as error:
                response = _said(_STATUS.get(error.exit_code, 409), error.message, error.hint)
            except ConnectionError:  # the page has left, or does not read: nobody is there to be told
                if request.transport is not None:
                    request.transport.abort()
                response = web.Response()
            except Exception:  # noqa: BLE001 - whatever is wrong with one answer is nobody else's
                self.log("error", f"[BUG] {request.method} {clean(request.path)}:\n{traceback.format_exc()}")
                response = _said(500, "a mistake of the dashboard: its log has the traceback")
            response.force_close()
            return response

        return guard

    def _refused(self, request: web.Request) -> web.Response | None:
        fields, is_file = request.headers, request.path in FILES
        if len(fields.getall("Host", [])) != 1 or len(fields.getall("Origin", [])) > 1:
            return _said(400, "one Host field, and at most one Origin field")
        told = (fields["Host"], fields.get("Origin", ""), fields.get("Sec-Fetch-Site", ""))
        refused = refusal(request.method, *told, is_file=is_file)
        if refused is not None:
            return _said(*refused)
        if is_file or (request.path == "/session" and request.method == "POST") or self._known(request):
            return None
        return _said(401, "there is no session, or it has ended: open a new link")

    def _known(self, request: web.Request) -> bool:
        return self.sessions.known(request.cookies, request.headers.get(KEY_FIELD, "")) is not None

    async def _open_session(self, request: web.Request) -> web.Response:
        token = (await _body(request)).get("token")
        opened = self.sessions.open(token) if isinstance(token, str) else None
        if opened is None:
            return _said(403, "this link was used, or is too old: ask for another")
        self.opened()
        response = web.json_response({"key": opened.key, "acts": self.acting is not None})
        response.set_cookie(opened.cookie_name, opened.cookie, httponly=True, samesite="Strict", path="/")
        return response

    async def _close_session(self, request: web.Request) -> web.Response:
        key = request.headers[KEY_FIELD]
        cookie_name = self.sessions.known(request.cookies, key)
        self.sessions.close(key)
        response = web.json_response({})
        if cookie_name is not None:
            response.del_cookie(cookie_name, httponly=True, samesite="Strict", path="/")
        return response

    async def _charts(self, request: web.Request) -> web.Response:
        return web.json_response(self.looking.charts.of(request.query.get("group", ALL), time.monotonic()))

    async def _group(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        status, group = await self._find(name)
        details, deaths = await asyncio.gather(self.source.group(name), self.source.deaths(name))
        return web.json_response(frames.closer(group, status.get("gateway"), details, deaths["deaths"]))

    async def _find(self, name: str) -> tuple[Answer, Answer]:
        """Return the last status, and the group in it. Raises WsgigroupsError."""
        status = self.looking.status or await self.source.status()
        for group in status["groups"]:
            if group["name"] == name:
                return status, group
        raise WsgigroupsError(f"cannot find group {clean(name)!r}", exit_code=ExitCode.NO_SUCH_GROUP)

    async def _change(self, request: web.Request) -> web.Response:
        found = await self.source.change(int(request.match_info["id"]))
        errors = [part["error"]["message"] for part in found["groups"].values() if part["error"]]
        return web.json_response(
            {
                "finished": found["finished"],
                "outcome": found["outcome"],
                "kind": found["kind"],
                "errors": [clean(error) for error in errors],
            }
        )

    async def _act(self, request: web.Request) -> web.Response:
        if self.acting is None:
            return _said(403, "this dashboard only shows")
        action, body = _order(await _body(request))
        begun = await self.acting.act(action, body)
        return web.json_response({"change": begun["change"]})

    # Streams

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        with self._staying(request), self.looking.page():
            async with EventStream(request) as stream:
                await stream.send("hello", {"acts": self.acting is not None})
                seen, last, journal = 0, 0, self.looking.journal
                while self._goes_on(request):
                    if not self.looking.number or self.looking.number == seen:
                        await self.looking.changed()
                    seen = self.looking.number
                    await stream.send("look", self.looking.frame)
                    if journal != self.looking.journal:
                        journal, last = self.looking.journal, 0
                        await stream.send("forget", {})
                    if events := self.looking.events(last):
                        last = events[-1]["number"]
                        await stream.send("events", events)
                await stream.send("bye", {})
        return stream.response

    async def _lines(self, request: web.Request) -> web.StreamResponse:
        status, group = await self._find(request.match_info["name"])
        followed = self.source.lines(group["name"], status)
        try:
            with self._staying(request):
                async with EventStream(request) as stream:
                    await self._follow(request, stream, followed)
        finally:
            followed.close()
        return stream.response

    async def _follow(self, request: web.Request, stream: EventStream, followed: FollowedLines) -> None:
        silent_s, first = 0.0, True
        while self._goes_on(request):
            try:
                lines = await followed.more()
            except WsgigroupsError as error:
                await stream.send("trouble", {"error": error.message})
                return
            if lines or first:
                shown = [clean(line[: 4 * _CHARACTERS], "\t")[:_CHARACTERS] for line in lines[-LINES:]]
                await stream.send("lines", {"lines": shown, "left_out": max(0, len(lines) - LINES)})
                silent_s, first = 0.0, False
            elif silent_s >= KEEP_S:
                await stream.keep()
                silent_s = 0.0
            silent_s += LOG_S
            await asyncio.sleep(LOG_S)

    def _goes_on(self, request: web.Request) -> bool:
        """Whether a stream has a page yet, and its session. Nothing need be written for a page's end to be seen."""
        there = request.transport is not None and not request.transport.is_closing()
        return there and self._known(request)

    def _staying(self, request: web.Request) -> _Staying:
        sock = request.get_extra_info("socket")
        if sock is not None and sock.fileno() != -1:
            self.stays(sock.fileno())
        return _Staying(self._streams)


@dataclass(slots=True)
class _Staying:
    """While the stream of this task goes on: one of few."""

    streams: dict[asyncio.Task[Any], None]
    _task: asyncio.Task[Any] | None = None

    def __enter__(self) -> None:
        while len(self.streams) >= STREAMS:
            oldest = next(iter(self.streams))
            del self.streams[oldest]
            oldest.cancel()
        self._task = asyncio.current_task()
        assert self._task is not None
        self.streams[self._task] = None

    def __exit__(self, *_: object) -> None:
        if self._task is not None:
            self.streams.pop(self._task, None)


_CONTENT = {path: (STATIC / name).read_bytes() for path, (name, _media) in FILES.items()}


async def _file(request: web.Request) -> web.Response:
    media = FILES[request.path][1]
    return web.Response(body=_CONTENT[request.path], headers={"Content-Type": f"{media}; charset=utf-8"})


async def _forbid(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


async def _body(request: web.Request) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    try:
        found = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise web.HTTPBadRequest from None
    if not isinstance(found, dict):
        raise web.HTTPBadRequest
    return found


def _order(body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the route of the control API and what it takes. Raises web.HTTPBadRequest."""
    action, group, processes = body.get("action"), body.get("group"), body.get("processes")
    if action not in _ACTIONS or not isinstance(group, str):
        raise web.HTTPBadRequest
    if action == "restart":
        return "restart", {"groups": [group]}
    if not isinstance(processes, int) or isinstance(processes, bool) or not 1 <= processes <= MAXIMUM_PROCESSES:
        raise web.HTTPBadRequest
    return "scale", {"processes": {group: processes}}


def _said(status: int, error: str, hint: str | None = None) -> web.Response:
    return web.json_response({"error": error, "hint": hint}, status=status)
