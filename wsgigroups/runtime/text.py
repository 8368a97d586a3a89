"""The one function that cleans text which a tenant or a client can have written, before a terminal or a log has it.

Runs anywhere. What a terminal would obey, what moves other text about and what cannot be seen becomes an escape that
can: controls (C0, DEL, C1), so ESC and line ends too, directions (U+202A…U+202E, U+2066…U+2069), invisible format
characters, line and paragraph separators, lone surrogates, and characters that nobody has assigned.
"""

from __future__ import annotations

import unicodedata

_SPACES = "Zs"  # a no-break or an ideographic space is not printable for Python, and does no harm


def clean(text: str, keep: str = "") -> str:
    r"""Return the text with every harmful character as `\n`, `\x1b`, `\u202e`; those in `keep` stay as they are."""
    if text.isprintable():
        return text
    return "".join([character if _is_harmless(character, keep) else _escape(character) for character in text])


def clean_lines(text: str) -> str:
    """Return a text of several lines, each of them clean; tabs stay. The caller sets its lines apart from others."""
    return clean(text, "\n\t")


def _is_harmless(character: str, keep: str) -> bool:
    return character.isprintable() or character in keep or unicodedata.category(character) == _SPACES


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
