"""Diagnostics for people: the line, a caret, the hint. Pure; colours are ANSI sequences, given or not.

Everything that comes from a file is made printable first: a configuration must not move a terminal's cursor.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

from wsgigroups.config.diagnostics import Diagnostic, Related, Severity, Span, legible
from wsgigroups.config.reports.covering import covered
from wsgigroups.config.source import Source

WIDTH = 110  # of a shown line; longer ones are cut around the span

_COLOR = {Severity.ERROR: "31;1", Severity.WARNING: "33;1", Severity.NOTE: "36;1"}
_FRAME = "34;1"

Find = Callable[[str | None], Source | None]


def render(diagnostics: Sequence[Diagnostic], find: Find, *, color: bool) -> str:
    """Return all diagnostics, a blank line between them."""
    return "\n".join(_one(item, find, color) for item in diagnostics)


def render_concise(diagnostics: Sequence[Diagnostic], _files: Sequence[str]) -> str:
    """A line each, as compilers write them: `groups.toml:5:19: error[WG0303] what is wrong; the way out`."""
    lines = []
    for item in diagnostics:
        place = f"{item.file}:{item.span.line}:{item.span.column}: " if item.file and item.span else ""
        place = place or (f"{item.file}: " if item.file else "")
        hint = f"; {item.hint}" if item.hint else ""
        lines.append(printable(f"{place}{item.severity.value}[{item.code}] {item.message}{hint}") + "\n")
    return "".join(lines)


def summary(diagnostics: Sequence[Diagnostic], files: Sequence[str]) -> str:
    """The last line: `2 errors and 1 warning in groups.toml`, or that all is well. files: names, each once."""
    parts = []
    for severity in Severity:
        count = sum(item.severity is severity for item in diagnostics)
        if count:
            parts.append(f"{count} {severity.value}{'s' if count > 1 else ''}")
    where = printable(files[0]) if len(files) == 1 else f"{len(files)} files"
    if not parts:
        return f"{where} {'is' if len(files) == 1 else 'are'} valid."
    text = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
    return f"{text} in {where}"


def printable(text: str) -> str:
    """Replace what is not printable, tabs by one space, bytes of names that are not UTF-8 by their numbers."""
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() else " " if sign == "\t" else "\N{REPLACEMENT CHARACTER}" for sign in legible(text)
    )


def _one(item: Diagnostic, find: Find, color: bool) -> str:
    paint = _painter(color)
    head = paint(f"{item.severity.value}[{item.code}]", _COLOR[item.severity])
    lines = [f"{head}{paint(':', '1')} {paint(printable(item.message), '1')}"]
    numbers = [item.span.line] if item.span else []
    numbers += [related.span.line for related in item.related if related.span]
    gutter = max((len(str(number)) for number in numbers), default=1)
    lines += _frame(item.file, item.span, find, gutter, "^", _COLOR[item.severity], paint, "-->")
    for related in item.related:
        lines += _related(related, find, gutter, paint)
    if item.hint:
        pad = " " * gutter
        lines.append(f"{pad} {paint('=', _FRAME)} {paint('hint:', '1')} {printable(item.hint)}")
    return "\n".join(lines) + "\n"


def _related(related: Related, find: Find, gutter: int, paint: Callable[[str, str], str]) -> list[str]:
    pad = " " * gutter
    frame = _frame(related.file, related.span, find, gutter, "-", _FRAME, paint, ":::")
    return [f"{pad} {paint('=', _FRAME)} {printable(related.message)}:", *frame]


def _frame(
    file: str | None,
    span: Span | None,
    find: Find,
    gutter: int,
    mark: str,
    style: str,
    paint: Callable[[str, str], str],
    arrow: str,
) -> list[str]:
    if file is None:
        return []
    pad = " " * gutter
    name = printable(file)
    if span is None:
        return [f"{pad}{paint(arrow, _FRAME)} {name}"]
    lines = [f"{pad}{paint(arrow, _FRAME)} {name}:{span.line}:{span.column}"]
    source = find(file)
    raw = covered(source, span.line) if source else ""
    if not raw:
        return lines
    start, length = span.column - 1, (span.end_column if span.end_line == span.line else len(raw) + 1) - span.column
    cut = max(0, start - WIDTH // 2) if len(raw) > WIDTH else 0
    shown = printable(raw[cut : cut + WIDTH])
    before = _columns(printable(raw[cut:start]))
    marks = max(1, _columns(printable(raw[start : min(start + max(length, 1), cut + WIDTH)])))
    bar = paint("|", _FRAME)
    number = paint(f"{span.line:>{gutter}}", _FRAME)
    lines.append(f"{pad} {bar}")
    lines.append(f"{number} {bar} {'…' if cut else ''}{shown}{'…' if len(raw) > cut + WIDTH else ''}")
    lines.append(f"{pad} {bar} {' ' * (before + (1 if cut else 0))}{paint(mark * marks, style)}")
    return lines


def _columns(text: str) -> int:
    """How many columns of a terminal a text takes: wide characters two, combining ones none."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )


def _painter(color: bool) -> Callable[[str, str], str]:
    if not color:
        return lambda text, _style: text
    return lambda text, style: f"\x1b[{style}m{text}\x1b[0m"
