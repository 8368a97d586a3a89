"""Where keys and values stand in a TOML text. Pure.

tomli says what a document means but not where; this walks the same text and remembers offsets. It never raises: where
it meets what it does not understand (after a syntax error), it stops, and what was found so far stays.
"""

from __future__ import annotations

import contextlib
import re

from wsgigroups.config.source import Path, Place

MAXIMUM_DEPTH = 64

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^\s,\]}#][^,\]}#\n\r]*")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_SHORT = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b"}


class _Stopped(Exception):  # noqa: N818
    """The text is not TOML from here on."""


def find_places(text: str) -> dict[Path, Place]:
    """Path → place of every table, key, value and list item. The first definition wins."""
    return Locator(text).places


class Locator:
    """One walk over a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.places: dict[Path, Place] = {}
        self.duplicates: list[tuple[Path, Place, Place]] = []  # path, first, second
        self._tables: dict[Path, int] = {}  # arrays of tables: how many elements so far
        self._headers: dict[Path, Place] = {}
        self._current: Path = ()
        with contextlib.suppress(_Stopped):
            self._walk()

    def _walk(self) -> None:
        at = self._blank(0)
        while at < len(self._text):
            at = self._header(at) if self._text[at] == "[" else self._pair(at, self._current, 0)
            at = self._blank(at)

    def _header(self, start: int) -> int:
        double = self._text.startswith("[[", start)
        keys, at = self._keys(start + (2 if double else 1))
        closing = "]]" if double else "]"
        if not self._text.startswith(closing, at):
            raise _Stopped
        at += len(closing)
        path: Path = ()
        for name, key_start, key_end in keys[:-1]:
            path = self._enter((*path, name), Place(key_start, key_end, start, at))
        name, key_start, key_end = keys[-1]
        path = (*path, name)
        place = Place(key_start, key_end, start, at)
        if double:
            self.places.setdefault(path, place)
            count = self._tables.get(path, 0)
            self._tables[path] = count + 1
            path = (*path, count)
        elif path in self._headers:
            self.duplicates.append((path, self._headers[path], place))
        self._headers.setdefault(path, place)
        self.places.setdefault(path, place)
        self._current = path
        return at

    def _enter(self, path: Path, place: Place) -> Path:
        self.places.setdefault(path, place)
        count = self._tables.get(path)
        return path if count is None else (*path, count - 1)

    def _pair(self, start: int, table: Path, depth: int) -> int:
        keys, at = self._keys(start)
        if not self._text.startswith("=", at):
            raise _Stopped
        at = self._space(at + 1)
        path = table
        for name, key_start, key_end in keys[:-1]:
            path = (*path, name)
            self.places.setdefault(path, Place(key_start, key_end, key_start, key_end))
        name, key_start, key_end = keys[-1]
        path = (*path, name)
        known = path in self.places
        end = self._value(at, path, depth, record=not known)
        place = Place(key_start, key_end, at, end)
        if known:
            self.duplicates.append((path, self.places[path], place))
        else:
            self.places[path] = place
        return end

    def _keys(self, at: int) -> tuple[list[tuple[str, int, int]], int]:
        keys = []
        while True:
            at = self._space(at)
            name, end = self._key(at)
            keys.append((name, at, end))
            at = self._space(end)
            if len(keys) > MAXIMUM_DEPTH:
                raise _Stopped
            if not self._text.startswith(".", at):
                return keys, at
            at += 1

    def _key(self, at: int) -> tuple[str, int]:
        found = _BARE.match(self._text, at)
        if found:
            return found[0], found.end()
        if self._text[at : at + 1] not in ('"', "'"):
            raise _Stopped
        end = self._string(at)
        raw = self._text[at:end]
        return (unescape(raw) if raw[0] == '"' else raw[1:-1]), end

    def _string(self, at: int) -> int:
        """The end of a string. Raises _Stopped where there is none."""
        end = string_end(self._text, at)
        if end < 0:
            raise _Stopped
        return end

    def _value(self, at: int, path: Path, depth: int, *, record: bool) -> int:
        if depth > MAXIMUM_DEPTH or at >= len(self._text):
            raise _Stopped
        sign = self._text[at]
        if sign == "[":
            return self._array(at, path, depth, record=record)
        if sign == "{":
            return self._inline_table(at, path, depth)
        if sign in ('"', "'"):
            return self._string(at)
        found = _SCALAR.match(self._text, at)
        if not found:
            raise _Stopped
        return at + len(found[0].rstrip())

    def _array(self, start: int, path: Path, depth: int, *, record: bool) -> int:
        at = self._blank(start + 1)
        index = 0
        while not self._text.startswith("]", at):
            item = (*path, index)
            end = self._value(at, item, depth + 1, record=record)
            if record:
                self.places.setdefault(item, Place(-1, -1, at, end))
            at = self._blank(end)
            index += 1
            if self._text.startswith(",", at):
                at = self._blank(at + 1)
            elif not self._text.startswith("]", at):
                raise _Stopped
        return at + 1

    def _inline_table(self, start: int, path: Path, depth: int) -> int:
        at = self._blank(start + 1)
        while not self._text.startswith("}", at):
            at = self._blank(self._pair(at, path, depth + 1))
            if self._text.startswith(",", at):
                at = self._blank(at + 1)
            elif not self._text.startswith("}", at):
                raise _Stopped
        return at + 1

    def _blank(self, at: int) -> int:
        found = _BLANK.match(self._text, at)
        return found.end() if found else at

    def _space(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return found.end() if found else at


def string_end(text: str, start: int) -> int:
    """Where the string that begins here ends, behind its quotes; -1 if nothing ends it.

    By searching for quotes: a regular expression would keep memory for every escape of a long text.
    """
    quote = text[start]
    several = text.startswith(quote * 3, start)
    closing = quote * 3 if several else quote
    at = start + len(closing)
    while (at := text.find(closing, at)) >= 0:
        if quote == "'" or not _is_escaped(text, at, start):
            break
        at += 1
    if at < 0 or (not several and text.find("\n", start, at) >= 0):
        return -1
    at += len(closing)
    for _more in range(2 if several else 0):  # the last three quotes of up to five end it
        at += text.startswith(quote, at)
    return at


def _is_escaped(text: str, at: int, start: int) -> bool:
    """Whether an odd number of backslashes stands before a quote."""
    before = at
    while before > start and text[before - 1] == "\\":
        before -= 1
    return (at - before) % 2 == 1


def unescape(quoted: str) -> str:
    """The content of a basic string in its quotes."""

    def replace(found: re.Match[str]) -> str:
        code = found[1] or found[2] or found[3]
        if code:
            number = int(code, 16)
            return chr(number) if number < 0x110000 else ""
        return _SHORT.get(found[4], found[4])

    return _ESCAPE.sub(replace, quoted[1:-1])
