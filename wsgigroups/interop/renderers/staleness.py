"""Whether files are what a renderer makes now: what `render --check` says of those that are not. Pure."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

MOST_LINES = 20  # of one file's difference


def stale(
    wanted: Mapping[str, str], found: Mapping[str, str | None], hides: Collection[str] = ()
) -> dict[str, list[str]]:
    """Return what is to be said of each file that is not as wanted, by its name; nothing of those that are.

    wanted: texts by names; found: what is there, None for no file. hides: words that begin a line whose value is a
    secret, which is left out.
    """
    said: dict[str, list[str]] = {}
    for name, text in wanted.items():
        there = found.get(name)
        if there is None:
            said[name] = ["is not there"]
        elif there != text:
            said[name] = ["is stale", *_difference(there, text, hides)]
    return said


def _difference(before: str, after: str, hides: Collection[str]) -> list[str]:
    changed = difflib.unified_diff(before.splitlines(), after.splitlines(), "on disk", "rendered", n=1, lineterm="")
    lines = list(_hidden(changed, hides))
    if not lines:
        return ["  only ends of lines differ"]
    more = len(lines) - MOST_LINES
    return [*(f"  {clean(line)}" for line in lines[:MOST_LINES]), *([f"  … and {more} more lines"] if more > 0 else [])]


def _hidden(lines: Iterator[str], hides: Collection[str]) -> Iterator[str]:
    for line in lines:
        words = line[1:].split(None, 2)
        if len(words) > 2 and words[0] in hides:
            yield f"{line[0]}{words[0]} {words[1]} …"
        else:
            yield line
