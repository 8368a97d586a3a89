"""One apply at a time, in the order in which they were asked for; whoever has to wait is told for whom.

Runs in the manager's only thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.errors import BusyError, WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from wsgigroups.manager.supervision.shell import Shell
    from wsgigroups.plan.planner import Plan
    from wsgigroups.plan.precondition import Precondition


@dataclass(frozen=True, slots=True)
class News:
    """What has moved since a plan was shown, and the plan that it came to."""

    moved: tuple[str, ...]
    plan: Plan


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for an apply, and how long it may wait. wait_s None: for as long as it takes."""

    kind: str
    by: str  # for the history
    uid: int
    pid: int
    command: str = ""
    wait_s: float | None = None
    overtake: bool = False  # does not wait for the end of a change that has begun
    precondition: Precondition | None = None  # of the plan that is asked for; None: whatever it comes to
    shown: Mapping[str, str] | None = None  # what that plan does, by group: where it moved, what does no more is done
    agrees: bool = False  # to whatever it has come to where it moved
    only: tuple[str, ...] | None = None  # the files that it is about; None: all
    told: Callable[[News], None] = lambda _news: None  # of what is done instead
    left: Callable[[], bool] = lambda: False  # whether nobody waits for the answer any more
    since: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class ApplyQueue:
    """Whose turn it is. shell: has the apply under way, and the event that is set when the state changes next."""

    shell: Shell
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _holder: Asked | None = None
    _begun: tuple[int, Asked] | None = None  # the change that was begun last, and who asked for it

    @contextlib.asynccontextmanager
    async def turn(self, asked: Asked) -> AsyncIterator[None]:
        """Wait for the ones before; raises BusyError when they take longer than this one may wait."""
        if not self._lock.locked():
            await self._lock.acquire()
        elif asked.wait_s == 0:
            raise self._busy()
        else:
            try:
                await asyncio.wait_for(self._lock.acquire(), self._left_s(asked))
            except asyncio.TimeoutError:
                raise self._busy() from None
        self._holder = asked
        try:
            self._still_wanted(asked)
            yield
        finally:
            self._holder = None
            self._lock.release()

    async def end_of_change(self, asked: Asked) -> bool:
        """In one's turn: wait until no apply is under way; tell whether there was one. Raises BusyError as `turn`."""
        waited = False
        while self.shell.state.open_apply is not None and not asked.overtake:
            left_s = self._left_s(asked)
            if left_s is not None and left_s <= 0:
                raise self._busy()
            waited = True
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.shell.changed.wait(), left_s)
            self._still_wanted(asked)
        return waited

    def begun(self, change: int, asked: Asked) -> None:
        """Keep who asked for a change, for those who wait for its end."""
        self._begun = (change, asked)

    def _busy(self) -> BusyError:
        change = self.shell.state.open_apply
        if change is not None and self._begun and self._begun[0] == change:
            asked = self._begun[1]
        else:
            asked = self._holder or Asked("apply", "", 0, 0)
        holder = {
            "change": change,
            "kind": asked.kind,
            "uid": asked.uid,
            "pid": asked.pid,
            "command": asked.command,
            "for_s": round(time.monotonic() - asked.since, 1),
            "paused": self.shell.state.paused,
        }
        way = "`wsgigroups resume` lets it go on" if holder["paused"] else "wait until it ends"
        return BusyError(f"cannot apply now: {describe(holder)}", holder, hint=f"{way}, or take its place: --overtake")

    @staticmethod
    def _left_s(asked: Asked) -> float | None:
        return None if asked.wait_s is None else max(0.0, asked.since + asked.wait_s - time.monotonic())

    @staticmethod
    def _still_wanted(asked: Asked) -> None:
        if asked.left():
            raise WsgigroupsError("cannot tell anybody: the caller has gone, nothing was changed")


def describe(holder: Mapping[str, object]) -> str:
    """Say who applies, in a sentence without its end."""
    change = f"change {holder['change']}" if holder["change"] is not None else "one that has not begun"
    command = f" ({holder['command']})" if holder["command"] else ""
    who = f"uid {holder['uid']} pid {holder['pid']}{command}"
    how = "is paused" if holder["paused"] else f"is under way for {holder['for_s']} s"
    return f"{change}, {holder['kind']} by {who}, {how}"
