"""Valid files, changed at random: the loader never raises, and what it says points into the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wsgigroups.config import Loaded, load
from wsgigroups.config.reports import FORMATS, renderer
from wsgigroups.config.reports.text import render

SAMPLES = Path(__file__).parents[2] / "sample-configs"
SEEDS = sorted(path for path in SAMPLES.iterdir() if path.suffix in (".toml", ".yaml"))
CORPUS = sorted((Path(__file__).parent / "corpus" / "config").glob("*"))
PIECES = [
    "[",
    "]",
    "{",
    "}",
    '"',
    "'",
    "=",
    ":",
    ",",
    "#",
    "\n",
    "\t",
    " ",
    "-",
    "&a",
    "*a",
    "!!str ",
    "<<",
    "|",
    ">",
    "?",
]
PIECES += [
    '"""',
    "'''",
    "\\u0000",
    "\\",
    "null",
    "true",
    "1e999",
    "-0",
    "${A}",
    "$${",
    "\x00",
    "\ufeff",
    "é",
    "\u2028",
    "0" * 400,
]
PIECES += [
    "version",
    "groups",
    "[groups.x]\n",
    "[[",
    "a.b.c",
    "sites:",
    "include = ['*.toml']\n",
    "---\n",
    "...\n",
    "%YAML 3.0\n",
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutations")


def assert_sound(loaded: Loaded) -> None:
    """Everything that is said has a place that exists, and every format can carry it."""
    for item in loaded.diagnostics:
        for file, span in [(item.file, item.span), *((related.file, related.span) for related in item.related)]:
            source = loaded.source(file)
            assert source is not None, item
            if span is None:
                continue
            lines = source.text.split("\n")
            assert 1 <= span.line <= span.end_line <= len(lines) + 1, item
            assert 1 <= span.column <= len(lines[span.line - 1]) + 1, item
            assert (span.line, span.column) <= (span.end_line, span.end_column), item
        assert item.message
        assert "\n" not in item.message
    failed = any(item.severity.value == "error" for item in loaded.diagnostics)
    assert (loaded.configuration is None) is failed
    text = render(loaded.diagnostics, loaded.source, color=False)
    assert all(sign.isprintable() or sign == "\n" for sign in text)
    for output in FORMATS:
        if output != "text":
            renderer(output)(loaded.diagnostics, [])


@st.composite
def mutated(draw: Any) -> tuple[str, bytes]:
    """A sample after a few insertions, deletions, copies and changed bytes."""
    path = draw(st.sampled_from(SEEDS))
    text = path.read_text(encoding="utf-8")
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        kind = draw(st.sampled_from(["delete", "insert", "copy", "random"]))
        if kind == "delete":
            text = text[:start] + text[end:]
        elif kind == "insert":
            text = text[:start] + draw(st.sampled_from(PIECES)) + text[start:]
        elif kind == "copy":
            at = draw(st.integers(0, len(text)))
            text = text[:at] + text[start:end] + text[at:]
        else:
            text = text[:start] + draw(st.text(max_size=5)) + text[end:]
    data = text.encode("utf-8", "surrogatepass")
    if draw(st.booleans()) and data:
        at = draw(st.integers(0, len(data) - 1))
        data = data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]
    return path.suffix, data


@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(mutation=mutated())
def test_no_change_of_a_file_raises(directory: Path, mutation: tuple[str, bytes]) -> None:
    suffix, data = mutation
    path = directory / f"groups{suffix}"
    path.write_bytes(data)
    assert_sound(load([path], variables={}))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))))
def test_no_file_at_all_raises(directory: Path, data: bytes) -> None:
    for suffix in (".toml", ".yaml"):
        path = directory / f"any{suffix}"
        path.write_bytes(data)
        assert_sound(load([path], variables={}))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_what_fuzzing_kept(path: Path, directory: Path) -> None:
    """Inputs that a fuzzer found worth keeping: each reaches code that the others do not."""
    data = path.read_bytes()
    for suffix in (".toml", ".yaml"):
        target = directory / f"kept{suffix}"
        target.write_bytes(data)
        assert_sound(load([target], variables={}))
