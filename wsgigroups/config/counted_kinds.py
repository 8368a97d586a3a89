"""Numbers of processes, some of them left to the machine, and parts of a whole: the kinds of these values. Pure."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from wsgigroups.config.kinds import Kind, read_integer, refuse, shown

AUTO = 0  # as many as there are processors and memory for
AUTO_TEXT = "auto"
MOST_PROCESSES = 4096
_PER_CENT = re.compile("[1-9][0-9]?%|100%")


def read_process_count(value: Any) -> int:
    """A number of processes, or `auto`."""
    if value == AUTO_TEXT:
        return AUTO
    if isinstance(value, str) and not value.lstrip("-").isdecimal():
        raise refuse("WG0301", "a whole number is expected, or auto", 'write 4, or "auto"')
    number = read_integer(value)
    if number == AUTO:
        raise refuse("WG0302", f"processes is 0, from 1 to {MOST_PROCESSES} is possible", 'write 1, or "auto"')
    return number


def write_process_count(value: int) -> int | str:
    """As it is read."""
    return value or AUTO_TEXT


ProcessCount = Annotated[
    int,
    BeforeValidator(read_process_count),
    PlainSerializer(write_process_count, when_used="json"),
    Kind("process-count"),
]


def read_fraction(value: Any) -> float:
    """A part of a whole: above 0, and at most 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
        hint = f"write {int(value[:-1]) / 100:g}" if isinstance(value, str) and _PER_CENT.fullmatch(value) else ""
        raise refuse("WG0302", f"{shown(value)} is no number above 0 and up to 1", hint or "for example 0.7")
    return float(value)


Fraction = Annotated[float, BeforeValidator(read_fraction), Kind("fraction")]
