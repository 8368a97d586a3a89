"""What differs between mod_wsgi and this project is known, has a reason, and is written in docs/conformance.md."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.conformance.apache import missing
from support.conformance.case import Case, Row, better, faults, rows
from support.conformance.cases import CASES, PARTS
from support.conformance.page import make_page
from support.conformance.running import compare
from support.tree import ROOT


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """Both servers' answers: they are asked once for all tests."""
    if absent := missing():
        pytest.skip(f"{', '.join(absent)} not installed")
    return compare(CASES, tmp_path_factory.mktemp("conformance"))


@pytest.mark.root
def test_every_difference_has_a_sentence_and_every_sentence_a_difference(found: list[Row]) -> None:
    unexplained = faults(found)
    assert not unexplained, "\n".join(unexplained)


@pytest.mark.root
def test_the_page_is_what_the_servers_say(found: list[Row]) -> None:
    page = Path(ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    assert make_page(PARTS, found).splitlines() == page.splitlines(), "make conformance writes it again"


def case(*explained: str) -> Case:
    return Case("one", "", lambda _asked: {}, apart=better("It is quicker.", *explained))


def test_a_difference_without_a_sentence_is_a_fault() -> None:
    assert faults(rows(case(), {"a": "1", "b": "2"}, {"a": "1", "b": "3"})) == [
        "one, b: not explained: '2' there, '3' here"
    ]


def test_a_sentence_without_a_difference_is_a_fault() -> None:
    same = {"a": "1"}
    assert faults(rows(case("a"), same, same)) == ["one, a: explained, and the same: '1' there, '1' here"]
    assert faults(rows(case("gone"), same, same)) == ["one, gone: explained, and the same: '–' there, '–' here"]


def test_a_fact_that_one_side_lacks_is_a_difference() -> None:
    assert faults(rows(case(), {"a": "1"}, {})) == ["one, a: not explained: '1' there, '–' here"]
    assert faults(rows(case("a"), {}, {"a": "1"})) == []


def test_no_two_cases_have_one_name() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    assert all(sentence.why.endswith(".") for case in CASES for sentence in case.apart.values())
