"""Whether files are what a renderer makes now: what `render --check` says of those that are not. Pure."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

MOST_LINES = 20  # of one file's difference


def stale(
    wanted: Mapping[str, str], found: Mapping[str, str | None], covered: Callable[[str], str] = str
) -> dict[str, list[str]]:
    """Return what is to be said of each file that is not as wanted, by its name; nothing of those that are.

    wanted: texts by names; found: what is there, None for no file. covered: returns a text without its secrets, which
    are not shown.
    """
    said: dict[str, list[str]] = {}
    for name, text in wanted.items():
        there = found.get(name)
        if there is None:
            said[name] = ["is not there"]
        elif there != text:
            said[name] = ["is stale", *_difference(covered(there), covered(text))]
    return said


def hiding(words: Collection[str]) -> Callable[[str], str]:
    """Return what leaves out the values of lines that begin with these words."""
    return lambda text: _masked(text, words) if words else text


def _difference(before: str, after: str) -> list[str]:
    changed = difflib.unified_diff(before.splitlines(), after.splitlines(), "on disk", "rendered", n=1, lineterm="")
    lines = list(changed)
    if not lines:
        return ["  only ends of lines differ, or values that are not shown"]
    more = len(lines) - MOST_LINES
    return [*(f"  {clean(line)}" for line in lines[:MOST_LINES]), *([f"  … and {more} more lines"] if more > 0 else [])]


def _masked(text: str, words: Collection[str]) -> str:
    """The text without the values of these words; one in quotation marks may have several lines."""
    names = "|".join(map(re.escape, words))
    value = r'"(?:[^"\\]|\\.)*"|[^\n]*'
    return re.sub(rf"(?ms)^([ \t]*(?:{names}) \S+ )(?:{value})", r"\1…", text)
