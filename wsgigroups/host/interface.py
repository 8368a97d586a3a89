"""The questions that checks ask a host. Answers are JSON data, so that they can be recorded and replayed. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

HIDDEN = (
    "hidden"  # what `path` says where root may not look, as on a share that makes it nobody: a user may all the same
)
FALLBACK_USERS = ("www-data", "nobody")  # where a manager that is root finds no user named: the first that there is


class UnknownError(Exception):
    """This host cannot answer that: it was not recorded."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose eyes a check has; numbers."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()

    def key(self) -> str:
        """As one text, for questions."""
        return f"{self.uid}:{self.gid}:{','.join(map(str, self.groups))}"

    @classmethod
    def of_key(cls, key: str) -> Viewer:
        """The reverse of `key`."""
        uid, gid, groups = key.split(":")
        return cls(int(uid), int(gid), tuple(int(item) for item in groups.split(",") if item))


class Host(Protocol):
    """A host that can be asked."""

    def ask(self, question: str, *arguments: str) -> Any:
        """Answer a question. Raises UnknownError."""

    def prepare(self, applications: list[SoughtApplication]) -> None:
        """Get ready to be asked about all of these; a chance to look at them together."""


@dataclass(frozen=True, slots=True)
class SoughtApplication:
    """One script or callable to look for, in the interpreter of its group and with the eyes of its user."""

    kind: str  # "script" or "callable"
    target: str  # a file, or package.module:callable
    callable_object: str
    python_home: str  # "" for the manager's own interpreter
    directories: tuple[str, ...]  # searched before the environment's own
    identity: str  # Viewer.key, "" for whoever checks

    def key(self) -> str:
        """As one text, for questions."""
        return json.dumps(
            [self.kind, self.target, self.callable_object, self.python_home, *self.directories, self.identity]
        )


class Asking:
    """Typed questions to a host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def prepare(self, applications: list[SoughtApplication]) -> None:
        """Look at these together."""
        self._host.prepare(applications)

    def privileged(self) -> bool:
        """Whether the manager would be root there."""
        return bool(self._host.ask("privileged"))

    def user(self, name: str) -> dict[str, Any] | None:
        """uid, gid and home of a user's name; None when there is none."""
        found: dict[str, Any] | None = self._host.ask("user", name)
        return found

    def group(self, name: str) -> int | None:
        """gid of a group's name; None when there is none."""
        found: int | None = self._host.ask("group", name)
        return found

    def names(self, what: str) -> list[str]:
        """Names of all "users" or "groups", for suggestions."""
        return list(self._host.ask("names", what))

    def limits(self) -> dict[str, Any]:
        """somaxconn, nproc, memory_bytes, ngroups_max, unprivileged_port; each None where it is not known."""
        found: dict[str, Any] = self._host.ask("limits")
        return found

    def addresses(self) -> list[str]:
        """IP addresses of the interfaces."""
        return list(self._host.ask("addresses"))

    def locales(self) -> list[str]:
        """Names of locales, as `locale -a` writes them; empty where they cannot be listed."""
        return list(self._host.ask("locales"))

    def path(self, path: str) -> str | None:
        """ "file", "directory" or "other"; HIDDEN where root may not look; None when there is nothing."""
        found: str | None = self._host.ask("path", path)
        return found

    def blocked(self, purpose: str, path: str, identity: Viewer | None) -> str | None:
        """What keeps an identity (None: who checks) from a purpose ("use", "read", "write"); None if nothing does."""
        found: str | None = self._host.ask("blocked", purpose, path, identity.key() if identity else "")
        return found

    def untrusted(self, path: str) -> str | None:
        """The component of a path that others than root could change; None if there is none."""
        found: str | None = self._host.ask("untrusted", path)
        return found

    def refused_line(self, file: str) -> tuple[str, str] | None:
        """What is wrong with a line of an environment file, and what helps; None: nothing, or it cannot be read."""
        found = self._host.ask("refused_line", file)
        return (str(found[0]), str(found[1])) if found else None

    def certificate(self, certificate: str, key: str, identity: Viewer | None) -> dict[str, Any]:
        """problem (text or None) with option, whose file it is about; else days_left, and expires_at for people."""
        identity_key = identity.key() if identity else ""
        found: dict[str, Any] = self._host.ask("certificate", certificate, key, identity_key)
        return found

    def lacks_acme(self) -> bool:
        """Whether the library that orders certificates is missing where the manager would look for it."""
        return bool(self._host.ask("lacks_acme"))

    def lacks_nginx(self) -> bool:
        """Whether nginx is missing where distributions put it."""
        return bool(self._host.ask("lacks_nginx"))

    def page(self, file: str, identity: Viewer | None) -> str | None:
        """What keeps a page from being read; None if nothing does."""
        found: str | None = self._host.ask("page", file, identity.key() if identity else "")
        return found

    def open_to_others(self, file: str) -> bool:
        """Whether any user could read a file of the configuration itself."""
        return bool(self._host.ask("open_to_others", file))

    def environment(self, python_home: str) -> dict[str, Any]:
        """error and hint where a python-home has no interpreter that could be used; else nothing."""
        found: dict[str, Any] = self._host.ask("environment", python_home)
        return found

    def interpreter(self, python_home: str) -> dict[str, Any]:
        """executable, kind, version and doubt (text or None), or error and hint. doubt: why root does not start it."""
        found: dict[str, Any] = self._host.ask("interpreter", python_home)
        return found

    def application(self, application: SoughtApplication) -> dict[str, Any]:
        """What the interpreter said of it, see `probe.py`: problem (None, "syntax", …) with message, line, names."""
        found: dict[str, Any] = self._host.ask("application", application.key())
        return found
