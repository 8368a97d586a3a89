"""Hears signals in the manager's event loop and loses none. Runs in the manager's only thread.

asyncio's own way (`add_signal_handler`) takes each signal from a byte in a socket. Some 280 bytes fill it, and what
comes then is lost, a SIGTERM too. Here what came is a set, and the socket only wakes the loop.
"""

from __future__ import annotations

import contextlib
import signal
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class HeardSignals:
    """Of one event loop; each kind of signal calls back once for all of its kind that came together."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._came: set[int] = set()
        self._wakes, self._woken = socket.socketpair()
        for end in (self._wakes, self._woken):
            end.setblocking(False)
        loop.add_reader(self._woken, self._wake)
        # a full socket has woken already (signal.set_wakeup_fd)
        signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)

    def listen(self, number: int, callback: Callable[[int], None]) -> None:
        """Call back in the event loop with the number of this signal, each time after it came."""
        self._callbacks[number] = callback
        signal.signal(number, self._note)
        signal.siginterrupt(number, False)

    def close(self) -> None:
        """Wake nobody any more; handlers stay in place, so that no signal ends the process by default."""
        self._loop.remove_reader(self._woken)
        signal.set_wakeup_fd(-1)
        self._wakes.close()
        self._woken.close()

    def _note(self, number: int, _frame: object) -> None:
        self._came.add(number)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            # bytes are numbers: Python's own handler may run a moment after the byte was written
            self._came.update(self._woken.recv(65536))
        while self._came:
            number = self._came.pop()
            if number in self._callbacks:
                self._callbacks[number](number)
