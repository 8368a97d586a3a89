"""The catalogue and the code agree: every code that is reported is described, every one described is reported."""

from __future__ import annotations

import re
from pathlib import Path

from wsgigroups.config.codes import CODES

PACKAGE = Path(__file__).parents[3] / "wsgigroups"


def test_codes_in_the_program_are_those_of_the_catalogue() -> None:
    used: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        if "codes" not in path.parts:
            used |= set(re.findall(r'"(WG\d{4})"', path.read_text(encoding="utf-8")))
    assert used - set(CODES) == set(), "reported and not described"
    assert set(CODES) - used == set(), "described and never reported"


def test_codes_are_in_order_and_titles_are_unique() -> None:
    assert list(CODES) == sorted(CODES)
    titles = [entry.title for entry in CODES.values()]
    assert len(set(titles)) == len(titles)
