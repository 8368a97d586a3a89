"""Durations and sizes: text to numbers and back. Pure.

Units are written after numbers, largest first, each at most once: `1h30m`, `250ms`, `1.5s`, `512K`, `1GiB`. What is
not understood is an error; nothing is cut off or rounded silently.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

MAXIMUM_DURATION_S = 10.0**9  # about 31 years
MAXIMUM_SIZE_BYTES = 2**62

_DURATION_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
# one part for each unit, in this order; the empty text is refused by its length (no look-around: engines differ)
DURATION_PATTERN = rf"^(?:{_NUMBER}|(?:{_NUMBER}d)?(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?(?:{_NUMBER}ms)?)$"
BYTES_PATTERN = rf"^{_NUMBER}(?:[KMGT](?:iB)?|B)?$"
_PART = re.compile(rf"({_NUMBER})(ms|[dhms])")
_SIZE = {"": 1, "B": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


def parse_duration(value: float | str) -> float:
    """Return seconds. A number is seconds; text is `90s`, `5m`, `1h30m`, `250ms`. Raises ValueError with a sentence."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError('a duration is a number of seconds or text such as "90s"')  # noqa: TRY004  (a value)
    if isinstance(value, str):
        text = value.strip()
        if not 1 <= len(text) <= 64 or not text.isascii() or not re.match(DURATION_PATTERN, text):
            raise ValueError(f"cannot read {_short(value)} as a duration")
        if text[-1].isdigit():
            seconds = float(Decimal(text))
        else:
            total_ms = sum(Decimal(number) * _DURATION_MS[unit] for number, unit in _PART.findall(text))
            seconds = float(total_ms / 1000)
    else:
        seconds = _finite(value)
    if math.isnan(seconds) or seconds < 0:
        raise ValueError("a duration cannot be negative")
    if seconds > MAXIMUM_DURATION_S:
        raise ValueError("a duration cannot be longer than 1000000000 seconds")
    return seconds


_WORDS = {
    **dict.fromkeys(("ms", "msec", "msecs", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
}
_SPOKEN = re.compile(rf"({_NUMBER})\s*([A-Za-z]+)[\s,]*")


def meant_duration(text: str) -> str | None:
    """What stands for a duration that is written in another way, `15 s` or `1 hour`; None where that is not certain."""
    found = _SPOKEN.findall(text[:64])
    if "".join(number + word for number, word in found) != re.sub(r"[\s,]", "", text):
        return None
    parts = [(number, _WORDS.get(word if len(word) == 1 else word.lower())) for number, word in found]
    meant = "".join(f"{number}{unit}" for number, unit in parts)
    return meant if meant and None not in dict(parts).values() and re.fullmatch(DURATION_PATTERN, meant) else None


def meant_bytes(text: str) -> str | None:
    """The same of a size: `300 MB`, `2 GiB`, `512kb`."""
    found = re.fullmatch(rf"\s*({_NUMBER})\s*([kKmMgGtT])(?:i?[bB]?|i?[bB]ytes?)\s*", text[:64])
    return f"{found[1]}{found[2].upper()}" if found else None


def format_duration(seconds: float) -> str:
    """Return text that `parse_duration` reads back as the same number: `1h30m`, `250ms`, `0s`."""
    exact_ms = Decimal(repr(float(seconds))) * 1000
    if exact_ms != exact_ms.to_integral_value():
        return f"{Decimal(repr(float(seconds))):f}s"
    left_ms = int(exact_ms)
    parts = []
    for unit, size_ms in _DURATION_MS.items():
        count, left_ms = divmod(left_ms, size_ms)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_bytes(value: int | str) -> int:
    """Return bytes. Text takes K, M, G, T or KiB, MiB, … (powers of 1024). Raises ValueError with a sentence."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError('a size is a number of bytes or text such as "256M"')  # noqa: TRY004  (a value)
    if isinstance(value, str):
        text = value.strip()
        if len(text) > 32 or not text.isascii() or not re.match(BYTES_PATTERN, text):
            raise ValueError(f"cannot read {_short(value)} as a size")
        number = text.rstrip("KMGTiB")
        exact = Decimal(number) * _SIZE[text[len(number) :][:1]]
        if exact != exact.to_integral_value():
            raise ValueError(f"{_short(value)} is not a whole number of bytes")
        size = int(exact)
    else:
        size = value
    if size < 0:
        raise ValueError("a size cannot be negative")
    if size > MAXIMUM_SIZE_BYTES:
        raise ValueError("a size cannot be larger than 4194304T")
    return size


def format_bytes(size: int) -> str:
    """Return text that `parse_bytes` reads back as the same number: `256M`, `1G`, `1000`."""
    for unit in ("T", "G", "M", "K"):
        if size and size % _SIZE[unit] == 0:
            return f"{size // _SIZE[unit]}{unit}"
    return str(size)


def approximate_bytes(size: float) -> str:
    """Return text for people, three digits or so: `11.8 MiB`."""
    for unit in ("T", "G", "M", "K"):
        if size >= _SIZE[unit]:
            return f"{size / _SIZE[unit]:.3g} {unit}iB"
    return f"{size:.0f} B"


def _finite(number: float) -> float:
    try:
        seconds = float(number)
    except OverflowError:
        return MAXIMUM_DURATION_S * 2
    if math.isinf(seconds):
        raise ValueError("a duration is finite; 0 turns a limit off")
    return seconds


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "…")
