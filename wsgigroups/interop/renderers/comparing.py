"""Files as they would be rendered now, against those that are there. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import unified_diff
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_MOST_LINES = 20  # of one file that are shown


@dataclass(frozen=True, slots=True)
class StaleFile:
    """A file that is not as it would be rendered. lines: what differs, for people."""

    name: str
    what: str  # "is missing", "differs", "is not rendered any more"
    lines: tuple[str, ...] = ()


def stale_files(
    wanted: Mapping[str, str], present: Mapping[str, str], covered: Callable[[str], str]
) -> Iterator[StaleFile]:
    """Compare texts by file names. present: what was rendered at some time. covered: returns a text without secrets."""
    for name, text in wanted.items():
        if name not in present:
            yield StaleFile(name, "is missing")
        elif present[name] != text:
            before, after = covered(present[name]).splitlines(), covered(text).splitlines()
            lines = [*unified_diff(before, after, name, name, lineterm="", n=1)] or ["in values that are not shown"]
            more = [f"… and {len(lines) - _MOST_LINES} lines more"] if len(lines) > _MOST_LINES else []
            yield StaleFile(name, "differs", (*lines[:_MOST_LINES], *more))
    for name in sorted(set(present) - set(wanted)):
        yield StaleFile(name, "is not rendered any more")
