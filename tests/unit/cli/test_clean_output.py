"""Every command that shows what a tenant or a client can have written shows it clean."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from wsgigroups.cli import events, failures, history_table, outcomes, output, planning, status_table, why
from wsgigroups.errors import WsgigroupsError

EVIL = "boom\x1b]52;c;cm0=\x07\n  web/1  ready\u202e\x9b\udc80"
CLEAN = r"boom\x1b]52;c;cm0=\x07"


def error(message: str = EVIL) -> dict[str, Any]:
    return {"slot": 1, "life": 7, "step": "import", "message": message, "traceback": f"Traceback\n{message}"}


def group() -> dict[str, Any]:
    process = {
        "slot": 1,
        "pid": 1,
        "life": 7,
        "state": "ready",
        "uptime_s": 1.0,
        "requests_total": 0,
        "cpu_s": 0.0,
        "requests_active": 0,
        "requests_queued": 0,
        "rss_bytes": 0,
        "retry_in_s": None,
        "last_exit": EVIL,
        "failures": 0,
        "last_death": None,
    }
    return {
        "name": "web",
        "state": "failed",
        "processes_ready": 0,
        "processes_wanted": 1,
        "requests_total": 0,
        "requests_active": 0,
        "requests_queued": 0,
        "user": EVIL,
        "python": EVIL,
        "listen": [EVIL],
        "threads": 2,
        "log": "/x",
        "last_error": error(),
        "processes": [process],
        "scaled": None,
        "cleanup": "cgroup",
        "not_in_force": {"tasks-max": EVIL},
        "unreachable": {EVIL: EVIL},
        "restarts": 0,
    }


def status() -> dict[str, Any]:
    return {
        "manager": {"pid": 1, "uptime_s": 1.0, "version": "1", "cleanup": "cgroup"},
        "revision": 1,
        "groups": [group()],
    }


def plan() -> dict[str, Any]:
    reason = {"option": EVIL, "old": EVIL, "new": EVIL, "effect": "live", "why": ""}
    cost = dict.fromkeys(
        ("processes_replaced", "processes_started", "processes_stopped", "duration_s", "surge_bytes"), 0
    )
    steps = [{"group": "web", "kind": kind, "sign": "~", "reasons": [reason], "cost": cost} for kind in ("add", "live")]
    counts = dict.fromkeys(("add", "replace", "rebind", "live", "scale", "remove"), 0)
    return {"notices": [EVIL], "empty": False, "steps": steps, "counts": counts}


def change() -> dict[str, Any]:
    failed = {"state": "failed", "error": error(), "ready": 0, "wanted": 1}
    returned = {**failed, "state": "rolled-back", "ready": 1}
    overtaken = {**failed, "state": "overtaken", "error": {**error(), "life": 0}}
    groups = {"web": failed, "shop": returned, "blog": overtaken}
    return {"id": 3, "revision": 2, "running_revision": 1, "groups": groups}


def event() -> dict[str, Any]:
    at = {"number": 1, "at": "2026-01-31T09:12:04.113Z", "kind": "died"}
    return {**at, "group": EVIL, "slot": 1, "life": 2, "pid": 3, "change": None, "text": EVIL}


COMMANDS: dict[str, Callable[[], object]] = {
    "status": lambda: status_table.show_status(status(), "never"),
    "history": lambda: history_table.show_history(
        [
            {"revision": 1, "accepted_at": "x", "outcome": "done", "by": EVIL, "error": "", "running": True},
            {"revision": 2, "accepted_at": "", "outcome": "unreadable", "by": "", "error": EVIL, "running": False},
        ],
        "never",
    ),
    "events": lambda: events.show({"events": [event()]}, "text"),
    "why": lambda: print("\n".join(why.sentences(group()))),
    "apply": lambda: outcomes.explain_change(change()),
    "plan": lambda: planning.show_plan(plan(), "never"),
    "an error": lambda: failures.explain(WsgigroupsError(EVIL, hint=EVIL), 0),
    "an internal error": lambda: failures.explain(ValueError(EVIL), 1),
    "a file": lambda: failures.explain(OSError(2, "no such file", EVIL), 0),
}


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("COLUMNS", "2000")
    return


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_shown_is_clean(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    COMMANDS[command]()
    shown = "".join(capfd.readouterr())
    assert CLEAN in shown
    assert not [sign for sign in "\x1b\x07\u202e\x9b\udc80" if sign in shown]
    forged = [line for line in shown.splitlines() if line.startswith("  web/1  ready")]
    assert not forged


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_data_is_the_same_and_clean(form: str, capfd: pytest.CaptureFixture[str]) -> None:
    value = {"plain": "grüße 漢字", "evil": EVIL.replace("\udc80", "") + "\U000e0041\x7f", "lines": ["a\nb"]}
    output.write_data(value, form)
    shown = capfd.readouterr().out
    assert not [sign for sign in "\x1b\x07\u202e\x9b\U000e0041\x7f" if sign in shown]
    if form == "json":
        assert json.loads(shown) == value
        assert "grüße" in shown
    else:
        from ruamel.yaml import YAML

        assert YAML(typ="safe", pure=True).load(shown) == value


def test_data_without_harm_is_left_as_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    output.write_data({"plain": "grüße"}, "yaml")
    assert capfd.readouterr().out == "plain: grüße\n"


def test_a_name_that_is_not_utf_8_survives_in_json(capfd: pytest.CaptureFixture[str]) -> None:
    output.write_data({"name": "b\udcff"}, "json")
    assert json.loads(capfd.readouterr().out) == {"name": "b\udcff"}


def test_nothing_of_a_text_becomes_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    output.plain_console("never").print("cannot open :bell: of [bold]a[/bold]")
    assert capsys.readouterr().out == "cannot open :bell: of a\n"
