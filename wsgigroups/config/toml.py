"""TOML text to a Source. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import tomli

from wsgigroups.config.capacity import (
    MAXIMUM_DEPTH,
    MAXIMUM_REPEATED,
    MAXIMUM_TABLES,
    MAXIMUM_VALUES,
    too_deep,
    too_many,
)
from wsgigroups.config.diagnostics import Diagnostic, Related, Severity, Span, path_text
from wsgigroups.config.source import Path, Place, Source
from wsgigroups.config.toml_places import Locator, find_places, string_end

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_PART = r"(?:[\w-]+|\"[^\"\n]*\"|'[^'\n]*')[ \t]*"
# a parser's work grows with the square of a key's parts: refuse such keys before it sees them
_LONG_KEY = re.compile(rf"(?<![\w\"'.-])(?:{_PART}\.[ \t]*){{{MAXIMUM_DEPTH},}}")
_OPENINGS = re.compile(rf"(?:[\[{{]\s*){{{MAXIMUM_DEPTH},}}")


def parse(name: str, directory: str, text: str) -> tuple[Source, list[Diagnostic]]:
    """Return the source; its data stays empty when there is an error other than keys that are set twice."""
    source = Source(name, directory, text, places=find_places)
    for pattern in (_LONG_KEY, _OPENINGS):
        found = pattern.search(text)
        if found:
            return source, [too_deep(source, found.start(), found.start() + 1)]
    excess = _excess(source)
    if excess:
        return source, [excess]
    problems: list[Diagnostic] = []
    try:
        data = _read(source, problems)
    except RecursionError:
        start = _deep_opening(text)
        return source, [too_deep(source, start, start + 1)]
    except ValueError as error:  # a number with more digits than Python reads
        return source, [Diagnostic("WG0106", Severity.ERROR, f"cannot read a value: {error}", name, source.span(0, 0))]
    deep = too_deep_path(data)
    if deep:
        span = source.locate(deep)
        return source, [replace(too_deep(source, 0, 0), span=span)]
    source.data, source.again = data, bool(problems)
    return source, problems


def _read(source: Source, found: list[Diagnostic]) -> dict[str, Any]:
    """Read the text without keys that are set again; note what is wrong. Return nothing for what is no TOML.

    What stands below a header that is there before is read under another name, and added to the first table then.
    """
    text = source.text
    apart: list[tuple[Path, str]] = []
    shifts: dict[int, int] = {}  # line → by how many columns what stands behind its header is further to the right
    while True:
        try:
            return _together(tomli.loads(text), apart)
        except tomli.TOMLDecodeError as error:
            rest = Source(source.name, source.directory, text, places=find_places)
            problem, again = _syntax_error(rest, str(error))
            found.append(replace(problem, span=problem.span and _unshifted(problem.span, shifts)))
            if again is None or len(found) >= MAXIMUM_REPEATED:
                return {}
            path, place = again
            if text.startswith("[", place.value_start) and place.value_start < place.key_start:
                name = f"\x01{len(apart)}"  # no name that anybody has
                apart.append((path, name))
                written = f'"\\u0001{name[1:]}"'
                shifts[text.count("\n", 0, place.key_start) + 1] = len(written) - (place.key_end - place.key_start)
                text = text[: place.key_start] + written + text[place.key_end :]
                continue
            shorter = _without(text, place)
            if shorter is None:
                return {}
            text = shorter


def _unshifted(span: Span, shifts: Mapping[int, int]) -> Span:
    """Return where a place is in the text as it was given."""
    column, end_column = span.column - shifts.get(span.line, 0), span.end_column - shifts.get(span.end_line, 0)
    return replace(span, column=max(column, 1), end_column=max(end_column, 1))


def _together(data: dict[str, Any], apart: list[tuple[Path, str]]) -> dict[str, Any]:
    """Add to tables what was read apart from them: path of the table, name of the other. What is there stays."""
    for path, name in apart:
        around: Any = data
        for key in path[:-1]:
            around = around[key]
        table, more = around[path[-1]], around.pop(name)
        if isinstance(table, dict):
            around[path[-1]] = {**more, **table}
    return data


def _without(text: str, place: Place) -> str | None:
    """The text with a line, or lines, of a key and its value made blank; None where something else is on them."""
    start, end = text.rfind("\n", 0, place.key_start) + 1, place.value_end
    if not _KEYS.fullmatch(text, start, place.key_start) or not _REST.match(text, end):
        return None
    return text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]


_KEYS = re.compile(rf"[ \t]*(?:{_PART}\.[ \t]*)*")
_REST = re.compile(r"[ \t]*(?:#[^\n]*)?\r?(?:\n|\Z)")


_SIGNS = re.compile(r"""#[^\n]*|\"|'|^[ \t]*\[\[?[^\],=\n\[{]*\]?\]?|[=,\[{\]}]""", re.MULTILINE)


def _excess(source: Source) -> Diagnostic | None:
    """What there is too much of, before the reader takes its time and memory for it; None in files of usual size.

    An `=`, a comma and a header stand for a value each, a bracket or brace for a table or list, a header for as many as
    it has dots.
    """
    text = source.text
    if sum(map(text.count, "=,[{.")) <= MAXIMUM_TABLES:
        return None
    values = tables = depth = at = 0
    while found := _SIGNS.search(text, at):
        sign, at = found[0], found.end()
        if sign in "\"'":
            at = string_end(text, found.start())
            if at < 0:
                return None  # nothing behind it is read
        elif sign in "]}":
            depth -= 1
        elif sign in "=,":
            values += 1
        elif sign in "[{":
            tables += 1
            depth += 1
        elif sign[0] != "#":
            values += 1
            tables += max(1, sign.count("."))
        if depth > MAXIMUM_DEPTH:
            return too_deep(source, at - 1, at)
        if values > MAXIMUM_VALUES:
            return too_many(source)
        if tables > MAXIMUM_TABLES:
            return too_many(source, f"{MAXIMUM_TABLES} tables and lists")
    return None


def _deep_opening(text: str) -> int:
    """Where brackets first lie too deep in each other, strings not told apart: near enough for a place to look at."""
    depth = 0
    for found in re.finditer(r"[\[{\]}]", text):
        depth += 1 if found[0] in "[{" else -1
        if depth > MAXIMUM_DEPTH:
            return found.start()
    return 0


def too_deep_path(data: Any) -> tuple[str | int, ...] | None:
    """The path of the first value below MAXIMUM_DEPTH levels, without recursion."""
    level: list[tuple[tuple[str | int, ...], Any]] = [((), data)]
    for _depth in range(MAXIMUM_DEPTH):
        following: list[tuple[tuple[str | int, ...], Any]] = []
        for path, value in level:
            if isinstance(value, dict):
                following.extend(((*path, key), item) for key, item in value.items() if isinstance(item, (dict, list)))
            elif isinstance(value, list):
                following.extend(((*path, i), item) for i, item in enumerate(value) if isinstance(item, (dict, list)))
        if not following:
            return None
        level = following
    return level[0][0]


def _syntax_error(source: Source, message: str) -> tuple[Diagnostic, tuple[Path, Place] | None]:
    """What is wrong, and where a key is set again if it is that."""
    found = _PLACE.search(message)
    what = message[: found.start()] if found else message
    if found and found[1]:
        starts = [0, *(match.end() for match in re.finditer("\n", source.text))]
        offset = starts[int(found[1]) - 1] + int(found[2]) - 1
    else:
        offset = len(source.text.rstrip())
    if what.startswith(("Cannot overwrite", "Cannot declare", "Cannot mutate", "Duplicate inline table key")):
        duplicate = _duplicate(source, offset)
        if duplicate:
            return duplicate[0], duplicate[1:]
    diagnostic = Diagnostic(
        "WG0106",
        Severity.ERROR,
        f"this is not TOML: {what[:1].lower()}{what[1:]}",
        source.name,
        source.span(offset, offset + 1),
        _hint(what, source.text, offset),
    )
    return diagnostic, None


def _duplicate(source: Source, offset: int) -> tuple[Diagnostic, Path, Place] | None:
    # the reader stops behind the second definition, or at its start in newer versions: take the rest of that line too
    end = source.text.find("\n", offset)
    locator = Locator(source.text[: end if end >= 0 else len(source.text)])
    if not locator.duplicates:
        return None
    path, first, second = locator.duplicates[-1]
    diagnostic = Diagnostic(
        "WG0108",
        Severity.ERROR,
        f"{path_text(path)} is set twice",
        source.name,
        source.span(second.key_start, second.key_end),
        "keep one of the two",
        (Related("first set here", source.name, source.span(first.key_start, first.key_end)),),
        path_text(path),
    )
    return diagnostic, path, second


def _hint(what: str, text: str, offset: int) -> str | None:
    line_start = text.rfind("\n", 0, offset) + 1
    line = text[line_start : text.find("\n", offset) if "\n" in text[offset:] else len(text)]
    if what.startswith("Invalid value") and re.search(r"=\s*(?!true|false|inf|nan)[A-Za-z/~]", line):
        return "text stands in quotes"
    if "Expected '=' after a key" in what and re.match(r"\s*[\w-]+\s*:", line):
        return "TOML writes key = value; a file in YAML is named .yaml"
    if "Unescaped '\\'" in what:
        return "write the text in single quotes, or each \\ twice"
    return None
