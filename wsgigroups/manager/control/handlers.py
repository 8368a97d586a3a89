"""What each route does. Thin: checks the body, asks the manager, returns plain data.

Runs in the manager's only thread.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wsgigroups.config import Configuration
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.manager import core, model, views

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.manager.applying import Applying

MAXIMUM_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as the kernel says."""

    uid: int
    gid: int
    pid: int


@dataclass(frozen=True, slots=True)
class Handlers:
    """The routes' methods; each takes the caller, the path's values, the query and the body."""

    applying: Applying
    started_at: float
    end: Callable[[], None]

    async def status(self, _call: Call) -> dict[str, Any]:
        return views.status(self.applying.shell, self.started_at)

    async def history(self, _call: Call) -> dict[str, Any]:
        return {"schema_version": 1, "revisions": self.applying.store.history()}

    async def change(self, call: Call) -> dict[str, Any]:
        shell = self.applying.shell
        number = _integer(call.path.get("id", ""))
        wait_s = min(float(call.query.get("wait_s", "0") or 0), MAXIMUM_WAIT_S)
        change = shell.state.changes.get(number)
        if change is None:
            raise WsgigroupsError(f"cannot find change {number}")
        seen = call.query.get("seen")
        view = views.change_view(shell, change)
        until = asyncio.get_running_loop().time() + wait_s
        # answers when the change moves: the caller says what it has seen, so that nothing between calls is missed
        while not view["finished"] and _digest(view) == seen:
            left_s = until - asyncio.get_running_loop().time()
            if left_s <= 0:
                break
            try:
                await asyncio.wait_for(shell.changed.wait(), left_s)
            except asyncio.TimeoutError:
                break
            view = views.change_view(shell, shell.state.changes[number])
        return {**view, "seen": _digest(view)}

    async def plan(self, call: Call) -> dict[str, Any]:
        return (await self.applying.plan(lambda: _configuration(call.body))).to_json()

    async def apply(self, call: Call) -> dict[str, Any]:
        change = await self.applying.apply(lambda: _configuration(call.body), by=f"uid {call.caller.uid}")
        return {"change": change.id if change else None, "revision": self.applying.shell.state.revision}

    async def rollback(self, call: Call) -> dict[str, Any]:
        number = call.body.get("revision")
        if number is None:
            number = self.applying.shell.state.revision - 1
        document = self.applying.store.document(_integer(number))
        change = await self.applying.apply(
            lambda: Configuration.from_document(document),
            by=f"uid {call.caller.uid}, rollback to {number}",
            kind="rollback",
        )
        return {"change": change.id if change else None, "revision": self.applying.shell.state.revision}

    async def start(self, call: Call) -> dict[str, Any]:
        return self._act(model.Start(self._groups(call)))

    async def stop(self, call: Call) -> dict[str, Any]:
        return self._act(model.Stop(self._groups(call)))

    async def restart(self, call: Call) -> dict[str, Any]:
        return self._act(model.Restart(self._groups(call)))

    async def reload(self, call: Call) -> dict[str, Any]:
        return self._act(model.Reload(self._groups(call)))

    async def scale(self, call: Call) -> dict[str, Any]:
        counts = call.body.get("processes")
        if not isinstance(counts, dict) or not counts:
            raise _bad("processes names no group")
        for name, count in counts.items():
            if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= 1024:
                raise _bad(f"{count!r} is no number of processes for {name!r}: 1 to 1024")
        core.check_groups(self.applying.shell.state, counts)
        return self._act(model.Scale(counts))

    async def shutdown(self, call: Call) -> dict[str, Any]:
        answer = self._act(model.Shutdown(bool(call.body.get("now"))))
        self.end()
        return answer

    def _groups(self, call: Call) -> tuple[str, ...]:
        names = call.body.get("groups")
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise _bad("groups names no group")
        core.check_groups(self.applying.shell.state, names)
        return tuple(dict.fromkeys(names))

    def _act(self, event: model.Event) -> dict[str, Any]:
        number = self.applying.shell.state.next_change
        self.applying.shell.dispatch(event)
        self.applying.save()
        return {"change": number, "revision": self.applying.shell.state.revision}


@dataclass(frozen=True, slots=True)
class Call:
    """One request, taken apart."""

    caller: Caller
    path: dict[str, str]
    query: dict[str, str]
    body: dict[str, Any]


def _bad(what: str) -> WsgigroupsError:
    return WsgigroupsError(f"cannot use this request: {what}", exit_code=ExitCode.USAGE)


def _integer(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise _bad(f"{value!r} is no number") from None


def _configuration(body: dict[str, Any]) -> Configuration:
    document = body.get("configuration")
    if not isinstance(document, dict):
        raise _bad("there is no configuration in it")
    return Configuration.from_document(document)


def _digest(view: dict[str, Any]) -> str:
    """A short text that changes when the view does."""
    groups = sorted(view["groups"].items())
    parts = [f"{n}={g['state']}:{g['ready']}/{g['wanted']}-{g['leaving']}" for n, g in groups]
    states = [f"{p['life']}{p['state'][0]}" for _n, g in groups for p in g["processes"]]
    return hashlib.sha256(f"{view['outcome']};{parts};{states}".encode()).hexdigest()[:16]
