"""How a crew goes about its calls: inline, or eager. Pure.

*Inline*, the leader calls the application itself, and somebody else leads when a call outlasts a tick. *Eager*,
leaders hand over before they call, since calls wait for something. While calls are *brief*, answers of one round leave
together.

Written by the monitor and by request threads; a lost update moves a switch by a few requests.
"""

from __future__ import annotations

TICK_S = 0.005  # a call that outlasts one to two ticks costs the caller its leadership
INLINE_NS = 3_000_000  # a call that took less could have been inline
INLINE_ROW = 200  # after so many in a row they are
BRIEF_NS = 300_000
BRIEF_ROW = 100  # calls in a row that took less make calls brief


class Pace:
    """The mode, and what it is decided by."""

    __slots__ = ("_brief_row", "_inline_row", "brief", "eager")

    def __init__(self) -> None:
        self.eager = False
        self.brief = False
        self._inline_row = self._brief_row = 0

    def led(self, took_ns: int) -> None:
        """Take note of an inline call; not of a brief one while calls are."""
        if took_ns >= BRIEF_NS:
            self._brief_row = 0
            self.brief = False
        elif not self.brief:
            self._brief_row += 1
            self.brief = self._brief_row >= BRIEF_ROW

    def followed(self, took_ns: int) -> None:
        """Take note of a call that ended while somebody else led."""
        if took_ns >= INLINE_NS:
            self._inline_row = 0
        else:
            self._inline_row += 1
            if self._inline_row == INLINE_ROW:
                self.eager = False

    def overran(self) -> None:
        """Take note of a call that lost the lead."""
        self._inline_row = self._brief_row = 0
        self.brief = False
        self.eager = True
