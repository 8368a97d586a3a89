"""What the descriptors of a process lead to, in words that are the same in every run.

Runs in pytest's process; needs the right to look at the other (root, or the same user).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

_LISTENING = "0A"  # TCP_LISTEN in /proc/net/tcp (proc(5))


def described(pid: int) -> list[str]:
    """Return one text per descriptor, sorted: `listener PORT`, `unix socket`, `tcp socket`, `pipe`, a path …

    The two ends of a pipe are two descriptors. A memory page is named by what it was made for.
    """
    found = []
    tcp, unix = _tcp(pid), _unix(pid)
    for name in os.listdir(f"/proc/{pid}/fd"):
        target = os.readlink(f"/proc/{pid}/fd/{name}")
        kind, _, inode = target.partition(":[")
        if kind == "socket":
            number = int(inode.rstrip("]"))
            target = tcp.get(number) or unix.get(number) or "socket of another kind"
        elif kind == "pipe":
            target = "pipe"
        elif target.startswith("/memfd:"):
            target = "memory " + target[len("/memfd:") :].replace(" (deleted)", "")
        found.append(f"{name} {target}" if int(name) <= 2 else target)
    return sorted(found)


def _tcp(pid: int) -> dict[int, str]:
    """Inode → what it is, for the TCP sockets of the process's network namespace."""
    found = {}
    for file in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{file}").read_text().splitlines()[1:]:
            fields = line.split()
            port = int(fields[1].rpartition(":")[2], 16)
            found[int(fields[9])] = f"listener {port}" if fields[3] == _LISTENING else "tcp socket"
    return found


def _unix(pid: int) -> dict[int, str]:
    found = {}
    for line in Path(f"/proc/{pid}/net/unix").read_text().splitlines()[1:]:
        match = re.match(r"\S+ \S+ \S+ \S+ \S+ \S+ +(\d+) ?(.*)", line)
        if match:
            found[int(match[1])] = f"unix socket {match[2]}".rstrip()
    return found
