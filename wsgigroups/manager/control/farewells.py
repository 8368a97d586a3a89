"""How visitors of the control socket leave: whatever they sent, the manager waits for nothing (runtime.wire.rights).

Runs in the manager's only thread.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys

from wsgigroups.runtime.wire.rights import is_free_of_rights

MAXIMUM_HELD = 256  # beyond that nobody is accepted until they are gone
_AFTER_S = 0.2  # those of a flood leave together: a process for each would be work for the asking
_MAXIMUM_CHILDREN = 4  # that do what takes no time; who is still there is in the kernel, and more would be there, too
_HOLD = "import os; os.read(0, 1)"


class Farewells:
    """Connections that are to be closed: those in which descriptors wait are held by a process that only exits."""

    def __init__(self) -> None:
        self._held: list[socket.socket] = []
        self._children: list[subprocess.Popen[bytes]] = []
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another one."""
        return len(self._held) >= MAXIMUM_HELD

    def let_go(self, sock: socket.socket) -> None:
        """Own a non-blocking connection, and close it."""
        if sock.fileno() == -1 or is_free_of_rights(sock):
            socket.socket.close(sock)
            return
        self._held.append(sock)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_AFTER_S, self.flush)

    def flush(self) -> None:
        """Have a process hold what is held until it is closed here, and exit."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._children = [child for child in self._children if child.poll() is None]
        if not self._held:
            return
        if len(self._children) >= _MAXIMUM_CHILDREN or not self._leave():
            self._timer = asyncio.get_running_loop().call_later(_AFTER_S, self.flush)

    def _leave(self) -> bool:
        try:
            wait, go = os.pipe()
        except OSError:
            return False
        try:
            child = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _HOLD],
                stdin=wait,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[sock.fileno() for sock in self._held],
                env={},
                cwd="/",
                start_new_session=True,
            )
        except OSError:
            return False
        else:
            self._children.append(child)
            for sock in self._held:
                socket.socket.close(sock)
            self._held.clear()
            return True
        finally:
            os.close(wait)
            os.close(go)

    def close(self) -> None:
        """Let all go; those who cannot leave otherwise leave with this process."""
        self.flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for child in self._children:
            child.wait()
