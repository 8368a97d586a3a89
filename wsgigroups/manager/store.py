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
from wsgigroups.manager import failpoints
from wsgigroups.trust.walking import private_directory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCHEMA_VERSION = 1  # of state.json; a file of a later one is not understood
LIFE_STEP = 10_000  # lives handed out between two writes; a manager that died skips the rest of its step
KEPT_REVISIONS = 50
DIGEST_KEY_BYTES = 32
_REVISION = {"revision": int, "accepted_at": str, "outcome": str, "by": str, "document": dict}
_WITHOUT_IT = "move it away to go on without that revision"


_SET_ASIDE = 9  # damaged files that are kept; the last one is replaced


@dataclass
class Stored:
    """state.json: what a manager that follows needs besides what the spawners keep.

    A file of an earlier version has less, and its groups have: each has a default. To be saved, a group and the
    transaction may also be the JSON texts of what they are.
    """

    revision: int = 0
    next_life: int = 1
    groups: dict[str, Any] = field(default_factory=dict)  # name → supervision/remembering.py
    schema_version: int = SCHEMA_VERSION
    next_change: int = 1
    transaction: Any = None  # of the apply under way: supervision/kept_changes.py
    cwd: str = ""  # of the manager that started what runs: `home` where neither home nor user is set
    locale: dict[str, str] | None = None  # its LANG and LC_ALL; None: an earlier version did not write them
    observing: dict[str, str] = field(default_factory=dict)  # option → address, of the manager's own listeners
    drain_delay_s: float = 0.0


class Store:
    """One state directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.revisions = directory / "revisions"
        self._saved: tuple[bytes, object] = b"", None  # state.json as this store wrote it, and which file it is
        self._newest: tuple[object, dict[str, Any] | None] | None = None  # likewise, of the newest revision

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
            return _stored(json.loads(path.read_bytes()))
        except FileNotFoundError:
            return Stored(self.last_number())
        except (OSError, ValueError) as error:
            raise WsgigroupsError(
                f"cannot read {path}: {error}", hint="a manager that starts sets it aside and goes on with what runs"
            ) from None

    def load_or_set_aside(self, log: Callable[[str, str], None]) -> Stored:
        """Read state.json. A damaged one is kept under another name: no daemon may die of it, nor be left alone."""
        try:
            return self.load()
        except WsgigroupsError as error:
            aside = self._set_aside(self.directory / "state.json")
            where = f"it is kept as {aside.name}" if aside else "it cannot be moved"
            log("error", f"{error.message}; {where}, and what runs is adopted as unknown")
            return Stored(self.last_number())

    def digest_key(self, log: Callable[[str, str], None] = lambda _level, _text: None) -> bytes:
        """The key for digests of secrets, 32 bytes; made when there is none, or none that can be used."""
        path = self.directory / "digest.key"
        try:
            return self.present_digest_key()
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            self._set_aside(path)
            log("error", f"cannot use {path}: {error}; with a new one, groups with secrets are planned anew once")
        key = os.urandom(DIGEST_KEY_BYTES)
        try:
            self.keep_digest_key(key)
        except OSError as error:
            log("warning", f"cannot store {path}: {error.strerror}; the next manager has another")
        return key

    def keep_digest_key(self, key: bytes) -> None:
        """Store a key, if there is none. Raises OSError."""
        path = self.directory / "digest.key"
        if not path.exists():
            self._replace(path, key)

    def present_digest_key(self) -> bytes:
        """The key that is stored. Raises OSError, and ValueError for a damaged one."""
        key = (self.directory / "digest.key").read_bytes()
        if len(key) != DIGEST_KEY_BYTES:
            raise ValueError(f"it has {len(key)} bytes, not {DIGEST_KEY_BYTES}")
        return key

    def save(self, stored: Stored) -> None:
        """Replace state.json, unless that is what it holds. Raises OSError; the old one then stands."""
        rest = {**vars(stored)}
        texts = {name: _text(rest.pop(name)) for name in ("transaction",)}
        pieces: list[str] = []
        for name, item in rest.pop("groups").items():
            pieces += (", " if pieces else "", json.dumps(name), ": ")
            pieces += item if isinstance(item, tuple) else (_text(item),)
        groups = "".join(pieces)
        texts |= {name: json.dumps(value) for name, value in rest.items()} | {"groups": f"{{{groups}}}"}
        whole = ", ".join(f'"{name}": {text}' for name, text in texts.items())
        data = f"{{{whole}}}".encode()
        path = self.directory / "state.json"
        if (data, _mark(path)) != self._saved:
            self._replace(path, data)
            self._saved = data, _mark(path)

    def save_revision(self, number: int, document: dict[str, Any], outcome: str, by: str) -> None:
        """Keep one accepted configuration. Raises OSError."""
        body = {"revision": number, "accepted_at": _moment(), "outcome": outcome, "by": by, "document": document}
        self._write(self.revisions / f"{number:08d}.json", body)
        for path in self._paths()[KEPT_REVISIONS:]:
            path.unlink(missing_ok=True)

    def drop_revision(self, number: int) -> None:
        """Forget a revision that did not come into force."""
        with contextlib.suppress(OSError):
            (self.revisions / f"{number:08d}.json").unlink()

    def set_outcome(self, number: int, outcome: str) -> None:
        """Record how a revision's rollout ended, and when. Raises OSError, and WsgigroupsError for a damaged one."""
        path = self.revisions / f"{number:08d}.json"
        self._write(path, {**self._revision(path), "outcome": outcome, "ended_at": _moment()})

    def set_owners(self, number: int, owners: dict[str, Any]) -> None:
        """Record which files a revision came from. Raises OSError, and WsgigroupsError for a damaged one."""
        path = self.revisions / f"{number:08d}.json"
        body = self._revision(path)
        self._write(path, {**body, "document": {**body["document"], "owners": owners}})

    def newest(self) -> dict[str, Any] | None:
        """The newest revision without its document; None where there is none, or it cannot be read.

        The same object as long as the file is the same: the status asks whenever somebody looks.
        """
        path = next(iter(self._paths()), None)
        mark = _mark(path) if path else None
        if path is None or mark is None:
            return None
        if self._newest is None or self._newest[0] != mark:
            row = None
            with contextlib.suppress(WsgigroupsError):
                row = {key: value for key, value in self._revision(path).items() if key != "document"}
            self._newest = mark, row
        return self._newest[1]

    def number_before(self, number: int) -> int | None:
        """The kept revision before this one; None: there is none."""
        return next((int(path.stem) for path in self._paths() if int(path.stem) < number), None)

    def row(self, number: int) -> dict[str, Any]:
        """One kept revision with its document. Raises WsgigroupsError."""
        path = self.revisions / f"{number:08d}.json"
        if not path.exists():
            raise WsgigroupsError(f"cannot find revision {number}", hint="`wsgigroups history` lists what is kept")
        return self._revision(path)

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
        """The number that no next revision may have, whatever state.json has lost; 0 where none is kept."""
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

    def document(self, number: int) -> dict[str, Any]:
        """The configuration of a revision. Raises WsgigroupsError."""
        document: dict[str, Any] = self.row(number)["document"]
        return document

    def _paths(self) -> list[Path]:
        """The files of revisions, newest first; others that lie there are nobody's."""
        return sorted((path for path in self.revisions.glob("*.json") if path.stem.isdecimal()), reverse=True)

    def interrupt_pending(self) -> list[int]:
        """Settle outcomes that a manager which is gone had left open; return their revisions. Raises nothing."""
        settled = []
        for path in self._paths():
            with contextlib.suppress(OSError, WsgigroupsError):  # a full disk, or one that is damaged: history says so
                if self._revision(path)["outcome"] == "pending":
                    self.set_outcome(int(path.stem), "interrupted")
                    settled.append(int(path.stem))
        return sorted(settled)

    def _set_aside(self, path: Path) -> Path | None:
        """Keep a file that cannot be used under another name; None when that cannot be."""
        names = [path.with_name(f"{path.name}.damaged-{number}") for number in range(1, _SET_ASIDE + 1)]
        aside = next((name for name in names if not os.path.lexists(name)), names[-1])
        try:
            os.replace(path, aside)
        except OSError:
            return None
        return aside

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
        # without indents: only then is the encoder the one in C, which a thousand groups need ten times less of
        self._replace(path, json.dumps(body).encode())

    def _replace(self, path: Path, data: bytes) -> None:
        temporary = path.with_name(f".{path.name}.new")
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "wb") as file:
                failpoints.reached("store: file opened")
                file.write(data)
                file.flush()
                failpoints.reached("store: file written")
                os.fsync(file.fileno())
            failpoints.reached("store: file synced")
            os.replace(temporary, path)
            failpoints.reached("store: file replaced")
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise


def _moment() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _mark(path: Path) -> object:
    """What tells a file from another one, and from itself when it was written to; None: there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _stored(data: Any) -> Stored:
    """Take what is known out of a document. Raises ValueError for what this version did not write."""
    if not isinstance(data, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 — as of a text that is no JSON
    version = data.get("schema_version", SCHEMA_VERSION)
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise ValueError(f"its schema_version is {version!r}, not {SCHEMA_VERSION}")
    kinds = (("revision", int), ("next_life", int), ("groups", dict))
    missing = [name for name, kind in kinds if not isinstance(data.get(name), kind)]
    if missing:
        raise ValueError(f"it has no {missing[0]}")
    if not all(isinstance(item, dict) for item in data["groups"].values()):
        raise ValueError("it has a group that is no JSON object")
    stored = Stored(data["revision"], data["next_life"], data["groups"])
    for name in ("next_change", "transaction", "cwd", "drain_delay_s"):  # that an earlier version did not write
        if isinstance(data.get(name), dict if name == "transaction" else type(getattr(stored, name))):
            setattr(stored, name, data[name])
    if isinstance(data.get("observing"), dict):
        stored.observing = {str(key): text for key, text in data["observing"].items() if isinstance(text, str)}
    if isinstance(data.get("locale"), dict):
        stored.locale = {str(key): text for key, text in data["locale"].items() if isinstance(text, str)}
    return stored
