"""Server-sent events (HTML Living Standard, section 9.2): one answer that goes on as long as its page is open."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from types import TracebackType

UNREAD_S = 30.0  # for what a page does not take


class EventStream:
    """One stream; `async with` sends its head."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self.response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        self.response.force_close()

    async def __aenter__(self) -> EventStream:  # noqa: PYI034 — Self is Python 3.11
        await self.response.prepare(self._request)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self._write(b"", last=True)

    async def send(self, kind: str, data: Any) -> None:
        """Send one event, its data as JSON. Raises ConnectionError for a page that has left, or takes nothing."""
        await self._write(f"event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode())

    async def keep(self) -> None:
        """Send a comment, which shows whether the page is still there. Raises ConnectionError."""
        await self._write(b":\n\n")

    async def _write(self, data: bytes, *, last: bool = False) -> None:
        try:
            await asyncio.wait_for(self.response.write_eof() if last else self.response.write(data), UNREAD_S)
        except asyncio.TimeoutError:
            if isinstance(self._request.transport, asyncio.Transport):
                self._request.transport.abort()
            raise ConnectionResetError("the page does not read") from None
