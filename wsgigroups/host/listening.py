"""Which TCP addresses of this machine somebody listens on, as the kernel lists them (proc_net(5))."""

from __future__ import annotations

import socket
import struct

_LISTEN = "0A"  # TCP_LISTEN of the kernel's include/net/tcp_states.h
_MAXIMUM_BYTES = 8 * 1024 * 1024


def listening() -> set[tuple[str, int]]:
    """Return addresses and ports; those that can be read, where /proc is hidden or not there."""
    found = set()
    for name, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        try:
            with open(f"/proc/net/{name}", encoding="ascii") as file:
                lines = file.read(_MAXIMUM_BYTES).splitlines()[1:]
        except (OSError, UnicodeDecodeError):
            continue
        found |= {place for line in lines if (place := _place(line.split(), family))}
    return found


def _place(fields: list[str], family: socket.AddressFamily) -> tuple[str, int] | None:
    if len(fields) < 4 or fields[3] != _LISTEN:
        return None
    address, _colon, port = fields[1].partition(":")
    words = [int(address[at : at + 8], 16) for at in range(0, len(address), 8)]  # each in the machine's byte order
    return socket.inet_ntop(family, struct.pack(f"={len(words)}I", *words)), int(port, 16)
