"""Memory that a plan or a start took, given back to the system.

To read a configuration takes far more memory than what is kept of it. glibc keeps what is free for the next time, and a
manager may have none for months. Runs in the manager's only thread, in the second after.
"""

from __future__ import annotations

import ctypes
import gc
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def trim() -> None:
    """Give back what malloc(3) has free, where the C library can (malloc_trim(3), of glibc).

    What is new and in cycles is freed first: a manager that does nothing comes to that late.
    """
    gc.collect(1)
    found = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if found is not None:
        found(0)


AGAIN = 5  # looks later: what a change leaves to be stored and looked at takes memory once more


@dataclass(slots=True)
class GivingBack:
    """give: what gives it back."""

    give: Callable[[], None] = trim
    _looks: int = field(default=0)  # until there is nothing more to give; 0: nothing was taken

    def took(self) -> None:
        """Much was taken, and most of it is free by now or soon."""
        self._looks = AGAIN + 1

    def look(self, *, busy: bool) -> None:
        """Give back what was taken: at once, and again a few looks later. busy: more will be taken at once."""
        if busy or not self._looks:
            return
        self._looks -= 1
        if self._looks in (0, AGAIN):
            self.give()
