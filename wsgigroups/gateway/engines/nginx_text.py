"""Texts of a configuration as words of an nginx.conf: nothing in them means anything to nginx. Pure.

nginx reads words in double quotes with \\ before ", ' and \\. Many directives take $NAME for a variable afterwards, and
have no way to say a dollar sign: it comes from a variable, DOLLAR, whose value nothing is looked for in.
"""

from __future__ import annotations

import re

from wsgigroups.errors import WsgigroupsError

DOLLAR = "wsgigroups_dollar"
WORD_BYTES = 2048  # of a page in one word: nginx refuses those that do not fit into its buffer of 4096 bytes
_LONGEST_WORD_BYTES = 3072
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NAME = re.compile(r"(?:\*\.)?[a-z0-9_-][a-z0-9._:-]*|\[[0-9a-f.:]+\]")


class RenderError(WsgigroupsError):
    """What another program cannot be told."""


def word(text: str, what: str) -> str:
    """Return a text as one word, for a directive without variables. Raises RenderError; what: it is, for people."""
    if _CONTROL.search(text):
        raise RenderError(f"cannot render {what} {text!r}: nginx cannot be told control characters")
    return _quoted(text, what)


def literal(text: str, what: str) -> str:
    """Return a text as one word for a directive that looks for variables in it. Raises RenderError."""
    return word(text, what).replace("$", f"${{{DOLLAR}}}")


def plain_word(text: str, what: str) -> str:
    """Return a text as one word for a directive that looks for variables and must not find one. Raises RenderError."""
    if "$" in text:
        raise RenderError(f"cannot render {what} {text!r}: nginx would look for a variable behind its $")
    return word(text, what)


def page_words(text: str) -> list[str]:
    """Return the words that a page is, one behind the other, for a directive without variables. Raises RenderError."""
    if "\0" in text:
        raise RenderError("cannot render a page for errors: it has a NUL")
    parts: list[str] = []
    part, size = "", 0
    for character in text:
        step = len(character.encode("utf-8", "surrogateescape"))
        if size + step > WORD_BYTES // 2:  # each may need a \ before it
            parts.append(part)
            part, size = "", 0
        part, size = part + character, size + step
    return [_quoted(item, "a page") for item in [*parts, part]]


def expression(text: str) -> str:
    """Return a regular expression for exactly this text."""
    return re.escape(text)


def host_name(text: str) -> str:
    """Return a name for `server_name`. Raises RenderError for one that would be an expression or anything else."""
    if _NAME.fullmatch(text) is None:
        raise RenderError(f"cannot render the name {text!r}: nginx takes host names only")
    return f'"{text}"'


def seconds(value: float, unlimited: str = "240h") -> str:
    """Return a time; 0 turns a limit off, which nginx has no word for."""
    return f"{max(1, round(value * 1000))}ms" if value > 0 else unlimited


def _quoted(text: str, what: str) -> str:
    if len(text.encode("utf-8", "surrogateescape")) > _LONGEST_WORD_BYTES:
        raise RenderError(f"cannot render {what} {text[:60]!r}…: it is longer than nginx reads")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
