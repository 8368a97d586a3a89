"""Progress while a change goes on: each step once as a line, or drawn in place on a terminal."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console

from wsgigroups.cli import progress


def process(slot: int, life: int, state: str, pid: int | None = None) -> dict[str, Any]:
    return {"slot": slot, "life": life, "pid": pid, "state": state}


def change(state: str, ready: int, *processes: dict[str, Any], leaving: int = 0) -> dict[str, Any]:
    blog = {"state": state, "ready": ready, "wanted": 2, "leaving": leaving, "processes": list(processes)}
    done = {"state": "done", "ready": 1, "wanted": 1, "leaving": 0, "processes": [process(1, 9, "ready", 99)]}
    return {"id": 7, "kind": "apply", "finished": state != "pending", "groups": {"blog": blog, "shop": done}}


def story() -> list[dict[str, Any]]:
    first, second = process(1, 1, "starting"), process(2, 2, "starting", 42)
    return [
        change("pending", 0, first, second),
        change("pending", 1, process(1, 1, "ready", 41), second),
        change("pending", 1, process(1, 1, "ready", 41), second),
        change("done", 2, process(1, 1, "ready", 41), process(2, 2, "ready", 42)),
    ]


def test_lines_say_each_step_once(capsys: pytest.CaptureFixture[str]) -> None:
    shown = progress.display(0, "auto")  # standard error is no terminal here
    assert isinstance(shown, progress.Lines)
    for step in story():
        shown.update(step)
    shown.close()
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert all(re.match(r" *\d+\.\d\ds  ", line) for line in lines)
    assert [line.split("s  ", 1)[1] for line in lines] == [
        "blog/1 life 1: starting", "blog/2 life 2 pid 42: starting", "shop/1 life 9 pid 99: ready", "shop: done",
        "blog/1 life 1 pid 41: ready", "blog/2 life 2 pid 42: ready", "blog: done",
    ]  # fmt: skip


def test_quiet_says_nothing() -> None:
    assert progress.display(-1, "auto") is None


def drawn(*steps: dict[str, Any], height: int = 20, width: int = 60) -> str:
    out = io.StringIO()
    terminal = Console(file=out, force_terminal=True, width=width, height=height, color_system=None, _environ={})
    screen = progress.Screen(terminal)
    for step in steps:
        screen.update(step)
    screen.close()
    return out.getvalue()


def test_a_screen_shows_what_is_under_way_and_leaves_what_is_through() -> None:
    text = drawn(*story())
    for words in ("change 7, apply", "1 of 2 groups", "0 of 2 ready", "1 of 2 ready", "blog/2 life 2", "starting"):
        assert words in text
    assert text.count("shop: done") == text.count("blog: done") == 1
    assert "shop/1" not in text  # through: only its line scrolls by
    assert "\x1b[2K" in text  # drawn anew in place


def test_a_screen_is_never_higher_than_the_terminal() -> None:
    many = change("pending", 0, *(process(slot, slot, "starting") for slot in range(1, 50)), leaving=3)
    text = drawn(many, height=10)
    assert "0 of 2 ready, 3 to leave" in text
    assert max(len(part.splitlines()) for part in text.split("\x1b[2K")) <= 12


def test_what_is_waited_for_while_nothing_changes_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    shown = progress.Lines()
    for left_s in (5.0, 4.0):
        step = change("pending", 1, process(1, 1, "ready", 41))
        step["groups"]["blog"]["watched_s"] = left_s
        shown.update(step)
    said = [line for line in capsys.readouterr().err.splitlines() if "has to last" in line]
    assert [line.split("s  ", 1)[1] for line in said] == ["blog: what is new has to last for 5 s"]
    step = change("pending", 1, process(1, 1, "ready", 41), leaving=1)
    step["groups"]["blog"]["watched_s"] = 4.2
    assert "1 of 2 ready, 1 to leave, what is new has to last for 4.2 s" in re.sub(r"\s+", " ", drawn(step, width=120))
