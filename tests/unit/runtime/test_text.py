"""Cleaning text that a tenant or a client wrote: nothing is left that a terminal obeys or that hides."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from wsgigroups.runtime.log import record
from wsgigroups.runtime.text import clean, clean_lines

HARMFUL = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("grüße 漢字 🙂", "grüße 漢字 🙂"),
        ("no\u00a0break\u3000", "no\u00a0break\u3000"),
        ("\x1b]52;c;cm0=\x07", r"\x1b]52;c;cm0=\x07"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("\x9b31m\x7f\x00", r"\x9b31m\x7f\x00"),
        ("\u202eevil\u2066\u200b\ufeff\u061c", r"\u202eevil\u2066\u200b\ufeff\u061c"),
        ("\u2028\u2029\x85", r"\u2028\u2029\x85"),
        ("\udc80\ud800", r"\udc80\ud800"),
        ("\U000e0041", r"\U000e0041"),
        ("", ""),
    ],
)
def test_what_harms_becomes_visible(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned
    assert clean(cleaned) == cleaned


def test_every_character() -> None:
    left = {sign for number in range(sys.maxunicode + 1) for sign in clean(chr(number))}
    assert not {unicodedata.category(sign) for sign in left} & set(HARMFUL)
    "".join(left).encode()  # no half of a pair is left


def test_lines_stay_lines() -> None:
    assert clean_lines("a\n\tb\x1b\r\n\u2028") == "a\n\tb\\x1b\\r\n\\u2028"


def test_a_record_is_one_record() -> None:
    lines = record("who", "error", "first\x1b[2J\n2026 forged\u202e\x85\udc80\tx").decode().splitlines()
    assert lines[1:] == ["    2026 forged\\u202e\\x85\\udc80\tx"]
    assert lines[0].endswith("first\\x1b[2J")
