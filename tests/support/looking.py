"""The pause between two looks at a fact that nobody announces.

Runs in pytest's process. Whoever looks without a pause takes a processor from those whose fact is waited for: from the
manager that answers, from the daemons, and from the tests that run beside.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")

PAUSE_S = 0.01
LONGEST_S = 0.05
_PART = 0.1  # of the time that it has been waited for already: what took long need not be seen at once


def pause() -> None:
    """Leave the processor to others until it is time for the next look."""
    select.select([], [], [], PAUSE_S)


def wait(fact: Callable[[], _T], what: Callable[[], str], hung_s: float = 40.0) -> _T:
    """Wait until something is so, by looking ever less often; return what was seen.

    Raises TimeoutError with what `what` returns.
    """
    began = time.monotonic()
    while not (seen := fact()):
        waited_s = time.monotonic() - began
        if waited_s > hung_s:
            raise TimeoutError(what())
        select.select([], [], [], min(max(PAUSE_S, waited_s * _PART), LONGEST_S))
    return seen
