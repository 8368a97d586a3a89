"""Diagnostics: what is wrong, where, and the way out. Pure; shared by all outputs."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class Severity(str, Enum):
    """How bad it is. Only errors keep a configuration from being used."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A piece of a file: lines and columns from 1, in characters; the end column is the first behind it."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Related:
    """Another place that belongs to it: "first defined here"."""

    message: str
    file: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Mend:
    """What is to stand in the place of what is wrong: a value or a key, or what is written, in quotes.

    certain: nothing else can be meant, so that a program may write it. covered: no report has it, it may be a secret.
    """

    text: str | None = None  # as TOML and YAML both have it; None: what is written, as text
    certain: bool = True
    covered: bool = False


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. file is the name as people gave it; span is None where the whole file, or no file, is meant."""

    code: str
    severity: Severity
    message: str
    file: str | None = None
    span: Span | None = None
    hint: str | None = None
    related: tuple[Related, ...] = ()
    option: str | None = None  # where it is in the configuration: groups.blog.threads
    strict_only: bool = False  # shown, as an error, only with --strict
    fix: str | None = None  # what is certain to be meant in the place of the span
    covered: bool = False  # no report has that

    def strict(self) -> Diagnostic:
        """The same with warnings turned into errors."""
        if self.severity is Severity.WARNING:
            return replace(self, severity=Severity.ERROR)
        return self

    def legible(self, *, names: bool = True) -> Diagnostic:
        """The same in characters that every encoding of Unicode has. names False: names of files stay as they are."""
        related = tuple(
            replace(item, message=legible(item.message), file=legible(item.file) if names else item.file)
            for item in self.related
        )
        return replace(
            self,
            message=legible(self.message),
            file=legible(self.file) if names and self.file is not None else self.file,
            hint=legible(self.hint) if self.hint is not None else None,
            related=related,
            option=legible(self.option) if self.option is not None else None,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data for `validate -o json`."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "message": self.message,
            "file": self.file,
            "span": _span_to_json(self.span),
            "option": self.option,
            "hint": self.hint,
            "fix": None if self.covered else self.fix,
            "related": [
                {"message": item.message, "file": item.file, "span": _span_to_json(item.span)} for item in self.related
            ],
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding of a check, still by its path in the configuration; the loader turns it into a diagnostic."""

    code: str
    path: tuple[str | int, ...]
    message: str
    hint: str | None = None
    related: tuple[tuple[tuple[str | int, ...], str], ...] = ()
    at_key: bool = False  # the key is what is wrong, not its value
    mend: Mend | None = None


_HALF = re.compile("[\ud800-\udfff]")  # what stands for a byte that is not UTF-8, in names and variables (PEP 383)


def legible(text: str) -> str:
    """Write bytes that are not UTF-8 as people would: `b\\xff.toml`. No format that reports come in can hold them."""
    if text.isascii():
        return text
    return _HALF.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}" if found[0] >= "\udc80" else "\ufffd", text)


def path_text(path: Iterable[str | int]) -> str:
    """A path as people write it: groups.blog.listen[0]; names with dots in quotes."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            plain = part.replace("-", "").replace("_", "").isalnum() and part.isascii()
            text += ("." if text else "") + (part if plain else f'"{part}"')
    return text


_MANY = 200  # more than any table has keys


def suggestion(name: str, known: Iterable[str]) -> str | None:
    """The known name that looks most like this one, if any does. Deterministic.

    Among very many names only those that begin alike are compared: comparing takes its time for each.
    """
    names = sorted(known)
    if len(names) > _MANY:
        names = [item for item in names if item[:2].lower() == name[:2].lower()][:_MANY]
    near = difflib.get_close_matches(name[:80], names, 1, 0.6)
    return near[0] if near else None


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """The same as a hint."""
    near = suggestion(name, known)
    return f'did you mean "{near}"?' if near else None


def sort_key(order: dict[str | None, int], diagnostic: Diagnostic) -> tuple[Any, ...]:
    """Files in the order they were read, then places, then codes: the same every time."""
    span = diagnostic.span
    place = (span.line, span.column) if span else (0, 0)
    position = order.get(diagnostic.file, len(order))
    last = diagnostic.code == "WG0121"  # it counts what the others leave out
    return (position, diagnostic.file or "", last, place, diagnostic.code, diagnostic.message)


def _span_to_json(span: Span | None) -> dict[str, int] | None:
    if span is None:
        return None
    return {"line": span.line, "column": span.column, "end_line": span.end_line, "end_column": span.end_column}
