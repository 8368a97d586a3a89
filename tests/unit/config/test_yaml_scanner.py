"""The faster scanner gives the tokens of ruamel.yaml's own, at the same places, and refuses the same texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from wsgigroups.config import yaml_scanner
from wsgigroups.config.yaml_scanner import BudgetError, make_reader

ROOT = Path(__file__).parents[3]
FILES = [
    *sorted((ROOT / "tests" / "property" / "corpus" / "config").iterdir()),
    *sorted(path for path in ROOT.joinpath("sample-configs").rglob("*") if path.suffix == ".yaml"),
]
TEXTS = [
    "a: b c  d   # e\n",
    "a: b:c :d 'e\n",
    "a:   \n  b\n  c\n\n  d\n",
    "{a: b, c?d: e:f, g: [h i , j]}",
    "[a:b, c: d, ? e : f]",
    "- a\n-   # b\n\n\n-  - c\n   - d\n",
    "a: 'x\n  y'\nb: |\n  c\n\n  d\ne: >-\n  f\n",
    "--- a\n... \n--- b\n",
    "%YAML 1.1\n--- {a?: b?c}\n",
    "%YAML 1.2\n--- {a?: b?c}\n",
    "a\r\nb: c\rd: e\n",
    "a: b\x85c: d\u2028e: f\u2029g\n",
    "\ufeffa: b\n",
    "a: b\ufeffc d: e\n",
    "# \ufeff\na: b\ufeff\n c\n",
    "a:\tb\n\tc: d\n",
    "a: b #c\n#d\n  #e\nf: g#h\n",
    "&a b: *a\n? &c d\n: !!str e\n",
    "a: b\n c: d\n",
    "a: 日本 語\n語: x\n",
    "a: -1\n-b: --\n---c: d\n",
    "a: " + ":b" * 3000 + "\n",
    "\n" * 3000 + "a: b\n" + "#\n" * 3000,
    "a: 'b': c\n",
    "]",
    "a: {b\n",
    "",
    "\0",
    "key" * 500 + ": x\n",
    "a\n b: c\n",
    "a: b\nc: d\n e: f\n",
    "a: b\n  c\nd: e\n",
    "a: b\n # c\nd: e\n",
    "a: b\n---\nc: d\n...\n",
    "a: b\n--- c\n",
    "a:\n  b: c\n  d: e\nf: g\n",
    "- a: b\n  c: d\n- e: f\n",
    "a: b:c:d\ne: f:\ng: h: i\n",
    "&x a: b\n!t c: d\n",
    "? a: b\n: c: d\n",
    "'a'\nb: c\n",
    "a: b\n\n\nc: d",
    "  a: b\n c: d\n",
    "a: b\n  ",
    "{a: b\n, c: d\n}",
    "%YAML 1.1\n---\na: b\nc: d\n",
]


def events(reader: YAML, text: str) -> list[Any]:
    """What can be seen of each event; in the end, what was wrong and where."""
    found: list[Any] = []
    try:
        for event in reader.parse(text):
            marks = [(mark.index, mark.line, mark.column) for mark in (event.start_mark, event.end_mark)]
            names = ("anchor", "tag", "value", "style", "implicit", "explicit", "version", "flow_style")
            found.append((type(event).__name__, marks, [str(getattr(event, name, None)) for name in names]))
    except MarkedYAMLError as error:
        mark = error.problem_mark
        found.append(
            (type(error).__name__, error.context, error.problem, mark and (mark.index, mark.line, mark.column))
        )
    except (YAMLError, ValueError, AttributeError, AssertionError, IndexError, TypeError, RecursionError) as error:
        found.append(type(error).__name__)
    return found


def check(text: str) -> None:
    assert events(make_reader(), text) == events(YAML(typ="safe", pure=True), text)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:24]))
def test_tokens_are_the_same(text: str) -> None:
    check(text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_are_the_same(path: Path) -> None:
    check(path.read_bytes().decode("utf-8", "replace"))


WORDS = st.sampled_from(
    [
        *"ab:?-,[]{}#&*!|>'\"%@`\\ \t\n\r\x85\u2028\ufeff",
        "  ",
        "\n  ",
        "\n\n",
        ": ",
        "- ",
        "? ",
        "é",
        "---\n",
        "a: b\n",
        "c: d:e\n",
    ]
)


@given(st.lists(WORDS, max_size=60).map("".join))
def test_whatever_is_written_is_the_same(text: str) -> None:
    check(text)


def test_the_budget_ends_what_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_scanner, "MAXIMUM_STEPS", 100)
    with pytest.raises(BudgetError) as caught:
        list(make_reader().parse("a: '" + "b ''" * 1000 + "'\n"))
    assert 50 < caught.value.index < 400
    list(make_reader().parse("# comment\n" * 5000 + "a: " + "b" * 50000))
