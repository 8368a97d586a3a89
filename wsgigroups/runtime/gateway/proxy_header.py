"""What a connection begins with when a proxy that speaks no HTTP says who connected to it: versions 1 and 2.

Sans-I/O; used by whoever owns the connection. The format is of "The PROXY protocol, Versions 1 & 2" by HAProxy
Technologies. Only peers that are trusted to send one are asked for it, and then it is obligatory: a receiver that takes
connections with and without lets every client forge its address (section 2 there).
"""

from __future__ import annotations

import ipaddress
import re
import struct
from typing import NamedTuple, Optional

MOST_BYTES = 4096  # of version 2, with what follows the addresses; nobody sends more
V1_BYTES = 107  # of version 1, with its CRLF
LOCAL, UNKNOWN, TCP4, TCP6, UNIX = "local", "unknown", "tcp4", "tcp6", "unix"

_V1 = b"PROXY "
_V2 = b"\r\n\r\n\0\r\nQUIT\n"
_V2_HEAD = struct.Struct("!12sBBH")
_INET, _INET6, _UNIX = struct.Struct("!4s4sHH"), struct.Struct("!16s16sHH"), struct.Struct("!108s108s")
_PORT = re.compile(r"0|[1-9][0-9]{0,4}")
_IPV4 = re.compile(r"(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]+")


class ProxyHeader(NamedTuple):
    """Who is connected to whom, as the proxy says."""

    end: int  # offset of the first byte of the client's
    # LOCAL: the proxy itself has connected, for example to see whether we are there. UNKNOWN: it does not tell. Then
    # the addresses are those of the connection. TCP4 and TCP6: IP addresses. UNIX: paths, and no ports.
    family: str
    source: str = ""
    source_port: int = 0
    destination: str = ""
    destination_port: int = 0

    @property
    def has_addresses(self) -> bool:
        """Whether source and destination are IP addresses, to be taken for those of the connection."""
        return self.family in (TCP4, TCP6)


def read(data: bytes) -> Optional[ProxyHeader]:
    """Return the header that these bytes begin with, None while it is not whole. Raises ValueError for what is none."""
    if data[:1] == b"\r":
        return _read_v2(data)
    if data.startswith(_V1):
        return _read_v1(data)
    if _V1.startswith(data):
        return None
    raise ValueError("the connection does not begin with a PROXY header")


def _read_v1(data: bytes) -> Optional[ProxyHeader]:
    end = data.find(b"\r\n", 0, V1_BYTES) + 2
    if end < 2:
        if len(data) >= V1_BYTES:
            raise ValueError("the PROXY header has more than %d bytes" % V1_BYTES)
        return None
    words = data[len(_V1) : end - 2].decode("latin-1").split(" ")
    if words[0] == "UNKNOWN":
        return ProxyHeader(end, UNKNOWN)  # what follows is to be ignored (section 2.1)
    family = {"TCP4": TCP4, "TCP6": TCP6}.get(words[0])
    if family is None or len(words) != 5:
        raise ValueError("the PROXY header is malformed")
    source, destination = _address(family, words[1]), _address(family, words[2])
    return ProxyHeader(end, family, source, _port(words[3]), destination, _port(words[4]))


def _address(family: str, text: str) -> str:
    pattern, kind = (_IPV4, ipaddress.IPv4Address) if family == TCP4 else (_IPV6, ipaddress.IPv6Address)
    try:
        if pattern.fullmatch(text) is not None:
            return str(kind(text))
    except ValueError:  # of four numbers, one is too large; and so on
        pass
    raise ValueError("the PROXY header has a malformed address")


def _port(text: str) -> int:
    if _PORT.fullmatch(text) is None or int(text) > 65535:
        raise ValueError("the PROXY header has a malformed port")
    return int(text)


def _read_v2(data: bytes) -> Optional[ProxyHeader]:
    if not data.startswith(_V2[: len(data)]):
        raise ValueError("the connection does not begin with a PROXY header")
    if len(data) < _V2_HEAD.size:
        return None
    _signature, version_and_command, family, size = _V2_HEAD.unpack_from(data)
    version, command = version_and_command >> 4, version_and_command & 15
    if version != 2 or command > 1:
        raise ValueError("the PROXY header has version %d and command %d" % (version, command))
    end = _V2_HEAD.size + size
    if end > MOST_BYTES:
        raise ValueError("the PROXY header has more than %d bytes" % MOST_BYTES)
    if len(data) < end:
        return None
    if command == 0:
        return ProxyHeader(end, LOCAL)
    return _addresses(end, family, data[_V2_HEAD.size : end])


def _addresses(end: int, family: int, data: bytes) -> ProxyHeader:
    """Read what follows the first 16 bytes; what is behind the addresses is skipped (section 2.2)."""
    kind, transport = family >> 4, family & 15
    if kind > 3 or transport > 2:
        raise ValueError("the PROXY header has the address family %#04x" % family)
    if not kind or not transport:
        return ProxyHeader(end, UNKNOWN)
    layout = (_INET, _INET6, _UNIX)[kind - 1]
    if len(data) < layout.size:
        raise ValueError("the PROXY header is too short for its addresses")
    if kind == 3:
        source, destination = layout.unpack_from(data)
        return ProxyHeader(end, UNIX, _path(source), 0, _path(destination), 0)
    source, destination, source_port, destination_port = layout.unpack_from(data)
    name, address = (TCP4, ipaddress.IPv4Address) if kind == 1 else (TCP6, ipaddress.IPv6Address)
    return ProxyHeader(end, name, str(address(source)), source_port, str(address(destination)), destination_port)


def _path(data: bytes) -> str:
    return data.rstrip(b"\0").decode("latin-1")
