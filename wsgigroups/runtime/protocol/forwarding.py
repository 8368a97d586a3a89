"""What a trusted proxy says about the original request, applied to the environ; and who is trusted.

Pure; any thread. The fields of an untrusted peer never arrive here: `names.UNTRUSTED` drops them. Of a trusted one
only X-Forwarded-For, -Proto and -Host are applied; X-Request-Start and WSGIGROUPS_QUEUE_START tell when a request
began to wait. A value that is not well-formed is ignored, never repaired.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Dict, List, Optional, Sequence, Union

from .targets import AUTHORITY

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
UNIX = "unix"  # in trusted_proxies: peers on UNIX sockets
_ADDRESS_WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")
_MICROSECONDS = 16  # digits, from 2001 to 2286
_START = re.compile(r"(?:t=)?([0-9]{9,20})(\.[0-9]{1,9})?")


class Trust:
    """The networks of trusted proxies. Raises ValueError for an entry that is neither CIDR, address nor "unix".

    uids: the users that are trusted on UNIX sockets; none: whoever can connect.
    """

    def __init__(self, entries: Sequence[str], uids: Sequence[int] = ()) -> None:
        self.unix = UNIX in entries
        self._uids = frozenset(uids)
        self._networks: List[Network] = [
            ipaddress.ip_network(entry, strict=False) for entry in entries if entry != UNIX
        ]

    def __bool__(self) -> bool:
        return self.unix or bool(self._networks)

    def covers_user(self, uid: int) -> bool:
        """Tell whether a peer on a UNIX socket is a trusted proxy, by the user that it connected as."""
        return self.unix and (not self._uids or uid in self._uids)

    def covers(self, address: str) -> bool:
        """Tell whether an IP address, as text, belongs to a trusted proxy; IPv4-mapped IPv6 counts as IPv4."""
        if not self._networks:
            return False
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None)
        if mapped is not None:
            parsed = mapped
        return any(parsed.version == network.version and parsed in network for network in self._networks)


def apply(environ: Dict[str, Any], trust: Trust) -> None:
    """Set REMOTE_ADDR, wsgi.url_scheme and HTTP_HOST from the X-Forwarded fields of a trusted peer."""
    chain = environ.get("HTTP_X_FORWARDED_FOR")
    if chain is not None:
        client = client_of(chain, trust)
        if client is not None:
            environ["REMOTE_ADDR"] = client
            environ["REMOTE_PORT"] = "0"  # it is not known
    scheme = environ.get("HTTP_X_FORWARDED_PROTO")
    if scheme is not None:
        scheme = scheme.rpartition(",")[2].strip().lower()
        if scheme in ("http", "https"):
            environ["wsgi.url_scheme"] = environ["REQUEST_SCHEME"] = scheme
    host = environ.get("HTTP_X_FORWARDED_HOST")
    if host is not None:
        host = host.rpartition(",")[2].strip()
        if host and host[0] != ":" and AUTHORITY.fullmatch(host) is not None:
            environ["HTTP_HOST"] = host


def client_of(chain: str, trust: Trust) -> Optional[str]:
    """Return the right-most address of an X-Forwarded-For that is no trusted proxy, None if the chain is malformed.

    Everything left of it was said by somebody untrusted. A chain of trusted proxies alone gives its left-most one.
    """
    found: Optional[str] = None
    for part in reversed(chain.split(",")):
        item = part.strip(" \t")
        if not item:
            continue  # RFC 9110 section 5.6.1.2
        address = _address(item)
        if address is None:
            return found
        found = address
        if not trust.covers(address):
            return address
    return found


def _address(text: str) -> Optional[str]:
    match = _ADDRESS_WITH_PORT.fullmatch(text)
    if match is not None:
        text = match.group(1) or match.group(2)
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return None
    return text


def queue_start_s(environ: Dict[str, Any]) -> Optional[float]:
    """Return when a trusted gateway says the request arrived, in seconds since the epoch; None if it does not say.

    Accepts seconds ("t=1700000000.123", as nginx's $msec), milliseconds and microseconds ("t=1700000000123456").
    """
    text = environ.get("WSGIGROUPS_QUEUE_START") or environ.get("HTTP_WSGIGROUPS_QUEUE_START")
    text = text or environ.get("HTTP_X_REQUEST_START") or environ.get("HTTP_X_QUEUE_START")
    if text is not None and len(text) == _MICROSECONDS and text.isdecimal():  # as our own gateway says it
        return int(text) / 1e6
    match = _START.fullmatch(text) if text else None
    if match is None:
        return None
    value = float(match.group(1) + (match.group(2) or ""))
    while value > 1e11:  # year 5138 in seconds: it is milli- or microseconds
        value /= 1000.0
    return value


def queue_start_ns(environ: Dict[str, Any]) -> Optional[int]:
    """As `queue_start_s`, in nanoseconds."""
    text = environ.get("WSGIGROUPS_QUEUE_START")
    if text is not None and len(text) == _MICROSECONDS and text.isdecimal():  # as our own gateway says it
        return int(text) * 1000
    began_s = queue_start_s(environ)
    return None if began_s is None else int(began_s * 1e9)


def name_server(environ: Dict[str, Any]) -> None:
    """A UNIX socket has no name and port: take those that the client asked for, unless a gateway has said them."""
    if environ["SERVER_NAME"]:
        return
    host = environ.get("HTTP_HOST", "")
    name, colon, port = host.rpartition(":")
    if not colon or not port.isdecimal():
        name, port = host.rstrip(":"), "443" if environ.get("wsgi.url_scheme") == "https" else "80"
    if name:
        environ["SERVER_NAME"] = name
        environ["SERVER_PORT"] = port
    else:
        environ["SERVER_NAME"] = "localhost"
