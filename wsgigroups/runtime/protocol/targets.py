"""The request target in its four forms (RFC 9112 section 3.2), taken apart for the environ.

Pure; any thread.
"""

from __future__ import annotations

import re
from typing import Tuple
from urllib.parse import unquote_to_bytes

from .errors import ProtocolError

# RFC 3986 sections 3.2.2 and 3.2.3; no userinfo: RFC 9110 section 4.2.4 tells servers to distrust it.
AUTHORITY = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]{0,5})?")
_ABSOLUTE = re.compile(r"([Hh][Tt][Tt][Pp][Ss]?)://([^/?#]+)(.*)")


def decode_path(path: str) -> str:
    """Undo percent-encoding; the result is bytes decoded as Latin-1, as PEP 3333 wants (section "Unicode Issues")."""
    return unquote_to_bytes(path).decode("latin-1") if "%" in path else path


def split_target(method: str, target: str) -> Tuple[str, str, str]:
    """Return path (still encoded), query and authority ("" in origin form). Raises ProtocolError.

    The path of `OPTIONS *` is "*": it asks the server, not an application. CONNECT has none either that one could be
    asked for (PEP 3333 wants PATH_INFO to begin with a slash), and is refused.
    """
    if "#" in target:
        raise ProtocolError(400, "the request target has a fragment")
    authority = ""
    if target[0] != "/":
        if method == "CONNECT":
            raise ProtocolError(501, "CONNECT is not supported")
        if target == "*" and method == "OPTIONS":
            return target, "", ""
        match = _ABSOLUTE.fullmatch(target)
        if match is None:
            raise ProtocolError(400, "the request target has none of the forms of RFC 9112")
        authority, target = match.group(2), match.group(3)
        if AUTHORITY.fullmatch(authority) is None or authority[0] == ":":
            raise ProtocolError(400, "the authority of the request target is malformed")
        if not target.startswith("/"):
            target = "/" + target
    elif method == "CONNECT":
        raise ProtocolError(400, "CONNECT needs an authority")
    path, _, query = target.partition("?")
    return path, query, authority
