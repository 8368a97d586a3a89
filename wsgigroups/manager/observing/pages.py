"""The HTTP side of health-listen and metrics-listen: one answer to a connection, in plain text.

Runs in the manager's only thread; files of applications are read in another.
"""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from typing import TYPE_CHECKING

from aiohttp import web

from wsgigroups.manager.control.server import send
from wsgigroups.manager.observing import probes
from wsgigroups.metrics.exposition import OPENMETRICS, TEXT, wants_openmetrics
from wsgigroups.runtime.text import clean
from wsgigroups.targets.counting import counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.typedefs import Handler, Middleware

    from wsgigroups.manager.observing.application_metrics import ApplicationMetrics
    from wsgigroups.manager.observing.scraping import Scrapes
    from wsgigroups.manager.supervision.shell import Shell

MAXIMUM_BODY_BYTES = 1024  # nobody has anything to send


def _once(log: Callable[[str, str], None]) -> Middleware:
    """Return the middleware that answers and ends the connection; a mistake of ours is told in the log."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = await handler(request)
        except web.HTTPException as error:
            response = web.Response(text=f"{error.reason}\n", status=error.status)
        except Exception:  # noqa: BLE001 - whatever is wrong with one answer is nobody else's
            log("error", f"[BUG] {request.method} {clean(request.path)}:\n{traceback.format_exc()}")
            response = web.Response(text="a mistake of the manager, its log has the traceback\n", status=500)
        response.force_close()
        if isinstance(response, web.Response):
            with contextlib.suppress(
                ConnectionError
            ):  # who asked has gone, or was shown out: at the end of the manager
                await send(request, response)
        return response

    return middleware


class Pages:
    """What is answered. begun: whether what the manager was started with is under way."""

    def __init__(self, shell: Shell, scrapes: Scrapes, counting: ApplicationMetrics, begun: Callable[[], bool]) -> None:
        self._shell = shell
        self._counting = counting
        self._scrapes = scrapes
        self._begun = begun

    def health(self) -> web.Application:
        """Return all pages."""
        app = self.metrics()
        for path, page in (
            ("/livez", self._livez),
            ("/readyz", self._readyz),
            ("/readyz/{group}", self._readyz_of_group),
            ("/servingz", self._servingz),
        ):
            app.router.add_get(path, page)
        return app

    def metrics(self) -> web.Application:
        """Return that of metrics alone."""
        app = web.Application(client_max_size=MAXIMUM_BODY_BYTES, middlewares=[_once(self._shell.outside.log)])
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/metrics/{group}", self._metrics_of_group)
        return app

    async def _metrics(self, request: web.Request) -> web.Response:
        openmetrics = wants_openmetrics(request.headers.get("Accept", ""))
        body = await self._scrapes.text(openmetrics=openmetrics)
        return web.Response(body=body, headers={"Content-Type": OPENMETRICS if openmetrics else TEXT})

    async def _metrics_of_group(self, request: web.Request) -> web.Response:
        group = request.match_info["group"]
        if group not in counting_groups(self._shell):
            return _said(["there is no such group with application-metrics"], 404)
        body = await asyncio.to_thread(self._counting.text, group)
        return web.Response(body=body.encode("utf-8", "replace"), headers={"Content-Type": TEXT})

    async def _livez(self, _request: web.Request) -> web.Response:
        return _said([])

    async def _readyz(self, _request: web.Request) -> web.Response:
        return _said(probes.not_ready(self._shell.state, begun=self._begun()))

    async def _readyz_of_group(self, request: web.Request) -> web.Response:
        reasons = probes.group_not_ready(self._shell.state, request.match_info["group"])
        return _said(reasons, 404 if reasons == [probes.NO_GROUP] else 503)

    async def _servingz(self, _request: web.Request) -> web.Response:
        return _said(probes.not_serving(self._shell.state, self._accepts))

    def _accepts(self, life: int) -> bool:
        process = self._shell.processes.get(life)
        return process is not None and process.accepts


def counting_groups(shell: Shell) -> set[str]:
    """Return the groups whose processes count for us (`application-metrics`)."""
    run_dir = shell.outside.run_dir
    return {name for name, group in shell.state.groups.items() if counts(group.target, run_dir)}


def _said(reasons: list[str], status: int = 503) -> web.Response:
    text = "".join(f"{clean(reason)}\n" for reason in reasons) or "ok\n"
    return web.Response(text=text, status=status if reasons else 200, headers={"Cache-Control": "no-store"})
