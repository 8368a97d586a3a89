"""One file as it was read: its name, its text, its data, and where each key and value stands in it. Pure."""

from __future__ import annotations

import bisect
import itertools
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wsgigroups.config.diagnostics import Span

if TYPE_CHECKING:
    from collections.abc import Callable

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Offsets of a key and of its value; -1 where there is no key (an item of a list)."""

    key_start: int
    key_end: int
    value_start: int
    value_end: int


@dataclass(slots=True)
class Source:
    """A parsed file. directory is what relative paths in it start at."""

    name: str
    directory: str
    text: str
    data: dict[str, Any] = field(default_factory=dict)
    places: Callable[[str], dict[Path, Place]] = field(default=lambda _text: {})
    again: bool = False  # there are keys that are set again: those have no place
    path: str = ""  # absolute, without following links; empty: it is no file
    includer: str = ""  # the path of the file that included it
    _index: dict[Path, Place] | None = None
    _lines: array[int] | None = None
    _within: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    @property
    def index(self) -> dict[Path, Place]:
        """Where each key and value is."""
        if self._index is None:
            self._index = self.places(self.text)
        return self._index

    def values_within(self, table: str) -> list[tuple[int, int]]:
        """Offsets of the values in all tables of this name, in the order of the text; those of tables are left out."""
        if table not in self._within:
            above = {path[:-1] for path in self.index}
            found = [place for path, place in self.index.items() if table in path and path not in above]
            self._within[table] = sorted((place.value_start, place.value_end) for place in found)
        return self._within[table]

    def locate(self, path: Path, *, key: bool = False) -> Span | None:
        """The span of the value (or key) at this path, of the nearest table above it that is known otherwise."""
        index = self.index
        shortened = path
        while shortened:
            place = index.get(shortened)
            if place is not None:
                above = shortened != path and isinstance(path[len(shortened)], str)
                at_key = (key or above) and place.key_start >= 0
                start, end = (place.key_start, place.key_end) if at_key else (place.value_start, place.value_end)
                return self.span(start, end)
            shortened = shortened[:-1]
        return None

    def written(self, path: Path, *, key: bool = False) -> str | None:
        """The text of the value (or key) at exactly this path; None where it does not stand in the file as such."""
        place = self.index.get(path)
        if place is None or (key and place.key_start < 0):
            return None
        return self.text[place.key_start : place.key_end] if key else self.text[place.value_start : place.value_end]

    def span(self, start: int, end: int) -> Span:
        """Offsets to lines and columns."""
        line, column = self.position(start)
        end_line, end_column = self.position(max(start, end))
        return Span(line, column, end_line, end_column)

    def position(self, offset: int) -> tuple[int, int]:
        """An offset as line and column, from 1."""
        if self._lines is None:
            self._lines = line_starts(self.text)
        offset = max(0, min(offset, len(self.text)))
        line = bisect.bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line, without its end."""
        start, end = self.offsets_of(number)
        return self.text[start:end].rstrip("\r\n")

    def offsets_of(self, number: int) -> tuple[int, int]:
        """Where a line begins and where the next one does; (0, 0) where there is no such line."""
        if self._lines is None:
            self._lines = line_starts(self.text)
        if not 1 <= number <= len(self._lines):
            return 0, 0
        return self._lines[number - 1], self._lines[number] if number < len(self._lines) else len(self.text)


_PIECE = 1 << 16  # characters that are split at a time, so that the lines need not be held all together


def line_starts(text: str) -> array[int]:
    """Offsets at which lines begin; a line ends with a newline character, as in TOML and YAML."""
    starts = array("I", [0])  # four bytes each: a file may be nothing but line ends
    for base in range(0, len(text), _PIECE):
        lengths = map(len, text[base : base + _PIECE].split("\n")[:-1])
        ends = itertools.accumulate(map((1).__add__, lengths), initial=base)
        starts.extend(itertools.islice(ends, 1, None))
    return starts
