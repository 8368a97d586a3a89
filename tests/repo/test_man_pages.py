"""The manual pages: one for each command, in the language of man(7)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import man_pages

PAGES = man_pages.pages()
ROOT = Path(__file__).parents[2]
REQUESTS = {".TH", ".SH", ".TP", ".PP", ".B", ".BR", ".nf", ".fi"}


@pytest.mark.parametrize("name", PAGES)
def test_each_page_is_whole(name: str) -> None:
    text = PAGES[name]
    sections = re.findall(r"^\.SH (.*)$", text, re.MULTILINE)
    assert sections[:3] == ["NAME", "SYNOPSIS", "DESCRIPTION"]
    assert sections[-2:] == ["EXIT STATUS", "SEE ALSO"]
    assert {line.split()[0] for line in text.splitlines() if line.startswith((".", "'"))} <= REQUESTS
    assert not re.search(r"(?<!\\)-", text.replace('"', "")), "a dash is one to type"
    assert "\n\n" not in text


def test_there_is_a_page_for_each_command_and_no_other() -> None:
    assert {path.name for path in (ROOT / "man").iterdir()} == set(PAGES)
    assert {"wsgigroups.1", "wsgigroups-apply.1", "wsgigroups-config-show.1"} <= set(PAGES)
