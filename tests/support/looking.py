"""The pause between two looks at a fact that nobody announces.

Runs in pytest's process. Whoever looks without a pause takes a processor from those whose fact is waited for: from the
manager that answers, from the daemons, and from the tests that run beside.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable

PAUSE_S = 0.01


def pause() -> None:
    """Leave the processor to others until it is time for the next look."""
    select.select([], [], [], PAUSE_S)


def wait(fact: Callable[[], object], what: Callable[[], str], hung_s: float = 40.0) -> None:
    """Wait until something is so, by looking. Raises TimeoutError with what `what` returns."""
    until = time.monotonic() + hung_s
    while not fact():
        if time.monotonic() > until:
            raise TimeoutError(what())
        pause()
