"""Words of systemd units: nothing in them means anything to systemd. Pure.

systemd.service(5), "Command lines"; systemd.unit(5), "Specifiers"; systemd.syntax(7).
"""

from __future__ import annotations

import re

from wsgigroups.errors import WsgigroupsError

_PLAIN = re.compile(r"[A-Za-z0-9_./:@+=,~\[\]-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def value(text: str) -> str:
    """Return a text as the whole value of a key. Raises WsgigroupsError."""
    if _CONTROL.search(text) or text.strip() != text or text.endswith("\\"):
        raise WsgigroupsError(f"cannot render {text!r}: systemd cannot be told what it has at its end or within")
    return text.replace("%", "%%")


def word(text: str) -> str:
    """Return a text as one of several words of a value. Raises WsgigroupsError."""
    if _PLAIN.fullmatch(text):
        return text
    if _CONTROL.search(text):
        raise WsgigroupsError(f"cannot render {text!r}: systemd cannot be told control characters")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def argument(text: str) -> str:
    """Return a text as an argument of a command, where $ is for variables. Raises WsgigroupsError."""
    return word(text).replace("$", "$$")


def section(title: str, lines: list[str]) -> list[str]:
    """Return the lines of a section; "" among them is an empty line."""
    return [f"[{title}]", *lines]
