"""The tree is tidy: files have their places and sizes, tests wait for facts, nothing speaks of a machine."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from support.tree import ROOT, calls, files, parsed, python_files

LONGEST_FILE_LINES = 500
PLACES = [
    r"(LICENSE|Makefile|(README|CHANGELOG|CODE_OF_CONDUCT|CONTRIBUTING|SECURITY)\.md|mkdocs\.yml|(pyproject\.toml|uv\.lock)|\.gitignore|action\.yml|\.pre-commit-(config|hooks)\.yaml)",
    r"\.ci/run",
    r"\.github/(workflows|ISSUE_TEMPLATE)/[a-z]+\.yml",
    r"hatch_build\.py",
    r"benchmarks/.*\.(py|lua|md|json|png)",
    r"docs/.*\.(md|svg)",
    r"docs/pictures/[a-z-]+\.png",
    r"sample-configs/.*",
    r"schemas/[a-z.-]+\.json",
    r"man/wsgigroups(-[a-z]+)*\.1",
    r"wsgigroups/config/generated/[a-z.]+\.json",
    r"tests/.*",
    r"tools/([a-z_]+\.py|constraints\.txt|releases\.toml)",
    r"wsgigroups/([a-z_]+/)*[a-z_0-9]+\.py",
    r"wsgigroups/py\.typed",
    r"wsgigroups/runtime/spawner/started\.txt",
    r"wsgigroups/web/static/[a-z]+\.(css|html|js|svg)",
    r"wsgigroups/runtime/_accelerator(\.(c|pyi)|_(link|gateway)\.h)",
]
NAMES_A_MACHINE = re.compile(r"/(?:work|farm|root)/(?!\.\.)[A-Za-z.]")
UNFINISHED = re.compile(r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b|\bfor" + r" now\b")
WRITTEN_BY_MACHINES = {"wsgigroups/client/answers.py"}  # whose length is that of what they are made from
PAUSES = {"pause", "read", "receive", "recv", "select", "wait", "wait_for_more"}
SLEEPS = {"time.sleep", "asyncio.sleep", "sleep", "trio.sleep"}


def test_every_file_has_a_place() -> None:
    allowed = re.compile("|".join(f"(?:{pattern})" for pattern in PLACES))
    strangers = [str(path) for path in files() if not allowed.fullmatch(str(path))]
    assert not strangers, f"no place for {strangers}: put them where they belong, or add the place"


def test_no_file_is_too_long() -> None:
    for path in python_files(""):
        if str(path) in WRITTEN_BY_MACHINES:
            continue
        lines = (ROOT / path).read_text(encoding="utf-8", errors="replace").count("\n")
        assert lines <= LONGEST_FILE_LINES, f"{path} has {lines} lines: split it by responsibility"


def test_modules_say_what_they_are() -> None:
    for path in python_files("wsgigroups", "tools", "benchmarks", "tests"):
        if "broken" not in path.parts and (ROOT / path).stat().st_size:
            assert ast.get_docstring(parsed(path)), f"{path} has no docstring"


def test_tests_wait_for_facts() -> None:
    for path in python_files("tests"):
        if Path("tests/apps") not in path.parents:
            found = [f"{path}:{line}" for line, name in calls(path) if name in SLEEPS]
            assert not found, f"{found} sleep: wait for a fact (a pipe, select, readiness, a gate)"


def test_tests_pause_between_two_looks() -> None:
    """A loop that ends at a time does nothing but look: without a pause it takes a processor from what it waits for."""
    for path in python_files("tests/support", "tests/process", "tests/security", "tests/foreign"):
        for loop in ast.walk(parsed(path)):
            if isinstance(loop, ast.While) and _ends_at_a_time(loop):
                called = {name.rpartition(".")[2] for name in _called(loop)}
                assert called & PAUSES, f"{path}:{loop.lineno} looks all the time: support.looking.pause()"


def _ends_at_a_time(loop: ast.While) -> bool:
    compared = [node for node in ast.walk(loop) if isinstance(node, ast.Compare)]
    return any("time.monotonic" in _called(node) for node in compared)


def _called(node: ast.AST) -> set[str]:
    return {ast.unparse(inner.func) for inner in ast.walk(node) if isinstance(inner, ast.Call)}


@pytest.mark.parametrize(("pattern", "what"), [(NAMES_A_MACHINE, "names a machine's path"), (UNFINISHED, "unfinished")])
def test_texts_speak_of_the_project_alone(pattern: re.Pattern[str], what: str) -> None:
    for path in files():
        if path.suffix == ".png" or path == Path("tests/repo/test_tidy.py"):
            continue
        text = (ROOT / path).read_text(encoding="utf-8", errors="replace")
        found = [f"{path}:{number}" for number, line in enumerate(text.splitlines(), 1) if pattern.search(line)]
        assert not found, f"{what}: {found}"


def test_packages_have_no_module_level_state_in_the_core() -> None:
    """The pure packages keep nothing between calls: no `global`."""
    for path in python_files("wsgigroups/plan", "wsgigroups/lifecycle", "wsgigroups/config"):
        assert not [node for node in ast.walk(parsed(path)) if isinstance(node, ast.Global)], path
