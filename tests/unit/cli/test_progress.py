"""Progress while a change goes on: each step once as a line, or drawn in place on a terminal."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console

from wsgigroups.cli import progress
from wsgigroups.cli.news import SILENCE_S, ChangeNews


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


LISTEN = {
    "groups": [{"name": "blog", "listen": ["127.0.0.1:8000"]}, {"name": "shop", "listen": ["unix:/run/shop.sock"]}]
}


def news(seconds: list[float] | None = None, *, timed: bool = True) -> ChangeNews:
    """What is told of a change, at these moments: the last one stays."""
    moments = seconds or [0.0]
    return ChangeNews(lambda: LISTEN, timed=timed, now=lambda: moments.pop(0) if len(moments) > 1 else moments[0])  # type: ignore[arg-type,return-value]


def told(steps: list[dict[str, Any]], **settings: Any) -> list[str]:
    of = news(**settings)
    return [line for step in steps for line in of.lines(step)]  # type: ignore[arg-type]


def test_lines_say_each_step_once(capsys: pytest.CaptureFixture[str]) -> None:
    shown = progress.display(0, "auto", news())  # standard error is no terminal here
    assert isinstance(shown, progress.Lines)
    for step in story():
        shown.update(step)
    shown.close()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "[0.0s] blog: starting 2 processes",
        "✓ shop ready 1/1 in 0.0 s · unix:/run/shop.sock",
        "[0.0s] blog/1 started (pid 41)",
        "[0.0s] blog/2 started (pid 42)",
        "✓ blog ready 2/2 in 0.0 s · http://127.0.0.1:8000",
    ]


def of_blog(state: str, ready: int, *processes: dict[str, Any], leaving: int = 0, **more: Any) -> dict[str, Any]:
    blog = {"state": state, "ready": ready, "wanted": 2, "leaving": leaving, "processes": list(processes)}
    rest = {"id": 7, "kind": "apply", "revision": 13, "first_life": 3, "finished": False, **more}
    return {**rest, "groups": {"blog": {**blog, **more}}}


OLD = (process(1, 1, "ready", 41), process(2, 2, "ready", 42))


def test_a_successor_is_told_with_whom_it_follows() -> None:
    new = process(1, 3, "ready", 43)
    assert told(
        [
            of_blog("pending", 0, *OLD, process(1, 3, "starting"), leaving=2),
            of_blog("pending", 1, *OLD, new, leaving=2),
            of_blog("pending", 1, process(1, 1, "draining", 41), new, process(2, 2, "ready", 42), leaving=2),
            of_blog("done", 2, new, process(2, 4, "ready", 44)),
        ]
    ) == [
        "[0.0s] blog: replacing 2 processes",
        "[0.0s] blog/1 41 → 43",
        "[0.0s] blog/2 42 → 44",
        "✓ blog ready 2/2 in 0.0 s · revision 13 · http://127.0.0.1:8000",
    ]


def test_one_that_is_ready_at_the_first_look_is_new_all_the_same() -> None:
    """Lives are numbered: those from the change's first on are its doing."""
    steps = [of_blog("pending", 1, *OLD, process(1, 3, "ready", 43), leaving=2)]
    assert told(steps)[1:] == ["[0.0s] blog/1 41 → 43"]
    steps[0]["first_life"] = 0  # not known
    assert told(steps) == ["[0.0s] blog: replacing 2 processes, stopping 1"]


def test_one_that_fails_and_one_that_goes_are_told() -> None:
    failed = of_blog("pending", 0, *OLD, process(1, 3, "backoff"), leaving=2)
    assert told([failed, failed])[1:] == ["[0.0s] blog/1 failed to start"]
    gone = [of_blog("pending", 0, *OLD, process(1, 3, "starting", 43)), of_blog("rolled-back", 2, *OLD)]
    assert told(gone) == ["[0.0s] blog/1 failed to start (pid 43)", "[0.0s] blog: back to what it was"]
    leaving = of_blog("pending", 0, *OLD, process(1, 3, "draining", 43))
    assert told([gone[0], leaving, gone[1]])[0] == "[0.0s] blog/1 stopped before it was ready (pid 43)"
    stopping = [of_blog("pending", 2, *OLD, leaving=1, wanted=1), of_blog("done", 1, OLD[0], wanted=1)]
    assert told(stopping, timed=False) == [
        "[0.0s] blog: replacing 1 process, stopping 1",
        "[0.0s] blog/2 stopped (pid 42)",
        "✓ blog ready 1/1 · revision 13 · http://127.0.0.1:8000",
    ]
    assert told([of_blog("done", 0, wanted=0, kind="stop")]) == ["✓ blog stopped in 0.0 s"]


def test_one_that_waits_to_be_tried_again_before_is_no_news() -> None:
    assert told([of_blog("pending", 0, process(1, 1, "backoff"), process(2, 2, "failed"))]) == [
        "[0.0s] blog: starting 2 processes"
    ]


def test_who_waits_is_never_left_without_a_line() -> None:
    step = of_blog("pending", 1, *OLD, leaving=1)
    moments = [0.0, 0.5, 0.5, SILENCE_S + 0.5]
    assert told([step, step, step], seconds=moments)[1:] == [
        "[10.5s] blog: waiting, 1 of 2 processes ready, 1 old process still there"
    ]


def test_quiet_says_nothing() -> None:
    assert progress.display(-1, "auto", news()) is None


def drawn(*steps: dict[str, Any], height: int = 20, width: int = 60) -> str:
    out = io.StringIO()
    terminal = Console(file=out, force_terminal=True, width=width, height=height, color_system=None, _environ={})
    screen = progress.Screen(terminal, news())
    for step in steps:
        screen.update(step)
    screen.close()
    return out.getvalue()


def test_a_screen_shows_what_is_under_way_and_leaves_what_is_through() -> None:
    text = drawn(*story())
    for words in ("change 7, apply", "1 of 2 groups", "0 of 2 ready", "1 of 2 ready", "blog/2", "starting"):
        assert words in text
    assert text.count("✓ shop ready 1/1") == text.count("✓ blog ready 2/2") == 1
    assert "shop/1" not in text  # through: only its line scrolls by
    assert "\x1b[2K" in text  # drawn anew in place


def test_a_screen_is_never_higher_than_the_terminal() -> None:
    many = change("pending", 0, *(process(slot, slot, "starting") for slot in range(1, 50)), leaving=3)
    text = drawn(many, height=10)
    assert "0 of 2 ready, 3 old processes to stop" in text
    assert max(len(part.splitlines()) for part in text.split("\x1b[2K")) <= 12


def test_what_is_waited_for_while_nothing_changes_is_said_once() -> None:
    steps = []
    for left_s in (5.0, 4.0):
        step = change("pending", 1, process(1, 1, "ready", 41))
        step["groups"]["blog"]["watched_s"] = left_s
        steps.append(step)
    assert [line for line in told(steps) if "watched" in line] == ["[0.0s] blog: what is new is watched for 5 s"]
    step = change("pending", 1, process(1, 1, "ready", 41), leaving=1)
    step["groups"]["blog"]["watched_s"] = 4.2
    text = re.sub(r"\s+", " ", drawn(step, width=120))
    assert "1 of 2 ready, 1 old process to stop, what is new is watched for 4.2 s" in text
