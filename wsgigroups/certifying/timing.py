"""When a certificate is ordered: renewal, pauses after failures, and no more orders than authorities allow. Pure.

Times are seconds since the epoch, because they outlive a manager. Fractions (0 … 1) stand for chance: many certificates
of one day are not renewed in one moment.

The limits kept to are those of Let's Encrypt: for an account 300 orders in 3 hours, and 5 proofs of a name that fail in
an hour; for the same names 5 certificates in 7 days.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

RENEWED_AT, SPREAD = 2 / 3, 0.05  # parts of a life: at two thirds, half of the spread earlier or later
FIRST_PAUSE_S, LONGEST_PAUSE_S = 15 * 60.0, 24 * 3600.0
PAUSE_SPREAD = 0.2  # from nine to eleven tenths of a pause
SPOILED_PAUSE_S = 34 * 3600.0  # five of them are 170 hours, and seven days are 168
LONGEST_RETRY_AFTER_S = 7 * 24 * 3600.0  # no authority asks for more, and a broken one shall not stop us for ever
WINDOW_S, MOST_IN_WINDOW = 3 * 3600.0, 250  # orders of one account; 300 are allowed
CUT_SHORT = "the manager ended before it was done"


@dataclass(frozen=True, slots=True)
class Attempts:
    """What came of the orders of one certificate since the last one that was made."""

    failures: int = 0
    next_at: float = 0.0  # not before
    error: str = ""  # of the last one; "": none has failed


def renewal_at(begins: float, ends: float, fraction: float) -> float:
    """Return when a certificate with this validity is to be renewed."""
    return begins + (ends - begins) * (RENEWED_AT + SPREAD * (fraction - 0.5))


def fraction_of(name: str) -> float:
    """Return a fraction that is the same for one certificate always, and another for each."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") / 2**48


def pause_s(failures: int, fraction: float) -> float:
    """Return how long to wait after so many failures in a row, 1 or more.

    A quarter of an hour, then twice as long each time, to a day. Failures are at 0, 13.5, 40.5 and 94.5 minutes at the
    earliest: three in an hour, where five are allowed.
    """
    pause: float = min(FIRST_PAUSE_S * 2 ** min(failures - 1, 20), LONGEST_PAUSE_S)
    return pause * (1 + PAUSE_SPREAD * (fraction - 0.5))


def begun(attempts: Attempts, now: float, fraction: float) -> Attempts:
    """Return what is stored before an order: a failure, as it is one for whoever finds it after a death."""
    failures = attempts.failures + 1
    return Attempts(failures, now + pause_s(failures, fraction), CUT_SHORT)


def failed(
    attempts: Attempts, now: float, why: str, retry_after_s: float | None = None, *, spoiled: bool = False
) -> Attempts:
    """Return what is stored of an order that was begun and came to nothing.

    retry_after_s: what the authority asks for. spoiled: it has made a certificate, which cannot be used.
    """
    wait_s = min(retry_after_s or 0.0, LONGEST_RETRY_AFTER_S)
    if spoiled:
        wait_s = max(wait_s, SPOILED_PAUSE_S)
    return replace(attempts, next_at=max(attempts.next_at, now + wait_s), error=why)


def recent(orders: Sequence[float], now: float) -> tuple[float, ...]:
    """Return the orders of the window that ends now; those of the future are of a clock that was wrong."""
    return tuple(at for at in orders if now - WINDOW_S < at <= now)


def free_at(orders: Sequence[float], now: float) -> float:
    """Return when one more order may be made; orders: when those before were, in order."""
    inside = recent(orders, now)
    return now if len(inside) < MOST_IN_WINDOW else inside[-MOST_IN_WINDOW] + WINDOW_S
