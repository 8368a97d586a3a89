"""What is kept of certificates that an authority makes: accounts, certificates with their keys, and how orders went.

Runs in the manager. All of it is in `authority/` of the state directory, 0700, in files with mode 0600, each written
wholly or not at all. One file has a certificate and its key, so that they cannot be of two orders.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from wsgigroups.certifying.timing import Attempts
from wsgigroups.targets.resolve import orders_of
from wsgigroups.trust.walking import private_directory

if TYPE_CHECKING:
    from pathlib import Path

_DIGITS = 32


@dataclass(slots=True)
class KeptOrders:
    """How orders went. attempts: by the path of the certificate; orders, pauses: by the URL of the authority."""

    attempts: dict[str, Attempts] = field(default_factory=dict)
    orders: dict[str, tuple[float, ...]] = field(default_factory=dict)  # when they were made
    pauses: dict[str, float] = field(default_factory=dict)  # nothing is asked of it before


class OrderStore:
    """One state directory."""

    def __init__(self, state_dir: Path) -> None:
        self.certificates = orders_of(state_dir)
        self.directory = self.certificates.parent
        self._accounts = self.directory / "accounts"

    def prepare(self) -> None:
        """Make the directories. Raises OSError."""
        for path in (self.directory, self.certificates, self._accounts):
            private_directory(str(path), 0o700)

    def load(self) -> KeptOrders:
        """Return how orders went; of a file that cannot be read, nothing."""
        try:
            data = json.loads((self.directory / "orders.json").read_bytes())
            return KeptOrders(
                {path: Attempts(**item) for path, item in data["attempts"].items()},
                {url: tuple(map(float, times)) for url, times in data["orders"].items()},
                {url: float(until) for url, until in data["pauses"].items()},
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return KeptOrders()

    def save(self, kept: KeptOrders) -> None:
        """Store how orders went. Raises OSError."""
        self.prepare()
        self._write(self.directory / "orders.json", json.dumps(asdict(kept)).encode())

    def account(self, authority: str, contact: str) -> dict[str, Any] | None:
        """Return the account at an authority, with its key; None where there is none that can be used."""
        try:
            found = json.loads(self._account(authority, contact).read_bytes())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and {"key", "uri"} <= found.keys() else None

    def keep_account(self, authority: str, contact: str, account: dict[str, Any]) -> None:
        """Store an account. Raises OSError."""
        self._write(self._account(authority, contact), json.dumps(account).encode())

    def forget_account(self, authority: str, contact: str) -> None:
        """Remove an account that the authority does not know. Raises OSError."""
        self._account(authority, contact).unlink(missing_ok=True)

    def _account(self, authority: str, contact: str) -> Path:
        digest = hashlib.sha256(f"{authority}\0{contact}".encode()).hexdigest()
        return self._accounts / f"{digest[:_DIGITS]}.json"

    def keep_certificate(self, path: str, chain: bytes, key: bytes) -> None:
        """Store a certificate with its key in one file. Raises OSError."""
        self._write(self.certificates / os.path.basename(path), key.rstrip() + b"\n" + chain)

    def lock(self) -> int | None:
        """Return the descriptor of a lock that one helper has, whoever started it; None while another has it.

        A helper keeps it open: one that outlives its manager keeps the next one from ordering the same. Raises OSError.
        """
        self.prepare()
        fd = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        except OSError:
            os.close(fd)
            raise
        return fd

    def _write(self, path: Path, content: bytes) -> None:
        temporary = path.with_name(f".{path.name}.new")
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
