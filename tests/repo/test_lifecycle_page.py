"""docs/lifecycle.md shows the table as it is."""

from __future__ import annotations

from pathlib import Path

from wsgigroups.lifecycle.diagram import diagram, table

PAGE = Path(__file__).parents[2] / "docs" / "lifecycle.md"


def test_the_page_has_the_diagram_and_the_table() -> None:
    text = PAGE.read_text()
    assert diagram() in text, "run `make schemas`"
    assert table() in text, "run `make schemas`"
