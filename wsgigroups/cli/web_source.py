"""What the dashboard of `wsgigroups web` shows: asked with the client of the control API, with its caller's authority.

Runs in the user's process; each question in a thread, so that pages do not wait for each other.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from wsgigroups.cli.log_files import FollowedLog
from wsgigroups.cli.log_lines import LogChoice
from wsgigroups.cli.logs import LINES, NO_FILES
from wsgigroups.errors import WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.client import Client
    from wsgigroups.web.source import Answer

_EVENTS = 100
_DEATHS = 20


class ClientSource:
    """Of one manager. Is a DashboardSource and an ActingSource (web/source.py)."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def status(self) -> Answer:
        return await self._get("/v1/status")

    async def group(self, name: str) -> Answer:
        return cast("Answer", await asyncio.to_thread(self._client.group, name))

    async def events(self, after: int) -> Answer:
        return await self._get(f"/v1/events?limit={_EVENTS}&after={after}")

    async def deaths(self, group: str) -> Answer:
        from urllib.parse import urlencode

        return await self._get(f"/v1/deaths?{urlencode({'group': group, 'limit': _DEATHS})}")

    async def change(self, number: int) -> Answer:
        return await self._get(f"/v1/changes/{number}")

    async def act(self, action: str, body: Mapping[str, Any]) -> Answer:
        return await asyncio.to_thread(self._client.post, f"/v1/{action}", dict(body))

    def lines(self, group: str, status: Answer) -> _LinesOfFile:
        path = next(item["log"] for item in status["groups"] if item["name"] == group)
        if path in NO_FILES:
            raise WsgigroupsError(f"cannot show the log of {group}: it is no file, but {path}")
        shared = sum(item["log"] == path for item in status["groups"]) > 1
        return _LinesOfFile(FollowedLog(path), LogChoice(group=group if shared else ""))

    async def _get(self, path: str) -> Answer:
        return await asyncio.to_thread(self._client.get, path)


class _LinesOfFile:
    """A log file as this user may read it."""

    def __init__(self, file: FollowedLog, choice: LogChoice) -> None:
        self._file = file
        self._choice = choice
        self._begun = False

    async def more(self) -> list[str]:
        if self._begun:
            return await asyncio.to_thread(self._file.added, self._choice)
        self._begun = True
        return await asyncio.to_thread(self._file.last, 10 * LINES, self._choice)

    def close(self) -> None:
        self._file.close()
