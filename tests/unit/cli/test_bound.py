"""An apply whose plan is out of date: shown again, asked for again, refused where nobody can be asked."""

from __future__ import annotations

from typing import Any

import click
import pytest

from wsgigroups.cli.bound import begin_bound
from wsgigroups.errors import MovedError


def plan(number: int, kind: str = "replace") -> dict[str, Any]:
    cost = {"processes_replaced": 1, "processes_started": 0, "processes_stopped": 0, "duration_s": None}
    step = {
        "group": "a",
        "kind": kind,
        "sign": "±",
        "reasons": [],
        "cost": {**cost, "surge_processes": 1, "surge_bytes": None},
    }
    counts = dict.fromkeys(("add", "replace", "rebind", "live", "scale", "adopt", "remove", "start"), 0) | {kind: 1}
    return {"steps": [step], "empty": False, "counts": counts, "notices": [], "precondition": {"revision": number}}


BEGUN: dict[str, Any] = {"change": 7, "moved": [], "plan": None}


class Manager:
    """Its revision is 2: what was planned against another one is refused."""

    def __init__(self, kind: str = "replace") -> None:
        self.kind = kind

    def begin(self, shown: dict[str, Any]) -> dict[str, Any]:
        if shown["precondition"]["revision"] != 2:
            raise MovedError(("revision 2 is in force, not 1",))
        return BEGUN

    def again(self) -> dict[str, Any]:
        return plan(2, self.kind)


def bound(manager: Manager, *, kind: str = "replace", yes: bool = False) -> dict[str, Any] | None:
    return begin_bound(plan(1, kind), manager.begin, manager.again, yes=yes, color="never")


def test_a_plan_that_does_no_more_goes_on_and_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert bound(Manager()) == BEGUN
    said = capsys.readouterr()
    assert "The state has changed since the plan was made: revision 2 is in force, not 1" in said.err
    assert "± a" in said.out


def test_a_plan_that_does_more_is_refused_where_nobody_can_be_asked() -> None:
    with pytest.raises(MovedError):
        bound(Manager("replace"), kind="live")
    assert bound(Manager("replace"), kind="live", yes=True) == BEGUN


def test_on_a_terminal_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([True, False])

    def confirm(_text: str, **_options: Any) -> bool:
        if not next(answers):
            raise click.Abort
        return True

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(click, "confirm", confirm)
    assert bound(Manager("replace"), kind="live") == BEGUN
    with pytest.raises(click.Abort):
        bound(Manager("replace"), kind="live")


def test_where_another_did_the_same_nothing_is_to_be_done() -> None:
    manager = Manager()
    manager.again = lambda: {**plan(2), "empty": True}  # type: ignore[method-assign]
    assert bound(manager) is None


def test_what_the_manager_has_planned_anew_is_shown_and_not_asked_for_again(capsys: pytest.CaptureFixture[str]) -> None:
    manager = Manager()
    begun = {**BEGUN, "moved": ["revision 2 is in force, not 1"], "plan": plan(2)}
    manager.begin = lambda _shown: begun  # type: ignore[method-assign]
    assert bound(manager) == begun
    said = capsys.readouterr()
    assert "The state has changed since the plan was made: revision 2 is in force, not 1" in said.err
    assert said.out.count("± a") == 1
    begun["plan"] = {**plan(2), "empty": True}
    assert bound(manager) == begun
    assert not capsys.readouterr().out
