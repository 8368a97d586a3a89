"""Text of Apache's configuration to a tree of directives, with their places. Pure.

The form is that of https://httpd.apache.org/docs/2.4/configuring.html: one directive a line, `\\` at its end continues
it, `#` begins a comment only where a line begins, `<Name …>` and `</Name>` enclose others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.interop.importers.draft import ForeignSetting, one_line

_QUOTED = r'"((?:[^"\\]|\\.)*)"?|\'((?:[^\'\\]|\\.)*)\'?'
_WORD = re.compile(rf"()(?:{_QUOTED})|(\S+)")
_OPTION_OR_WORD = re.compile(rf"([A-Za-z][\w-]*=|)(?:{_QUOTED})|(\S+)")
_ESCAPED = re.compile(r"\\([\\\"'])")
_OPENING = re.compile(r"<(?P<name>[A-Za-z_]\w*)(?P<rest>.*?)>\s*$")  # also <VirtualHost:80>, which people write
_CLOSING = re.compile(r"</(?P<name>[A-Za-z_]\w*)\s*>?\s*$")


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive. name: in lower case; text: as written; inside: what a section encloses, None for no section."""

    name: str
    words: tuple[str, ...]
    text: str
    file: str
    line: int
    inside: tuple[Directive, ...] | None = None

    @property
    def setting(self) -> ForeignSetting:
        """For the gap report."""
        return ForeignSetting(one_line(self.text), self.file, self.line)

    def word(self, number: int) -> str:
        """An argument, "" where there is none."""
        return self.words[number] if number < len(self.words) else ""


@dataclass(slots=True)
class _Open:
    name: str
    words: tuple[str, ...]
    text: str
    line: int
    inside: list[Directive] = field(default_factory=list)


def parse(text: str, file: str) -> tuple[Directive, ...]:
    """Return the directives of a file. Raises WsgigroupsError for sections that do not fit together."""
    found: list[Directive] = []
    open_sections: list[_Open] = []
    for line, content in _logical_lines(text):
        target = open_sections[-1].inside if open_sections else found
        closing = _CLOSING.match(content)
        if closing:
            if not open_sections or open_sections[-1].name != closing["name"].lower():
                raise _mistake(file, line, f"{content} closes nothing that is open")
            section = open_sections.pop()
            target = open_sections[-1].inside if open_sections else found
            inside = tuple(section.inside)
            target.append(Directive(section.name, section.words, section.text, file, section.line, inside))
            continue
        opening = _OPENING.match(content)
        if opening:
            words = split(opening["rest"].lstrip(":") if opening["rest"].startswith(":") else opening["rest"])
            if opening["rest"].startswith(":"):
                words = tuple(f"*:{word}" for word in words)
            open_sections.append(_Open(opening["name"].lower(), words, content, line))
            continue
        name, *rest = content.split(None, 1)
        words = split(rest[0], options=name.lower().startswith("wsgi")) if rest else ()
        target.append(Directive(name.lower(), words, content, file, line))
    if open_sections:
        raise _mistake(file, open_sections[-1].line, f"{open_sections[-1].text} is never closed")
    return tuple(found)


def split(text: str, *, options: bool = False) -> tuple[str, ...]:
    """The words of a line: separated by spaces, in quotes where they hold some (ap_getword_conf).

    options: whether a quotation may begin behind `name=`, as in directives of mod_wsgi.
    """
    words = []
    for match in (_OPTION_OR_WORD if options else _WORD).finditer(text):
        name, double, single, plain = match.groups()
        words.append(plain if plain is not None else name + _ESCAPED.sub(r"\1", single if double is None else double))
    return tuple(words)


def _logical_lines(text: str) -> list[tuple[int, str]]:
    lines: list[tuple[int, str]] = []
    begun, number = "", 0
    for at, raw in enumerate(text.splitlines(), 1):
        content = begun + raw if begun else raw
        number = number if begun else at
        if content.endswith("\\"):
            begun = content[:-1]
            continue
        begun = ""
        content = content.strip()
        if content and not content.startswith("#"):
            lines.append((number, content))
    return lines


def _mistake(file: str, line: int, what: str) -> WsgigroupsError:
    hint = "Apache refuses that, too: apachectl configtest"
    return WsgigroupsError(f"cannot read {file}:{line}: {what}", hint=hint, exit_code=ExitCode.USAGE)
