"""Who may look: links that open one session each, and sessions with two secrets.

Browsers send cookies to every port of a host (RFC 6265 section 8.5), so to each application that listens on the
loopback interface, too. So a session has a cookie, which scripts cannot read, and a key, which the page alone has and
sends in a header field: the one is of no use without the other. Only digests are kept.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LINK_S = 600.0  # for which a link that was asked for can be used
IDLE_S = 12 * 3600.0  # after which a session ends that nobody used
LINKS, SESSIONS = 16, 32  # the oldest gives way
_BYTES = 32


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """The secrets of a new session, which only the browser has from here on."""

    cookie_name: str
    cookie: str
    key: str


@dataclass(slots=True)
class _Kept:
    cookie_name: str
    cookie: bytes
    used_at: float


@dataclass(slots=True)
class Sessions:
    """Of one server, in memory: they end with it. clock: monotonic seconds."""

    clock: Callable[[], float] = time.monotonic
    _links: dict[bytes, float] = field(default_factory=dict)  # digest → until when
    _open: dict[bytes, _Kept] = field(default_factory=dict)  # by the digest of the key, the latest used last

    def link(self, lasting_s: float = LINK_S) -> str:
        """Return a token that opens one session."""
        token = _secret()
        while len(self._links) >= LINKS:
            del self._links[next(iter(self._links))]
        self._links[_digest(token)] = self.clock() + lasting_s
        return token

    def open(self, token: str) -> OpenedSession | None:
        """Use a token up; None: it is none, was used, or is too old."""
        until = self._links.pop(_digest(token), None)
        if until is None or self.clock() > until:
            return None
        # a name of its own: a browser may have several sessions, in several tabs and of several servers
        opened = OpenedSession(f"wsgigroups-{secrets.token_hex(8)}", _secret(), _secret())
        while len(self._open) >= SESSIONS:
            del self._open[next(iter(self._open))]
        self._open[_digest(opened.key)] = _Kept(opened.cookie_name, _digest(opened.cookie), self.clock())
        return opened

    def known(self, cookies: Mapping[str, str], key: str) -> str | None:
        """Return the name of the cookie, if there is a session with this key and one of these cookies."""
        name = _digest(key)
        kept = self._open.get(name)
        if kept is None or not hmac.compare_digest(kept.cookie, _digest(cookies.get(kept.cookie_name, ""))):
            return None
        del self._open[name]
        if self.clock() - kept.used_at > IDLE_S:
            return None
        kept.used_at = self.clock()
        self._open[name] = kept
        return kept.cookie_name

    def close(self, key: str) -> None:
        """End a session."""
        self._open.pop(_digest(key), None)

    def end_all(self) -> None:
        """End all sessions, and use up all links."""
        self._links.clear()
        self._open.clear()


def _secret() -> str:
    return secrets.token_urlsafe(_BYTES)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
