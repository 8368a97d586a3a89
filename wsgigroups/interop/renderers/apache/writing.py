"""Lines of Apache's configuration, and what of a table has been said in them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wsgigroups.errors import WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_PLAIN = re.compile(r"[^\s\"'\\<>#]+")


def word(text: object) -> str:
    """One argument of a directive, in quotes where it needs them (ap_getword_conf). Raises WsgigroupsError."""
    plain = str(text)
    if "${" in plain or not plain.isprintable():
        raise WsgigroupsError(
            f"cannot render {plain!r}: Apache would put a variable in, or read several lines",
            hint="a name without ${ and without line ends",
        )
    if _PLAIN.fullmatch(plain):
        return plain
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def option(name: str, value: object) -> str:
    """One option of a directive of mod_wsgi: the quotation begins behind the equals sign."""
    return f"{name}={word(value)}"


def line(name: str, *words: object) -> str:
    """One directive. words: arguments, still without quotes."""
    return " ".join((name, *map(word, words)))


def section(name: str, argument: str, inside: Iterable[str]) -> list[str]:
    """A section with its lines, none where it would be empty."""
    lines = [f"    {item}" if item else "" for item in inside]
    return [f"<{name} {argument}>", *lines, f"</{name}>"] if lines else []


@dataclass(slots=True)
class WrittenOptions:
    """The written options of one table: whoever renders one takes it out, the rest is what cannot be said.

    written: all of them; table: those that nobody has taken yet.
    """

    place: str
    written: Mapping[str, Any]
    table: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.table = dict(self.written)

    def take(self, name: str, otherwise: Any = None) -> Any:
        """The value of an option, which is said then."""
        return self.table.pop(name, otherwise)

    def rest(self) -> Iterator[str]:
        """The places of what nobody has taken."""
        for name in self.table:
            yield f"{self.place}.{name}"
