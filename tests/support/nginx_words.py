"""How nginx reads a configuration, without nginx: its words."""

from __future__ import annotations


def words(text: str) -> list[str]:
    """Return what nginx reads: words, those in quotes with `=` before them, and the marks ; { } between.

    As ngx_conf_read_token has it: a backslash keeps a quote, an apostrophe or a backslash, and makes of t, r and n what
    they stand for.
    """
    found: list[str] = []
    position = 0
    while position < len(text):
        character = text[position]
        if character in " \t\r\n":
            position += 1
        elif character == "#":
            position = (text + "\n").index("\n", position)
        elif character in ";{}":
            found.append(character)
            position += 1
        elif character in "\"'":
            item, position = _quoted(text, position + 1, character)
            found.append(item)
        else:
            start = position
            while position < len(text) and text[position] not in " \t\r\n;":
                position += 1
            found.append(text[start:position])
    return found


def _quoted(text: str, position: int, quote: str) -> tuple[str, int]:
    kept = "="
    while text[position] != quote:
        following = text[position + 1]
        if text[position] == "\\" and following in "\"'\\trn":
            kept += {"t": "\t", "r": "\r", "n": "\n"}.get(following, following)
            position += 2
        else:
            kept += text[position]
            position += 1
    after = text[position + 1 : position + 2]
    assert after in ("", " ", "\n", ";", "{", ")"), (
        f"nginx wants a space behind a quoted word: {text[: position + 9][-60:]}"
    )
    return kept, position + 1
