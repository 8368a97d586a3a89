"""How much of something passes in a time: messages of a tenant, lines of a log. Pure; times are the caller's."""

from __future__ import annotations

from typing import Tuple


class Bucket:
    """A token bucket: `burst` at once, `per_s` more each second."""

    def __init__(self, burst: float, per_s: float, now_s: float) -> None:
        self._burst = burst
        self._per_s = per_s
        self._left = burst
        self._at_s = now_s

    def take(self, cost: float, now_s: float) -> bool:
        """Whether so much is left; then it is taken."""
        self._left = min(self._burst, self._left + max(0.0, now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if cost > self._left:
            return False
        self._left -= cost
        return True


class Quota:
    """So many in each second; the others are counted."""

    def __init__(self, per_s: int) -> None:
        self._per_s = per_s
        self._second = -1
        self._passed = 0
        self._left_out = 0

    def ask(self, now_s: float) -> Tuple[bool, int]:
        """Whether this one passes, and how many did not since one last did; told once."""
        if int(now_s) != self._second:
            self._second, self._passed = int(now_s), 0
        if self._passed >= self._per_s:
            self._left_out += 1
            return False, 0
        self._passed += 1
        left_out, self._left_out = self._left_out, 0
        return True, left_out
