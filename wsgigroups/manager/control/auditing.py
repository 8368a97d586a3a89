"""Who commanded what, and who was refused it: a line in the audit log for each such call, and an event beside it.

Runs in the manager's only thread; names of users are asked for in another, because a directory of users may take its
time. docs/security.md says what is in a line.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import pwd
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.manager.core.happenings import AUDIT, KEPT_TEXT, Happening
from wsgigroups.manager.line_file import LineFile
from wsgigroups.runtime.wire.rates import Bucket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from wsgigroups.manager.control.document import Document
    from wsgigroups.manager.control.requests import Parameters
    from wsgigroups.manager.control.routes import ControlRoute, TextRoute
    from wsgigroups.manager.journal import Journal
    from wsgigroups.trust.peers import Peer

FILE = "audit.jsonl"
MAXIMUM_BYTES = 1024 * 1024  # of a file
OLDER = 4  # files that are kept besides
_SECRET = frozenset({"configuration", "precondition", "shown"})  # or long; groups of a configuration are named instead
_REFUSALS, _REFUSALS_PER_S = 20.0, 1.0  # lines about refusals: at once, and a second after that
_NAMED = 20  # groups in a line


@dataclass(slots=True)
class Audit:
    """The audit log of one state directory."""

    directory: Path
    journal: Journal
    log: Callable[[str, str], None]
    name_of: Callable[[int], str] = field(default_factory=lambda: _name_of)
    _file: LineFile = field(init=False)
    _refusals: Bucket = field(init=False)
    _left_out: int = 0

    def __post_init__(self) -> None:
        self._file = LineFile(self.directory / FILE, "lines of the audit log", self.log, MAXIMUM_BYTES, OLDER)
        self._refusals = Bucket(_REFUSALS, _REFUSALS_PER_S, time.monotonic())

    @contextlib.asynccontextmanager
    async def of(self, route: ControlRoute, peer: Peer, body: Parameters) -> AsyncIterator[list[Document]]:
        """Tell of a call that changes something, when its answer is in the list, or it has failed."""
        answers: list[Document] = []
        outcome: dict[str, Any] = {"outcome": "failed"}
        try:
            yield answers
            outcome = _outcome(answers[-1])
        except WsgigroupsError as error:
            if error.exit_code is ExitCode.NOT_PERMITTED:
                outcome["outcome"] = "refused"
            outcome.update(error=error.message, exit_code=int(error.exit_code))
            raise
        finally:
            if route.changes:
                await self._tell(route, peer, {"parameters": _parameters(body), **outcome})

    async def refused(self, route: ControlRoute | TextRoute, peer: Peer, why: WsgigroupsError) -> None:
        """Tell of a call that its caller may not make. Of very many some are only counted."""
        if not self._refusals.take(1, time.monotonic()):
            self._left_out += 1
            return
        outcome = {"outcome": "refused", "error": why.message, "exit_code": int(why.exit_code)}
        if self._left_out:
            outcome["left_out"], self._left_out = self._left_out, 0
        await self._tell(route, peer, outcome)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    async def _tell(self, route: ControlRoute | TextRoute, peer: Peer, more: dict[str, Any]) -> None:
        user = await asyncio.to_thread(self.name_of, peer.uid)
        at = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        who = {"at": at, "uid": peer.uid, "user": user, "pid": peer.pid}
        line = {**who, "route": f"{route.method} {route.path}", **more}
        self._file.write(json.dumps(line).encode("utf-8") + b"\n", 1)
        change = more.get("change")
        self.journal.record([Happening(AUDIT, _sentence(route, user, peer, more)[:KEPT_TEXT], change=change)])


def _outcome(answer: Document) -> dict[str, Any]:
    found = {name: getattr(answer, name) for name in ("change", "revision") if hasattr(answer, name)}
    return {"outcome": "done", **found}


def _parameters(body: Parameters) -> dict[str, Any]:
    found = body.model_dump(mode="json", exclude=set(_SECRET), exclude_defaults=True)
    configuration = getattr(body, "configuration", None)
    if isinstance(configuration, dict):
        groups = configuration.get("groups")
        names = sorted(map(str, groups)) if isinstance(groups, dict) else []
        found["groups"] = [*names[:_NAMED], *([f"and {len(names) - _NAMED} more"] if len(names) > _NAMED else [])]
    return found


def _sentence(route: ControlRoute | TextRoute, user: str, peer: Peer, more: dict[str, Any]) -> str:
    groups = more.get("parameters", {}).get("groups", ())
    about = f" {', '.join(groups)}" if groups else ""
    error = f": {more['error']}" if "error" in more else ""
    return f"{more['outcome']}: {route.handler}{about} by {user} (uid {peer.uid}, pid {peer.pid}){error}"


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"
