"""UNIX socket files that a manager is about to make, noted before: who dies in between leaves none behind.

Runs in the manager's only thread. What is lost of the note costs a stale file, which the next bind removes.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsgigroups.config.addresses import parse
from wsgigroups.trust.sockets import remove_stale
from wsgigroups.trust.walking import judging_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from wsgigroups.manager.core.model import State
    from wsgigroups.plan.desired import GroupTarget, ListenerTarget

FILE = "sockets.json"


@dataclass(slots=True)
class SocketFiles:
    """The note of one state directory."""

    directory: Path
    log: Callable[[str, str], None]

    def note(self, state: State, coming: Iterable[GroupTarget]) -> None:
        """Note what the groups have and what is about to be bound."""
        known = _files((*_targets(state), *coming))
        if known != self._noted():
            self._write(known)

    def clear(self, state: State) -> None:
        """Remove noted files that no group has and nobody answers on. Once, by a manager that has just started."""
        in_force = _files(_targets(state))
        noted = self._noted()
        for path in sorted(noted.keys() - in_force.keys()):
            existed = os.path.lexists(path)
            try:
                remove_stale(path, judging_root(), noted[path])
            except OSError as error:
                self.log("warning", f"{path} belongs to no group and stays: {error.strerror}")
            else:
                if existed:
                    self.log("info", f"removed {path}: a former manager had left it, and it belongs to no group")
        if noted != in_force:
            self._write(in_force)

    def _noted(self) -> dict[str, int | None]:
        try:
            data = json.loads((self.directory / FILE).read_bytes())
            return {str(path): None if owner is None else int(owner) for path, owner in data.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _write(self, files: dict[str, int | None]) -> None:
        temporary = self.directory / f".{FILE}.new"
        with contextlib.suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
                file.write(json.dumps(files, sort_keys=True).encode())
            os.replace(temporary, self.directory / FILE)


def _targets(state: State) -> list[GroupTarget]:
    found = []
    for group in state.groups.values():
        found += [group.target, *([group.proved.target] if group.proved else ())]
    if state.transaction:
        found += [former.target for former in state.transaction.former.values() if former.target]
    return found


def _files(targets: Iterable[GroupTarget]) -> dict[str, int | None]:
    listeners: list[ListenerTarget] = [listener for target in targets for listener in target.listeners]
    return {path: listener.owner_uid for listener in listeners if (path := parse(listener.address).path)}
