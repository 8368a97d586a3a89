"""Heads with which several connections began, and what they were parsed to.

Clients that connect for each request, gateways and health checks above all, send the same head again and again. What
bytes mean is a function of the bytes, so equal ones need not be parsed again; as heads.Memory, but across connections.
Kept is only what has come twice, is short, has no body, and no secret: a cookie or credentials stay with their request.

Used by whichever thread owns the connection: each look-up and each store is one operation on a table.
"""

from __future__ import annotations

from typing import Dict, Optional, Set, Tuple

from .heads import Environ, Head

BYTES = 1024  # of one head
HEADS = 256  # kept at most; a full table is emptied
_SEEN = 4096
_SECRETS = ("HTTP_COOKIE", "HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION")


class Openings:
    """For connections whose fields mean the same: of one engine and one degree of trust."""

    __slots__ = ("_known", "_seen")

    def __init__(self) -> None:
        self._known: Dict[bytes, Tuple[Head, Environ]] = {}  # head → what it was parsed to, what it adds to an environ
        self._seen: Set[int] = set()  # hashes of heads that came once

    def find(self, data: bytes, base: Environ) -> Optional[Head]:
        """Return what `heads.parse` would, or None."""
        known = self._known.get(data)
        if known is None:
            return None
        first, added = known
        environ = base.copy()
        environ.update(added)
        head = Head(first.method, first.target, environ, first.is_http_1_1)
        head.keep_alive, head.ordinary = first.keep_alive, first.ordinary
        return head

    def learn(self, data: bytes, base: Environ, head: Head) -> None:
        """Take note of what bytes have been parsed to, before an application has seen the environ."""
        if len(data) > BYTES or head.length or head.chunked or head.expects:
            return
        mark = hash(data)
        if mark not in self._seen:
            if len(self._seen) >= _SEEN:
                self._seen = set()
            self._seen.add(mark)
            return
        environ = head.environ
        if any(name in environ for name in _SECRETS):
            return
        if len(self._known) >= HEADS:
            self._known = {}
        added = {key: value for key, value in environ.items() if base.get(key) is not value}
        kept = Head(head.method, head.target, {}, head.is_http_1_1)
        kept.keep_alive, kept.ordinary = head.keep_alive, head.ordinary
        self._known[data] = kept, added
