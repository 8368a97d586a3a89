"""Hears signals in the manager's event loop and loses none. Runs in the manager's only thread.

asyncio's own way (`add_signal_handler`) takes each signal from a byte in a socket. Some 280 bytes fill it, and what
comes then is lost, a SIGTERM too. Here what came is a set, and the socket only wakes the thread.
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
        self._told = self._closed = False  # whether the loop is to call back anyway
        self._wakes, self._woken = socket.socketpair()
        for end in (self._wakes, self._woken):
            end.setblocking(False)
        loop.add_reader(self._woken, self._awake)
        # a full socket has woken already (signal.set_wakeup_fd)
        signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)

    def listen(self, number: int, callback: Callable[[int], None]) -> None:
        """Call back in the event loop with the number of this signal, each time after it came."""
        self._callbacks[number] = callback
        signal.signal(number, self._note)
        signal.siginterrupt(number, False)

    def close(self) -> None:
        """Wake nobody any more; handlers stay in place, so that no signal ends the process by default."""
        self._closed = True
        self._loop.remove_reader(self._woken)
        signal.set_wakeup_fd(-1)
        self._wakes.close()
        self._woken.close()

    def _note(self, number: int, _frame: object) -> None:
        """Python calls it between two instructions of the main thread."""
        self._came.add(number)
        if not self._told and not self._closed:
            self._told = True
            self._loop.call_soon_threadsafe(self._call_back)

    def _awake(self) -> None:
        """Python has noted the signal before it wrote the byte, and calls `_note` as soon as this thread runs."""
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(65536)

    def _call_back(self) -> None:
        self._told = False
        while self._came:
            number = self._came.pop()
            self._callbacks[number](number)
