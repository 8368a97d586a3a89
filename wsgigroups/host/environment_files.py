"""What lines of an environment file no environment can have. Says where they are, never what is in them."""

from __future__ import annotations

MAXIMUM_FILE_BYTES = 1024 * 1024
_CONTINUED = "write the value on one line; one of several lines stands in double quotes"
_NUL = "no environment variable can have one (execve(2))"


def refused_line(text: str) -> tuple[str, str] | None:
    """Return what is wrong with the first line that is refused, with its number, and what helps; None if none is."""
    quote = ""  # the one that a value of several lines has begun with
    for number, line in enumerate(text.split("\n"), 1):
        if "\0" in line:
            return f"line {number} holds a NUL character", _NUL
        if quote:
            quote = "" if quote in line else quote
            continue
        if not line.lstrip() or line.lstrip().startswith("#"):
            continue
        value = line.partition("=")[2].strip()
        if value[:1] in ("'", '"'):
            quote = value[0] if value[0] not in value[1:] else ""
        elif value.endswith("\\"):
            return f"line {number} ends with a backslash: there is no continuation of lines", _CONTINUED
    return None
