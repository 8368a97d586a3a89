"""What outlives a manager: the accepted revisions, their outcomes, the targets in force. JSON by atomic rename.

Runs in the manager's only thread. Files are 0600 in a directory 0700: a revision holds what its configuration holds,
secrets included. A write that fails changes nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from wsgigroups.errors import WsgigroupsError
from wsgigroups.trust.walking import private_directory

if TYPE_CHECKING:
    from pathlib import Path

LIFE_STEP = 10_000  # lives handed out between two writes; a manager that died skips the rest of its step
KEPT_REVISIONS = 50
DIGEST_KEY_BYTES = 32
_REVISION = {"revision": int, "accepted_at": str, "outcome": str, "by": str, "document": dict}
_WITHOUT_IT = "move it away to go on without that revision"


@dataclass
class Stored:
    """state.json: what a manager that follows needs besides what the spawners keep."""

    revision: int = 0
    next_life: int = 1
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)  # name → target, stopped, override, removing
    next_change: int = 1
    transaction: dict[str, Any] | None = None  # of the apply under way: supervision/kept_changes.py
    cwd: str = ""  # of the manager that started what runs: `home` where neither home nor user is set


class Store:
    """One state directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.revisions = directory / "revisions"

    def prepare(self) -> None:
        """Make the directories. Raises WsgigroupsError."""
        try:
            private_directory(str(self.directory), 0o700)
            private_directory(str(self.revisions), 0o700)
        except OSError as error:
            raise WsgigroupsError(
                f"cannot use the state directory {self.directory}: {error.strerror}",
                hint="choose another with --state-dir",
            ) from None

    def load(self) -> Stored:
        """Read state.json; a missing one is an empty state. Raises WsgigroupsError for a damaged one."""
        path = self.directory / "state.json"
        try:
            return Stored(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            return Stored()
        except (ValueError, TypeError) as error:
            raise WsgigroupsError(
                f"cannot read {path}: {error}", hint="move it away to start without what was stored"
            ) from None

    def digest_key(self) -> bytes:
        """The key for digests of secrets, 32 bytes; made when there is none. Raises WsgigroupsError."""
        path = self.directory / "digest.key"
        try:
            if not path.exists():
                self._replace(path, os.urandom(DIGEST_KEY_BYTES))
            key = path.read_bytes()
        except OSError as error:
            raise WsgigroupsError(f"cannot use {path}: {error.strerror}", hint="move it away") from None
        if len(key) != DIGEST_KEY_BYTES:
            raise WsgigroupsError(f"cannot use {path}: it is damaged", hint="move it away; a new one is made")
        return key

    def save(self, stored: Stored) -> None:
        """Replace state.json. Raises OSError; the old one then stands."""
        self._write(self.directory / "state.json", vars(stored))

    def save_revision(self, number: int, document: dict[str, Any], outcome: str, by: str) -> None:
        """Keep one accepted configuration. Raises OSError."""
        stamp = datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
        body = {"revision": number, "accepted_at": stamp, "outcome": outcome, "by": by, "document": document}
        self._write(self.revisions / f"{number:08d}.json", body)
        for path in self._paths()[KEPT_REVISIONS:]:
            path.unlink(missing_ok=True)

    def drop_revision(self, number: int) -> None:
        """Forget a revision that did not come into force."""
        with contextlib.suppress(OSError):
            (self.revisions / f"{number:08d}.json").unlink()

    def set_outcome(self, number: int, outcome: str) -> None:
        """Record how a revision's rollout ended. Raises OSError, and WsgigroupsError for a damaged one."""
        path = self.revisions / f"{number:08d}.json"
        self._write(path, {**self._revision(path), "outcome": outcome})

    def history(self) -> list[dict[str, Any]]:
        """All kept revisions without their documents, newest first; of one that cannot be read, the row says why."""
        rows = []
        for path in self._paths():
            try:
                body = self._revision(path)
            except WsgigroupsError as error:
                unknown = {"revision": int(path.stem), "accepted_at": "", "by": ""}
                rows.append({**unknown, "outcome": "unreadable", "error": error.message})
            else:
                rows.append({key: value for key, value in body.items() if key != "document"})
        return rows

    def last_number(self) -> int:
        """The highest number of a kept revision, damaged or not; 0 without any."""
        paths = self._paths()
        return int(paths[0].stem) if paths else 0

    def good_before(self, number: int) -> int | None:
        """The newest revision before this one that was done and has another configuration; None: there is none."""
        present = None
        with contextlib.suppress(WsgigroupsError):
            present = self.document(number)
        for row in self.history():
            if row["revision"] < number and row["outcome"] == "done":
                with contextlib.suppress(WsgigroupsError):
                    if self.document(row["revision"]) != present:
                        return int(row["revision"])
        return None

    def interrupt_pending(self) -> list[int]:
        """Settle outcomes that a manager which died left open; return whose. Raises OSError."""
        interrupted = [row["revision"] for row in self.history() if row["outcome"] == "pending"]
        for number in interrupted:
            self.set_outcome(number, "interrupted")
        return interrupted

    def document(self, number: int) -> dict[str, Any]:
        """The configuration of a revision. Raises WsgigroupsError."""
        path = self.revisions / f"{number:08d}.json"
        if not path.exists():
            raise WsgigroupsError(f"cannot find revision {number}", hint="`wsgigroups history` lists what is kept")
        document: dict[str, Any] = self._revision(path)["document"]
        return document

    def _paths(self) -> list[Path]:
        """The files of revisions, newest first; others that lie there are nobody's."""
        return sorted((path for path in self.revisions.glob("*.json") if path.stem.isdecimal()), reverse=True)

    def _revision(self, path: Path) -> dict[str, Any]:
        try:
            body: dict[str, Any] = json.loads(path.read_bytes())
            wrong = [name for name, kind in _REVISION.items() if not isinstance(body.get(name), kind)]
        except (OSError, ValueError, AttributeError) as error:
            raise WsgigroupsError(f"cannot read {path}: {error}", hint=_WITHOUT_IT) from None
        if wrong:
            raise WsgigroupsError(f"cannot read {path}: it has no {wrong[0]}", hint=_WITHOUT_IT)
        return body

    def _write(self, path: Path, body: dict[str, Any]) -> None:
        self._replace(path, json.dumps(body, indent=1).encode())

    def _replace(self, path: Path, data: bytes) -> None:
        temporary = path.with_name(f".{path.name}.new")
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
