"""Serves the routes with aiohttp on `control.sock`. Checks who calls, by SO_PEERCRED, before anything else.

Runs in the manager's only thread.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from aiohttp import web

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.manager.control.handlers import Call, Caller, Handlers
from wsgigroups.manager.control.routes import ROUTES, Access, Route
from wsgigroups.trust.peers import groups_of, peer_of
from wsgigroups.trust.sockets import bind_unix
from wsgigroups.trust.walking import trusted_here

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

MAXIMUM_BODY_BYTES = 16 * 1024 * 1024
_HTTP_STATUS = {ExitCode.USAGE: 400, ExitCode.NO_SUCH_GROUP: 404, ExitCode.NOT_PERMITTED: 403}


class ControlServer:
    """The control socket. read_gid: members of this group may read."""

    def __init__(self, path: Path, handlers: Handlers, read_gid: int | None, log: Callable[[str, str], None]) -> None:
        self._path = path
        self._handlers = handlers
        self._read_gid = read_gid
        self._log = log
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Bind and serve. The run directory's lock is held, so whatever lies at the path is a leftover."""
        app = web.Application(client_max_size=MAXIMUM_BODY_BYTES)
        for route in ROUTES:
            app.router.add_route(route.method, route.path, self._serve(route))
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        self._path.unlink(missing_ok=True)
        if self._read_gid is None:
            sock = bind_unix(str(self._path), trusted_here())
        else:
            sock = bind_unix(str(self._path), trusted_here(), mode=0o660, gid=self._read_gid)
        await web.SockSite(self._runner, sock, backlog=64).start()

    async def stop(self) -> None:
        """Stop serving and remove the socket."""
        if self._runner:
            await self._runner.cleanup()
        self._path.unlink(missing_ok=True)

    def _serve(self, route: Route) -> Callable[[web.Request], Awaitable[web.Response]]:
        handler: Callable[[Call], Awaitable[dict[str, Any]]] = getattr(self._handlers, route.handler)

        async def serve(request: web.Request) -> web.Response:
            try:
                caller = self._caller(request, route)
                body = await _body(request) if route.body is not None else {}
                answer = await handler(Call(caller, dict(request.match_info), dict(request.query), body))
            except WsgigroupsError as error:
                content = {"error": error.message, "hint": error.hint, "exit_code": int(error.exit_code)}
                return web.json_response(content, status=_HTTP_STATUS.get(error.exit_code, 409))
            return web.json_response(answer)

        return serve

    def _caller(self, request: web.Request, route: Route) -> Caller:
        sock = request.get_extra_info("socket")
        peer = peer_of(sock)
        uid, pid = peer.uid, peer.pid
        caller = Caller(uid, peer.gid, pid)
        if uid in (0, os.geteuid()):
            return caller
        if route.access is Access.READ and self._read_gid is not None and self._read_gid in groups_of(sock):
            return caller
        self._log("warning", f"uid {uid} (pid {pid}) may not {route.method} {route.path}")
        raise WsgigroupsError(
            f"cannot {route.handler}: uid {uid} is neither root nor the manager's user",
            hint="run the command as the user who started the manager",
            exit_code=ExitCode.NOT_PERMITTED,
        )


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read() or b"{}")
    except (ValueError, RecursionError) as error:
        raise WsgigroupsError(f"cannot read the request's body: {error}", exit_code=ExitCode.USAGE) from None
    if not isinstance(body, dict):
        raise WsgigroupsError("cannot use the request's body: it is no object", exit_code=ExitCode.USAGE)
    return body
