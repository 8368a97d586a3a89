"""What is asked of both servers, and how their answers compare. Pure.

A case is one group of processes with the same options on both sides. Asking gives facts: a text for each name. Where
the texts differ, the case has a sentence for that fact; a difference without one is a fault, and so is a sentence for
what is equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from support.conformance.asking import Asked

BETTER, ON_PURPOSE = "better", "different on purpose"
ABSENT = "–"
Facts = Mapping[str, str]
Options = Mapping[str, str | int]


@dataclass(frozen=True)
class Apart:
    """Why the two answers to a question differ. kind: BETTER or ON_PURPOSE; why: a sentence."""

    kind: str
    why: str


def better(why: str, *facts: str) -> dict[str, Apart]:
    """Return that sentence for each of the facts: what we do instead is what people ask mod_wsgi for."""
    return dict.fromkeys(facts, Apart(BETTER, why))


def on_purpose(why: str, *facts: str) -> dict[str, Apart]:
    """Return that sentence for each of the facts: it follows from a decision."""
    return dict.fromkeys(facts, Apart(ON_PURPOSE, why))


@dataclass(frozen=True)
class Case:
    """One group. options: of WSGIDaemonProcess, which are ours, too; here: further ones of ours.

    apache: further directives, with SCRIPT for the path of the script; lines: of the script, after the application was
    imported; lazy: loaded by the first request, on both sides.
    """

    name: str
    about: str
    ask: Callable[[Asked], Facts]
    options: Options = field(default_factory=dict)
    here: Mapping[str, Any] = field(default_factory=dict)
    apache: str = ""
    lines: str = ""
    lazy: bool = False
    apart: Mapping[str, Apart] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One fact of both sides."""

    case: str
    fact: str
    theirs: str
    ours: str
    apart: Apart | None

    @property
    def equal(self) -> bool:
        """Whether both said the same."""
        return self.theirs == self.ours


def rows(case: Case, theirs: Facts, ours: Facts) -> list[Row]:
    """Return a row for each fact that a side gave or a sentence is about, in the order in which they were asked."""
    names = dict.fromkeys([*theirs, *ours, *case.apart])
    return [
        Row(case.name, name, theirs.get(name, ABSENT), ours.get(name, ABSENT), case.apart.get(name)) for name in names
    ]


def faults(found: list[Row]) -> list[str]:
    """Return the differences without a sentence, and the sentences without a difference."""
    return [
        f"{row.case}, {row.fact}: " + ("explained, and the same: " if row.equal else "not explained: ")
        + f"{row.theirs!r} there, {row.ours!r} here"
        for row in found
        if row.equal == (row.apart is not None)
    ]  # fmt: skip
