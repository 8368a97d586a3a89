"""From the name of a header field to the key of the environ, or to nothing where it must not arrive.

Pure tables for protocol code of any thread. A field is dropped when its name could be mistaken for another one in the
environ ("X_Foo" and "X-Foo", RFC 3875 section 4.1.18), when it can steer code that trusts it blindly ("Proxy", known
as httpoxy, CVE-2016-5388), and, unless the peer is a trusted proxy, when it claims what only a gateway may say.
"""

from __future__ import annotations

import re
from typing import Dict

from .errors import ProtocolError

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 section 5.6.2
_PLAIN = re.compile(r"[A-Za-z0-9-]+")
_REMEMBERED = 512  # names kept in a table; a full one is emptied
_LONGEST = 64  # characters of a name that is kept

# What gateways say about the client, the original request or an authenticated user.
FORWARDING = frozenset(
    (
        "HTTP_CF_CONNECTING_IP",
        "HTTP_CLIENT_IP",
        "HTTP_FORWARDED",
        "HTTP_FRONT_END_HTTPS",
        "HTTP_FASTLY_CLIENT_IP",
        "HTTP_HTTPS",
        "HTTP_REMOTE_ADDR",
        "HTTP_REMOTE_USER",
        "HTTP_SCRIPT_NAME",
        "HTTP_TRUE_CLIENT_IP",
        "HTTP_WSGIGROUPS_QUEUE_START",
        "HTTP_X_CLIENT_IP",
        "HTTP_X_CLUSTER_CLIENT_IP",
        "HTTP_X_HTTPS",
        "HTTP_X_ORIGINAL_URL",
        "HTTP_X_QUEUE_START",
        "HTTP_X_REAL_IP",
        "HTTP_X_REMOTE_ADDR",
        "HTTP_X_REMOTE_USER",
        "HTTP_X_REQUEST_START",
        "HTTP_X_REWRITE_URL",
        "HTTP_X_SCHEME",
        "HTTP_X_SCRIPT_NAME",
        "HTTP_X_URL_SCHEME",
    )
)
_FORWARDING_PREFIXES = ("HTTP_X_FORWARDED_", "HTTP_X_ORIGINAL_", "HTTP_X_SSL_", "HTTP_SSL_")
_NEVER = frozenset(("HTTP_PROXY",))
_UNPREFIXED = {"HTTP_CONTENT_TYPE": "CONTENT_TYPE", "HTTP_CONTENT_LENGTH": "CONTENT_LENGTH"}


def is_token(name: str) -> bool:
    """Tell whether this may be the name of a field (RFC 9110 section 5.1)."""
    return _TOKEN.fullmatch(name) is not None


def is_forwarding(key: str) -> bool:
    """Tell whether only a trusted proxy may set this key of the environ."""
    return key in FORWARDING or key.startswith(_FORWARDING_PREFIXES) or key == "HTTP_X_FORWARDED"


class Keys:
    """Name of a field → key of the environ.

    `table` is filled as names come. Two threads may compute the same entry; they store the same value.
    """

    __slots__ = ("table", "trusted")

    def __init__(self, trusted: bool) -> None:
        self.trusted = trusted
        self.table: Dict[str, str] = {}  # as sent → key, "" for a field that is dropped

    def of(self, name: str) -> str:
        """Return the key, "" for a field that is dropped. Raises ProtocolError(400)."""
        key = self.table.get(name)
        if key is not None:
            return key
        if not is_token(name):
            raise ProtocolError(400, "a field name is no token")
        key = self._key(name)
        if len(name) <= _LONGEST:
            if len(self.table) >= _REMEMBERED:
                self.table.clear()
            self.table[name] = key
        return key

    def _key(self, name: str) -> str:
        if _PLAIN.fullmatch(name) is None:
            return ""
        key = "HTTP_" + name.upper().replace("-", "_")
        if key in _NEVER or (not self.trusted and is_forwarding(key)):
            return ""
        return _UNPREFIXED.get(key, key)


UNTRUSTED = Keys(trusted=False)
TRUSTED = Keys(trusted=True)
