"""Listening addresses: `HOST:PORT`, `[IPv6]:PORT` and `unix:/path`. Pure."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from functools import lru_cache

MAXIMUM_SOCKET_PATH_BYTES = 107  # sun_path without its final NUL, unix(7)

_PORT = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Address:
    """One address. host and port belong to kind "tcp", path to "unix"."""

    kind: str
    host: str | None = None
    port: int | None = None
    path: str | None = None

    def __str__(self) -> str:
        """Return the canonical text, which `parse` reads back."""
        if self.kind == "unix":
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in (self.host or "") else f"{self.host}:{self.port}"

    @property
    def is_wildcard(self) -> bool:
        """Whether it takes every address of its family."""
        return self.kind == "tcp" and _is_unspecified(self.host or "")

    def overlaps(self, other: Address) -> bool:
        """Whether both cannot be bound at the same time."""
        if self == other:
            return True
        if self.kind != "tcp" or other.kind != "tcp" or self.port != other.port:
            return False
        same_family = (":" in (self.host or "")) == (":" in (other.host or ""))
        return same_family and (self.is_wildcard or other.is_wildcard)


_REMEMBERED = 1024  # ten thousand sites may have a few addresses between them


@lru_cache(_REMEMBERED)
def _is_unspecified(host: str) -> bool:
    return ipaddress.ip_address(host).is_unspecified


@lru_cache(_REMEMBERED)
def parse(text: str) -> Address:
    """Return the address. Raises ValueError with a sentence that names what is wrong."""
    if text.startswith("unix:"):
        return _parse_unix(text[len("unix:") :])
    host, colon, port_text = text.rpartition(":")
    if not colon or not host:
        raise ValueError(f"{_short(text)} has no host and port, write 127.0.0.1:8000 or unix:/run/name.sock")
    if not _PORT.fullmatch(port_text) or not 1 <= int(port_text) <= 65535:
        raise ValueError(f"{_short(port_text)} is no port, ports go from 1 to 65535")
    if host == "localhost":
        host = "127.0.0.1"
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        ip = ipaddress.ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        raise ValueError(
            f"{_short(host)} is no IP address; a name could stand for several, write 127.0.0.1, 0.0.0.0 or [::]"
        ) from None
    if isinstance(ip, ipaddress.IPv6Address) != bracketed:
        raise ValueError(f"{_short(text)}: an IPv6 address stands in brackets, [::1]:8000, an IPv4 address without")
    if isinstance(ip, ipaddress.IPv6Address) and ip.scope_id:
        raise ValueError(f"{_short(text)}: an address with a scope cannot be listened on")
    return Address("tcp", str(ip), int(port_text))


def _parse_unix(path: str) -> Address:
    if path.startswith("@"):
        raise ValueError(
            f"{_short('unix:' + path)} would be an abstract socket, which has no owner and no mode: every user of the "
            "machine can connect to it, or take its name first; write unix:/run/name.sock"
        )
    if not path.startswith("/"):
        raise ValueError(f"the socket path {_short(path)} is not absolute, write unix:/run/name.sock")
    if "\0" in path:
        raise ValueError("a socket path cannot hold a NUL character")
    length = len(os.fsencode(path))
    if length > MAXIMUM_SOCKET_PATH_BYTES:
        raise ValueError(
            f"the socket path has {length} bytes, the system takes at most {MAXIMUM_SOCKET_PATH_BYTES} (unix(7))"
        )
    if path.endswith(("/", "/..")) or "/../" in path:
        raise ValueError(f"{_short(path)} does not name a file plainly, leave out '..' and a final '/'")
    return Address("unix", path=os.path.normpath(path))


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "…")
