"""What the manager's own dashboard shows: asked of the handlers of the control API, as its administrator would.

Runs in the manager's only thread; logs are read in another. There is no way to change anything here, by construction:
only reading handlers are called, and no TCP port orders the manager to do something.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.control.handlers import Call, Handlers
from wsgigroups.manager.control.requests import (
    ChangePath,
    ChangeQuery,
    DeathsQuery,
    EventsQuery,
    GroupPath,
    NoParameters,
)
from wsgigroups.manager.supervision.log_streams import STREAMS
from wsgigroups.manager.supervision.log_tail import LogEnd
from wsgigroups.trust.peers import Peer
from wsgigroups.trust.walking import judging_root

if TYPE_CHECKING:
    from wsgigroups.manager.control.document import Document
    from wsgigroups.web.source import Answer

_NOTHING = NoParameters()
_DEATHS = 20


class HandlersSource:
    """Of one manager. Is a DashboardSource (web/source.py)."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers
        self._peer = Peer(os.geteuid(), os.getegid(), os.getpid())

    def _call(self, path: Any = _NOTHING, query: Any = _NOTHING) -> Call[Any, Any, Any]:
        return Call(self._peer, path, query, administers=True)

    async def status(self) -> Answer:
        return _plain(await self._handlers.status(self._call()))

    async def group(self, name: str) -> Answer:
        return _plain(await self._handlers.group(self._call(GroupPath(name=name))))

    async def events(self, after: int) -> Answer:
        query = EventsQuery(after=after)
        return _plain(await self._handlers.events(self._call(query=query)))

    async def deaths(self, group: str) -> Answer:
        query = DeathsQuery(group=group, limit=_DEATHS)
        return _plain(await self._handlers.deaths_of(self._call(query=query)))

    async def change(self, number: int) -> Answer:
        return _plain(await self._handlers.change(self._call(ChangePath(id=number), ChangeQuery())))

    def lines(self, group: str, status: Answer) -> _FollowedEnd:
        path = next(item["log"] for item in status["groups"] if item["name"] == group)
        if path in STREAMS:
            raise WsgigroupsError(f"cannot show the log of {group}: it is no file, but {path}")
        return _FollowedEnd(path)


class _FollowedEnd:
    """The end of a log, of which every look reads a piece of bounded size."""

    def __init__(self, path: str) -> None:
        self._end = LogEnd(path, judging_root())

    async def more(self) -> list[str]:
        return await asyncio.to_thread(self._end.more)

    def close(self) -> None:
        pass


def _plain(document: Document) -> dict[str, Any]:
    return document.model_dump(mode="json")
