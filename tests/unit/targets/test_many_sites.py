"""What many sites cost: no line of Python is run more often than there are sites, times a constant."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from wsgigroups.cli.loading import certain_here
from wsgigroups.config import load
from wsgigroups.gateway import routing
from wsgigroups.plan.planner import plan
from wsgigroups.runtime.gateway.router import Router
from wsgigroups.runtime.wire.routes import from_text
from wsgigroups.targets.once import Targets
from wsgigroups.targets.resolve import resolve, surroundings

FEW, TWICE = 100, 200
MOST = 2.5  # times as often


def written(directory: Path, count: int, kind: str) -> Path:
    """Sites that share a group; with an application each; or with a group each."""
    text = 'version = 1\n[groups.shared]\napp = "plain:application"\nhome = "/"\n'
    for number in range(count):
        site = f'sites."site-{number}.test"'
        group = f"own{number}" if kind == "a group each" else "shared"
        text += f'[{site}]\nlisten = ["127.0.0.1:8000"]\nprocess-group = "{group}"\n[[{site}.mounts]]\npath = "/"\n'
        if kind == "an application each":
            text += f'app = "plain{number}:application"\n'
        elif kind == "a group each":
            text += f'[{site}.groups.{group}]\napp = "plain:application"\nhome = "/"\n'
    path = directory / f"{count}.toml"
    path.write_text(text)
    return path


Lines = Counter[tuple[str, int]]  # of a file


def lines_of(work: Callable[[], Any]) -> tuple[Any, Lines]:
    """Do it; return what it returns, and how often each line of Python was run for it."""
    lines: Lines = Counter()

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        if event == "line":
            lines[frame.f_code.co_filename, frame.f_lineno] += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        return work(), lines
    finally:
        sys.settrace(before)


def all_of_it(path: Path) -> Lines:
    """The lines of all steps from the file to the tables of a gateway."""
    around = surroundings(*(path.parent / name for name in ("run", "log", "state")))

    def work() -> None:
        loaded = load([path], variables={}, check=certain_here())
        assert loaded.configuration, loaded.diagnostics
        targets = resolve(loaded.configuration, around)
        plan(targets, {}, lambda _digest: {}).to_json()
        assert targets["@gateway"].routing
        Router(from_text(targets["@gateway"].routing.text))

    return lines_of(work)[1]


@pytest.mark.parametrize("kind", ["one group", "an application each", "a group each"])
def test_no_line_is_run_four_times_as_often_for_twice_as_many_sites(tmp_path: Path, kind: str) -> None:
    few, twice = (all_of_it(written(tmp_path, count, kind)) for count in (FEW, TWICE))
    often = {line: (few[line], count) for line, count in twice.items() if count > 10 * TWICE}
    assert often, "nothing was counted"
    assert {line: counts for line, counts in often.items() if counts[1] > MOST * counts[0]} == {}


def test_routes_that_were_planned_are_not_made_again_to_be_applied(tmp_path: Path) -> None:
    path = written(tmp_path, FEW, "one group")
    around = surroundings(*(tmp_path / name for name in ("run", "log", "state")), digest_key=b"k")
    known = Targets()
    configuration = load([path], variables={}).configuration
    assert configuration

    def made(lines: Lines) -> bool:
        return any(file == routing.__file__ and count >= FEW for (file, _line), count in lines.items())

    planned, first = lines_of(lambda: resolve(configuration, around, known)["@gateway"])
    applied, again = lines_of(lambda: resolve(configuration, around, known)["@gateway"])
    assert applied is planned
    assert made(first)
    assert sum(again.values()) < sum(first.values())
    other = load([path], variables={}).configuration  # the file may say something else now
    assert other
    assert resolve(other, around, known)["@gateway"] is not planned
