"""sd_notify(3): datagrams to the socket that a service manager names in NOTIFY_SOCKET.

Runs in the manager's only thread, and never waits: a service manager that does not read stops nobody.
"""

from __future__ import annotations

import array
import contextlib
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping, Sequence

# for the main process of a service alone: neither spawners nor daemons nor helpers inherit them
VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


@dataclass(frozen=True, slots=True)
class Notifier:
    """Whom to tell. address: a path, with @ in front an abstract one, empty for nobody; watchdog_s: 0 without one."""

    address: str = ""
    watchdog_s: float = 0.0

    def send(self, lines: Sequence[str], fds: Sequence[int] = ()) -> bool:
        """Send the lines, VARIABLE=VALUE each, in one message with descriptors; return whether it was taken."""
        if not self.address:
            return True
        name = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        data = "\n".join(lines).encode(errors="replace")
        passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
                sock.sendmsg([data], passed, 0, name)
        except OSError:
            return False
        return True


def taken_from(environment: MutableMapping[str, str], log: Callable[[str, str], None]) -> Notifier:
    """Return whom the environment says to tell, and take that out of it. What cannot be used is logged, and ignored."""
    found = {name: environment.pop(name, "") for name in VARIABLES[:3]}
    address = found["NOTIFY_SOCKET"]
    if not address:
        return Notifier()
    if address[0] not in "/@" or len(os.fsencode(address)) > 107:
        log("warning", f"NOTIFY_SOCKET={address} is no socket that can be told anything")
        return Notifier()
    watchdog_us = 0
    if found["WATCHDOG_USEC"] and found["WATCHDOG_PID"] in ("", str(os.getpid())):
        with contextlib.suppress(ValueError):
            watchdog_us = int(found["WATCHDOG_USEC"])
        if watchdog_us <= 0:
            log("warning", f"WATCHDOG_USEC={found['WATCHDOG_USEC']} is no time")
    return Notifier(address, max(watchdog_us, 0) / 1e6)
