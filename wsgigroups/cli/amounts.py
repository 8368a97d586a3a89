"""Numbers for people, in the few characters of a column. Pure."""

from __future__ import annotations

from datetime import datetime, timezone

NOTHING = "–"  # of what is not known


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: 1 process, 2 processes."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """Two units at most: 4.2s, 3m12s, 5h07m, 12d04h."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}h{minutes:02d}m"
    return f"{hours // 24}d{hours % 24:02d}h"


def ago(moment: str, now: float) -> str:
    """How long it is since a time of the control API, one unit: "5 min ago". now: seconds since the epoch."""
    try:
        then = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    except ValueError:
        return ""
    seconds = max(0.0, now - (then if then.tzinfo else then.replace(tzinfo=timezone.utc)).timestamp())
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= (2 * length if unit == "d" else length):
            return f"{seconds // length:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def memory(size_bytes: int) -> str:
    """At most five characters: 134M, 12.5G; – for nothing."""
    if not size_bytes:
        return NOTHING
    megabytes = size_bytes / 2**20
    if megabytes < 999.5:
        return f"{megabytes:.0f}M" if megabytes >= 9.95 else f"{megabytes:.1f}M"
    return f"{megabytes / 1024:.1f}G" if megabytes < 99.95 * 1024 else f"{megabytes / 1024:.0f}G"


def latency(seconds: float | None) -> str:
    """At most six characters: <1 ms, 41 ms, 2.4 s, >10 s; – for what is not known."""
    if seconds is None:
        return NOTHING
    if seconds < 0.001:
        return "<1 ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 9.95 else ">10 s"


def rate(per_s: float | None) -> str:
    """At most five characters: 2.5, 212, 12.3k; – for what is not known."""
    if per_s is None:
        return NOTHING
    if per_s >= 9999.5:
        return f"{per_s / 1000:.1f}k" if per_s < 999_950 else f"{per_s / 1e6:.1f}M"
    return f"{per_s:.1f}" if 0 < per_s < 9.95 else f"{per_s:.0f}"
