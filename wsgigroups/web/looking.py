"""Looks at a manager again and again, once for all pages that are open: the last look, charts, and events.

Runs in the loop of whoever serves the dashboard.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import traceback
from collections import deque
from typing import TYPE_CHECKING, Any

from wsgigroups.errors import WsgigroupsError
from wsgigroups.web import frames
from wsgigroups.web.charts import ChartHistory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wsgigroups.web.source import Answer, DashboardSource

PERIOD_S = 2.0
REST = 10.0  # the next look is not before so many times what one took: a manager with much to tell is asked less often
EVENTS = 200  # that a page begins with, at most
_BUG = "a mistake of the dashboard: its log has the traceback"


class Looking:
    """What was seen. always: also while no page is open, so that charts have something to begin with."""

    def __init__(self, source: DashboardSource, log: Callable[[str, str], None], *, always: bool) -> None:
        self.number = 0  # of the last look, 0: there was none
        self.row_of: dict[str, dict[str, Any]] = {}
        self.charts = ChartHistory()
        self.status: Answer | None = None
        self.journal = 0  # another number means that events are those of another journal
        self.trouble = ""  # why there was no look just now
        self._source = source
        self._log = log
        self._always = always
        self._pages = 0
        self._wanted = asyncio.Event()
        self._changed = asyncio.Event()
        self._events: deque[dict[str, Any]] = deque(maxlen=EVENTS)
        self._last_event = 0
        self._frame: dict[str, Any] = {}

    @property
    def frame(self) -> dict[str, Any]:
        """The last look as a page is told of it. stale: why it is not of now, or ""."""
        return {**self._frame, "stale": self.trouble}

    def events(self, after: int) -> list[dict[str, Any]]:
        """Return the events after this number, the oldest first."""
        return [event for event in self._events if event["number"] > after]

    @contextlib.contextmanager
    def page(self) -> Iterator[None]:
        """While a page is open."""
        if not self._pages and not self._always:
            self.number = 0  # what was seen is of the time when a page was open
        self._pages += 1
        self._wanted.set()
        try:
            yield
        finally:
            self._pages -= 1
            if not self._pages:
                self._wanted.clear()

    async def changed(self) -> None:
        """Wait for the end of the next look."""
        await self._changed.wait()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            if not self._always:
                await self._wanted.wait()
            began = time.monotonic()
            await self.look()
            await asyncio.sleep(max(PERIOD_S, REST * (time.monotonic() - began)))

    async def look(self) -> None:
        """Look once, and wake who waits for it."""
        try:
            self._see(await self._source.status())
            await self._hear()
            self.trouble = ""
        except WsgigroupsError as error:
            self.trouble = error.message
        except Exception:  # noqa: BLE001 - pages that are open go on with what they have
            if self.trouble != _BUG:
                self._log("error", f"[BUG] looking:\n{traceback.format_exc()}")
            self.trouble = _BUG
        self.number += 1
        self._changed.set()
        self._changed = asyncio.Event()

    def _see(self, status: Answer) -> None:
        self.status = status
        self._frame = frames.look(status)
        self.row_of = {row["name"]: row for row in self._frame["groups"]}
        self.charts.add(time.monotonic(), self._frame["groups"])

    async def _hear(self) -> None:
        answer = await self._source.events(self._last_event)
        if answer["last"] < self._last_event:  # another journal: what was known is of the former one
            self._events.clear()
            self.journal += 1
            answer = await self._source.events(0)
        self._events.extend(frames.event(found) for found in answer["events"])
        self._last_event = answer["events"][-1]["number"] if answer["events"] else answer["last"]
