"""The dashboard (`wsgigroups.web`) as it is served: of a manager, or of the command that somebody runs.

Runs in one thread, that of the loop. Who is asked, and with which authority, is the source's.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from aiohttp import web

from wsgigroups.manager.control.library_log import library_logger
from wsgigroups.web.looking import Looking
from wsgigroups.web.pages import Dashboard
from wsgigroups.web.sessions import LINK_S, Sessions

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.web.source import ActingSource, DashboardSource

_STOP_S = 1.0


class ServedDashboard:
    """One dashboard. acting: who changes something for its pages, None: nobody does. always: see Looking.

    stays: told of the descriptor of a connection whose answer goes on; opened: told of the use of a link.
    """

    def __init__(
        self,
        source: DashboardSource,
        log: Callable[[str, str], None],
        *,
        acting: ActingSource | None = None,
        always: bool = False,
    ) -> None:
        self.stays: Callable[[int], None] = lambda _fd: None
        self.opened: Callable[[], None] = lambda: None
        self._sessions = Sessions()
        self._looking = Looking(source, log, always=always)
        self._pages = Dashboard(
            source,
            self._looking,
            self._sessions,
            log,
            acting,
            stays=self._tell_stays,
            opened=self._tell_opened,
        )
        self._log = log
        self._beginning: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._runner: web.AppRunner | None = None

    def _tell_stays(self, fd: int) -> None:
        self.stays(fd)

    def _tell_opened(self) -> None:
        self.opened()

    def begin(self) -> None:
        """Start soon; whoever comes before that is sent away."""
        self._beginning = asyncio.create_task(self.start())

    async def start(self) -> None:
        """Begin to look, and to answer who comes with `protocol`."""
        runner = web.AppRunner(
            self._pages.application(),
            access_log=None,
            logger=library_logger(self._log),
            handle_signals=False,
            shutdown_timeout=_STOP_S,
        )
        await runner.setup()
        self._runner = runner
        self._task = asyncio.create_task(self._looking.run())

    def protocol(self) -> asyncio.Protocol:
        """Make the HTTP side of a connection. Raises ConnectionRefusedError before the end of `start`."""
        server = self._runner.server if self._runner is not None else None
        if server is None:
            raise ConnectionRefusedError
        return server()

    def link(self, place: str, lasting_s: float = LINK_S) -> str:
        """Return an address that opens one session. place: HOST:PORT.

        What opens it is in the fragment, which no browser sends to any server, and no log has.
        """
        return f"http://{place}/#token={self._sessions.link(lasting_s)}"

    def end_sessions(self) -> None:
        """Forget all links and sessions: pages that are open would send theirs to whoever takes the port next."""
        self._sessions.end_all()

    async def stop(self) -> None:
        """End all streams, and answer nobody any more."""
        if self._beginning is not None:
            await self._beginning
        self._pages.close()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._runner is not None:
            await self._runner.cleanup()
