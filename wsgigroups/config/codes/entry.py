"""The form of a catalogue entry. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from wsgigroups.config.diagnostics import Severity


@dataclass(frozen=True, slots=True)
class Code:
    """One diagnostic. example is a configuration that leads to it ("" where it takes a host or a special file)."""

    code: str
    severity: Severity
    title: str
    text: str
    way_out: str
    example: str = ""
    strict_only: bool = False


def error(code: str, title: str, text: str, way_out: str, example: str = "") -> Code:
    """An entry that keeps a configuration from being used."""
    return Code(code, Severity.ERROR, title, text, way_out, example)


def warning(code: str, title: str, text: str, way_out: str, example: str = "", *, strict_only: bool = False) -> Code:
    """An entry that is an error with --strict only."""
    return Code(code, Severity.WARNING, title, text, way_out, example, strict_only)


def note(code: str, title: str, text: str, way_out: str, example: str = "") -> Code:
    """An entry that says something and is never an error."""
    return Code(code, Severity.NOTE, title, text, way_out, example)
