"""How much of a configuration is read: what no file that people or templates write comes near. Pure.

Below these bounds every stage takes a bounded time and memory, whatever the file holds; docs/configuration.md lists
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config.diagnostics import Diagnostic, Severity

if TYPE_CHECKING:
    from wsgigroups.config.source import Source

MAXIMUM_DEPTH = 32
MAXIMUM_VALUES = 18_000  # of one file: well over a thousand groups
MAXIMUM_TABLES = 6_000  # and lists
MAXIMUM_ALIASED = 20_000  # values that YAML's aliases may stand for, all together
MAXIMUM_ANCHORS = 1_000
MAXIMUM_SHOWN = 100  # diagnostics of one file
MAXIMUM_REPEATED = 20  # mistakes of one kind after which a reader stops
MAXIMUM_ITEMS = 1_000  # of one list, or variables of one environment


def too_many(source: Source, what: str = f"{MAXIMUM_VALUES} values") -> Diagnostic:
    """The diagnostic for a file that holds too much."""
    message = f"the file has more than {what}"
    hint = "spread it over several files with include"
    return Diagnostic("WG0103", Severity.ERROR, message, source.name, source.span(0, 0), hint)


def too_deep(source: Source, start: int, end: int) -> Diagnostic:
    """The diagnostic for a place in the text."""
    return Diagnostic(
        "WG0109",
        Severity.ERROR,
        f"tables and lists are nested more than {MAXIMUM_DEPTH} levels deep",
        source.name,
        source.span(start, end),
        "a configuration has six levels at most",
    )
