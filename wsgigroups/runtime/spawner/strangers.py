"""Letting go of connections that were refused, whatever waits in them.

Runs in the spawner's only thread, which must not wait for a close (wire.rights).
"""

from __future__ import annotations

import os
import socket
from typing import List

from ..wire.rights import is_free_of_rights

MAXIMUM_HELD = 64  # beyond that nobody else is accepted


class RefusedConnections:
    """Connections on their way out: those in which descriptors wait are closed by a child that only exits."""

    def __init__(self) -> None:
        self._held: List[socket.socket] = []

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another one."""
        return len(self._held) >= MAXIMUM_HELD

    def let_go(self, sock: socket.socket) -> None:
        """Own a non-blocking connection that was refused, and close it."""
        if is_free_of_rights(sock):
            sock.close()
            return
        self._held.append(sock)
        self.flush()

    def flush(self) -> None:
        """Have a child hold what is held until it is closed here, then exit; the loop reaps it."""
        if not self._held:
            return
        try:
            wait, go = os.pipe2(os.O_CLOEXEC)
        except OSError:  # no descriptor is left: again with the next one
            return
        try:
            pid = os.fork()
        except OSError:
            os.close(wait)
            os.close(go)
            return
        if pid == 0:
            os.close(go)
            os.read(wait, 1)
            os._exit(0)
        os.close(wait)
        for sock in self._held:
            sock.close()
        self._held.clear()
        os.close(go)
