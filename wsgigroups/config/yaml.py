"""YAML text to a Source: the events of ruamel.yaml, composed here with YAML 1.2's core schema. Pure.

Composed here, so that every node has its place, depth and aliases are bounded, nothing is ever constructed from a tag,
and `no`, `010` or `1:30` mean what YAML 1.2 says (text), whatever other readers make of them.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from ruamel.yaml.reader import ReaderError

from wsgigroups.config.capacity import (
    MAXIMUM_ALIASED,
    MAXIMUM_ANCHORS,
    MAXIMUM_DEPTH,
    MAXIMUM_REPEATED,
    MAXIMUM_TABLES,
    MAXIMUM_VALUES,
    too_deep,
    too_many,
)
from wsgigroups.config.diagnostics import Diagnostic, Related, Severity, path_text
from wsgigroups.config.source import Path, Place, Source
from wsgigroups.config.yaml_scanner import BudgetError, make_reader

if TYPE_CHECKING:
    from collections.abc import Iterator

_CORE = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?[0-9]{1,40}")
_BASED = re.compile(r"0o[0-7]{1,40}|0x[0-9a-fA-F]{1,40}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}
_HALF = re.compile("[\ud800-\udfff]")
_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}


class _Refused(Exception):  # noqa: N818
    """Carries one diagnostic out of the composer."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def parse(name: str, directory: str, text: str) -> tuple[Source, list[Diagnostic]]:
    """Return the source; its data stays empty when there is an error other than keys that are set twice."""
    source = Source(name, directory, text)
    composer = _Composer(source)
    try:
        data = composer.compose()
    except _Refused as refused:
        return source, [*composer.found, refused.diagnostic]
    except BudgetError as error:
        found = too_many(source, "what can be read in a short time")
        return source, [*composer.found, replace(found, span=source.span(error.index, error.index + 1))]
    except ReaderError as error:
        return source, [_diagnostic(source, int(error.position), "a character that YAML does not allow")]
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(str(part) for part in (error.context, error.problem) if part)
        return source, [_diagnostic(source, mark.index if mark else 0, problem)]
    except (YAMLError, RecursionError, ValueError, AttributeError, AssertionError, IndexError, TypeError) as error:
        # ruamel's scanner has asserts and slips of its own on broken input; none of them is ours to crash on
        return source, [_diagnostic(source, 0, f"{type(error).__name__} while reading")]
    source.places = lambda _text: composer.places
    if composer.found:
        source.data, source.again = data if isinstance(data, dict) else {}, True
        return source, composer.found
    if not isinstance(data, dict):
        message = "the file is empty" if data is None else "the file holds no table of keys and values"
        code = "WG0112" if data is None else "WG0204"
        hint = "the least is: version: 1 and one group below groups:"
        if isinstance(data, str) and "=" in data:
            hint = "this looks like TOML: name the file .toml"
        return source, [Diagnostic(code, Severity.ERROR, message, name, source.span(0, 0), hint)]
    source.data = data
    return source, []


class _Composer:
    def __init__(self, source: Source) -> None:
        self._source = source
        self.places: dict[Path, Place] = {}
        self.found: list[Diagnostic] = []
        self._anchors: dict[str, tuple[Any, int, Path]] = {}
        self._aliases: dict[int, Path] = {}  # values that aliases stand for, by identity → where they are written
        self._open: set[str] = set()
        self._aliased = 0
        self._values = self._tables = self._anchored = self._merges = 0
        self._events: Iterator[Event] = make_reader().parse(source.text)

    def compose(self) -> Any:
        data: Any = None
        documents = 0
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(event, "WG0111", "there is a second document", "one file holds one document")
                if event.version is not None and next(iter(event.version)) != 1:
                    self._refuse(event, "WG0111", "the %YAML directive names an unknown version")
                data, _size = self._node(next(self._events), (), 0)
            elif isinstance(event, StreamEndEvent):
                break
        return data

    def _node(self, event: Event, path: Path, depth: int) -> tuple[Any, int]:
        if depth > MAXIMUM_DEPTH:
            start = event.start_mark.index
            raise _Refused(too_deep(self._source, start, start + 1))
        if isinstance(event, AliasEvent):
            return self._alias(event)
        self._values += 1
        if self._values > MAXIMUM_VALUES:
            raise _Refused(too_many(self._source))
        anchor = event.anchor if isinstance(event, NodeEvent) else None
        if anchor:
            self._open.add(anchor)
            self._anchored += 1
            if self._anchored > MAXIMUM_ANCHORS:
                hint = "use [defaults] for what groups share"
                self._refuse(event, "WG0110", f"there are more than {MAXIMUM_ANCHORS} anchors", hint)
        if not isinstance(event, ScalarEvent):
            self._tables += 1
            if self._tables > MAXIMUM_TABLES:
                raise _Refused(too_many(self._source, f"{MAXIMUM_TABLES} tables and lists"))
        value: Any
        if isinstance(event, ScalarEvent):
            value, size = self._scalar(event), 1
        elif isinstance(event, SequenceStartEvent):
            self._check_tag(event, "seq")
            value, size = self._sequence(path, depth)
        elif isinstance(event, MappingStartEvent):
            self._check_tag(event, "map")
            value, size = self._mapping(path, depth)
        else:
            self._refuse(event, "WG0107", "this is not YAML: a value is missing")
        if anchor:
            self._open.discard(anchor)
            self._anchors[anchor] = (value, size, path)
        return value, size

    def _alias(self, event: AliasEvent) -> tuple[Any, int]:
        if event.anchor in self._open:
            self._refuse(event, "WG0110", f"the alias *{event.anchor} stands for a value that it is part of")
        if event.anchor not in self._anchors:
            self._refuse(
                event, "WG0107", f"the alias *{event.anchor} has no anchor", f"define it before: &{event.anchor}"
            )
        value, size, path = self._anchors[event.anchor]
        self._aliases[id(value)] = path
        self._aliased += size
        if self._aliased > MAXIMUM_ALIASED:
            hint = "use [defaults] for what groups share"
            self._refuse(event, "WG0110", f"aliases stand for more than {MAXIMUM_ALIASED} values", hint)
        return value, size

    def _sequence(self, path: Path, depth: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        total = 1
        while not isinstance(event := next(self._events), CollectionEndEvent):
            item_path = (*path, len(items))
            start = event.start_mark.index
            item, size = self._node(event, item_path, depth + 1)
            self.places[item_path] = Place(-1, -1, start, self._end_of(event, start))
            items.append(item)
            total += size
        self._last_end = event.end_mark.index
        return items, total

    def _mapping(self, path: Path, depth: int) -> tuple[dict[str, Any], int]:
        table: dict[str, Any] = {}
        total = 1
        merged: list[tuple[Any, Path]] = []
        while not isinstance(event := next(self._events), CollectionEndEvent):
            if not isinstance(event, ScalarEvent):
                self._refuse(event, "WG0111", "a key is not plain text", "write the key as text")
            self._check_characters(event)
            key: str = event.value
            key_start, key_end = event.start_mark.index, event.end_mark.index
            key_path = (*path, key)
            value_event = next(self._events)
            start = value_event.start_mark.index
            if key == "<<" and not event.style:
                total += self._merge(event, value_event, key_path, depth, merged)
                continue
            if key in table:
                total += self._twice(value_event, key_path, depth, key_start, key_end)
                continue
            value, size = self._node(value_event, key_path, depth + 1)
            end = self._end_of(value_event, start)
            if isinstance(value_event, ScalarEvent) and start == value_event.end_mark.index:
                start, end = key_start, key_end  # nothing is written: point at the key
            place = Place(key_start, key_end, start, end)
            self.places[key_path] = place
            table[key] = value
            total += size
        self._last_end = event.end_mark.index
        for value, at in merged:
            for key in [key for key in value if key not in table]:
                table[key] = value[key]
                there = self.places.get((*at, key))
                if there is not None:
                    self.places |= {(*path, key): there}
        return table, total

    def _twice(self, event: Event, path: Path, depth: int, start: int, end: int) -> int:
        """Read a value whose key is there already: its places are nobody's. Return its size."""
        places, self.places = self.places, {}
        try:
            _value, size = self._node(event, path, depth + 1)
        finally:
            self.places = places
        self._duplicate(path, start, end)
        return size

    def _merge(self, key: Event, event: Event, path: Path, depth: int, merged: list[tuple[Any, Path]]) -> int:
        """Read what a merge key stands for: a table or a list of tables, mostly aliases. Return its size.

        As https://yaml.org/type/merge.html has it: keys that stand in the table itself win, then the first table.
        """
        self._merges += 1
        if self._merges > MAXIMUM_TABLES:
            raise _Refused(too_many(self._source, f"{MAXIMUM_TABLES} merge keys"))
        value, size = self._node(event, path, depth + 1)
        if isinstance(event, AliasEvent):
            found = [(value, self._anchors[event.anchor][2])]
        elif isinstance(value, list):
            found = [(item, self._aliases.get(id(item), (*path, i))) for i, item in enumerate(value)]
        else:
            found = [(value, path)]
        if not all(isinstance(item, dict) for item, _path in found):
            self._refuse(key, "WG0111", "a merge key stands for a table, or a list of tables", "write <<: *name")
        merged += found
        return size

    _last_end = 0

    def _end_of(self, event: Event, start: int) -> int:
        end = int(event.end_mark.index) if isinstance(event, (ScalarEvent, AliasEvent)) else self._last_end
        end = max(end, start + 1)
        text = self._source.text
        while end > start + 1 and end <= len(text) and text[end - 1] in " \r\n\t":
            end -= 1
        return end

    def _duplicate(self, path: Path, start: int, end: int) -> None:
        first = self.places[path]
        source = self._source
        if len(self.found) >= MAXIMUM_REPEATED:
            span = source.span(start, end)
            message = f"more than {MAXIMUM_REPEATED} keys are set twice; what follows was not read"
            raise _Refused(Diagnostic("WG0108", Severity.ERROR, message, source.name, span))
        self.found.append(
            Diagnostic(
                "WG0108",
                Severity.ERROR,
                f"{path_text(path)} is set twice",
                source.name,
                source.span(start, end),
                "keep one of the two",
                (Related("first set here", source.name, source.span(first.key_start, first.key_end)),),
                path_text(path),
            )
        )

    def _scalar(self, event: ScalarEvent) -> Any:
        text: str = event.value
        self._check_characters(event)
        tag = _tag(event)
        plain = not event.style
        if tag is None:
            return _resolve(text) if plain else text
        if tag == _CORE + "str" or tag == "!":
            return text
        if tag not in {_CORE + kind for kind in ("int", "float", "bool", "null")}:
            self._refuse(event, "WG0111", f"the tag {_short(tag)} is not read", "leave the tag out")
        return _resolve(text)

    def _check_characters(self, event: ScalarEvent) -> None:
        """An escape can name half of a surrogate pair, which no text file or environment can hold."""
        if not event.value.isascii() and _HALF.search(event.value):
            self._refuse(
                event, "WG0107", "this is not YAML: an escape that is no character", "write the character itself"
            )

    def _check_tag(self, event: Any, kind: str) -> None:
        tag = _tag(event)
        if tag is not None and tag not in (_CORE + kind, "!"):
            self._refuse(event, "WG0111", f"the tag {_short(tag)} is not read", "leave the tag out")

    def _refuse(self, event: Event, code: str, message: str, hint: str | None = None) -> NoReturn:
        start, end = event.start_mark.index, event.end_mark.index
        span = self._source.span(start, max(start + 1, min(end, start + 80)))
        raise _Refused(Diagnostic(code, Severity.ERROR, message, self._source.name, span, hint))


def _tag(event: Any) -> str | None:
    tag = event.tag
    return None if tag is None else str(tag)


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"


def _resolve(text: str) -> Any:
    """Plain text to a value, YAML 1.2.2 section 10.3.2."""
    if text in ("Null", "NULL", "True", "TRUE", "False", "FALSE"):
        text = text.lower()
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text[2:], 8 if text[1] == "o" else 16)
    if text.lower() in _SPECIAL and text[-3:] in ("inf", "Inf", "INF", "nan", "NaN", "NAN"):
        return float(_SPECIAL[text.lower()])
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _diagnostic(source: Source, offset: int, problem: str) -> Diagnostic:
    hint = None
    line_start = source.text.rfind("\n", 0, offset) + 1
    line = source.text[line_start:].split("\n", 1)[0]
    if "\t" in source.text[line_start : offset + 1] or "'\\t'" in problem:
        hint = "indent with spaces: YAML does not allow tabs there"
    elif re.match(r"\s*\[[\w.\"-]+\]\s*$", line) or re.match(r"\s*[\w-]+\s*=", line):
        hint = "YAML writes key: value; a file in TOML is named .toml"
    return Diagnostic(
        "WG0107",
        Severity.ERROR,
        f"this is not YAML: {problem.replace(chr(10), ' ')[:200]}",
        source.name,
        source.span(offset, offset + 1),
        hint,
    )
