"""Shorthand for diagnostics in assertions."""

from __future__ import annotations

from wsgigroups.config import Loaded


def codes(loaded: Loaded) -> list[str]:
    """The codes, in order."""
    return [item.code for item in loaded.diagnostics]


def places(loaded: Loaded) -> list[tuple[str, int, int]]:
    """Code, line and column of each, in order; 0, 0 where there is no place."""
    return [
        (item.code, item.span.line if item.span else 0, item.span.column if item.span else 0)
        for item in loaded.diagnostics
    ]


def messages(loaded: Loaded) -> str:
    """Everything that is said, for assertions on words."""
    return "\n".join(f"{item.code} {item.message} | {item.hint or ''}" for item in loaded.diagnostics)
