"""How long the manager did not run at all: stopped by a signal, frozen, its machine suspended, or without a processor.

A thread of its own, which touches nothing else, because the event loop cannot tell: it comes late, too, when somebody
keeps it busy, and who can do that must not thereby postpone the deadlines of everybody.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from wsgigroups.lifecycle.watch import absence_s
from wsgigroups.manager import early_signals

if TYPE_CHECKING:
    from collections.abc import Callable

PERIOD_S = 0.5


class Heartbeat:
    """Beats until the process ends or `stop`; counts the time between two beats in which the process was not there."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, processor_clock: Callable[[], float] = time.process_time
    ) -> None:
        self._clock = clock
        self._processor_clock = processor_clock
        self._lock = threading.Lock()
        self._missed_s = 0.0
        self._beaten_s = clock(), processor_clock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Beat no more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def missed_s(self) -> float:
        """Seconds for which the process did not run, since this was last asked."""
        # asked by whoever runs again before the thread does
        self.beat()
        with self._lock:
            missed_s, self._missed_s = self._missed_s, 0.0
        return missed_s

    def beat(self) -> None:
        """Compare with the last beat."""
        with self._lock:
            now_s, used_s = self._clock(), self._processor_clock()
            elapsed_s, busy_s = now_s - self._beaten_s[0], used_s - self._beaten_s[1]
            self._beaten_s = now_s, used_s
            self._missed_s += absence_s(elapsed_s, PERIOD_S, busy_s)

    def _run(self) -> None:
        early_signals.block()  # signals are the main thread's, or wait for it
        while not self._stopped.wait(PERIOD_S):
            self.beat()
