"""How long to wait before the next life: nothing after long health, then ever longer up to half a minute.

The wait spaces the starts of what keeps dying. A life that served for as long as it would have to wait has spaced them
already, so its successor follows at once: a daemon that somebody kills now and then is not a crash loop.

Pure. The jitter comes from the life's number, so that a replay gives the same delays and neighbours still spread.
"""

from __future__ import annotations

DELAYS_S = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
JITTER = 0.2
HEALTHY_S = 60.0  # ready for this long: what came before is forgiven


def delay_s(failures: int, life: int, healthy_s: float = 0.0) -> float:
    """Seconds to wait after this many failures in a row (≥ 1), ±20 %, less those for which the life was ready."""
    base = DELAYS_S[min(max(failures, 1), len(DELAYS_S)) - 1]
    # Knuth's multiplicative hash spreads consecutive lives evenly over [0, 1)
    fraction = (life * 2654435761 % 2**32) / 2**32
    return max(0.0, base * (1 - JITTER + 2 * JITTER * fraction) - healthy_s)
