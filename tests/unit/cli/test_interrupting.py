"""Ctrl-C while somebody waits for a change: what is said must be so when the answer comes, which may be late."""

from __future__ import annotations

from typing import Any, cast

import pytest

from wsgigroups.cli import interrupting
from wsgigroups.client import Client
from wsgigroups.errors import WsgigroupsError

PENDING = "pending"


class Changing:
    """A manager with one change, which ends while the question stands. Refuses orders about one that is over."""

    def __init__(self, outcome: str) -> None:
        self.outcome = PENDING
        self.ends_as = outcome
        self.orders: list[str] = []

    def answer(self, letter: str) -> str:
        self.outcome = self.ends_as
        return letter

    def wait(self, change: int, seen: str = "", wait_s: float = 30.0) -> dict[str, Any]:
        return {"id": change, "kind": "apply", "outcome": self.outcome, "finished": self.outcome != PENDING}

    def act(self, action: str, body: dict[str, Any]) -> dict[str, Any]:
        self.orders.append(f"{action} {body['change']}")
        if self.outcome != PENDING:
            raise WsgigroupsError(f"cannot {action}: it is over")
        return {}


def ask(changing: Changing, letter: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(interrupting, "_ask", lambda _kind: changing.answer(letter))
    return interrupting.go_on_waiting(cast(Client, changing), 7)


@pytest.mark.parametrize("letter", "glpr")
@pytest.mark.parametrize("outcome", ["done", "failed", "rolled-back", "overtaken"])
def test_a_change_that_is_over_when_the_answer_comes_is_told_of(
    letter: str, outcome: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changing = Changing(outcome)
    if letter == "r" and outcome == "done":
        with pytest.raises(WsgigroupsError, match="cannot rollback"):
            ask(changing, letter, monkeypatch)
    else:
        assert ask(changing, letter, monkeypatch), "its end is still to be told"
    said = capsys.readouterr().err
    assert "background" not in said
    assert "paused" not in said
    assert ("over meanwhile" in said) is (letter in "lp")


@pytest.mark.parametrize(
    ("letter", "goes_on", "words", "orders"),
    [
        ("g", True, "", []),
        ("l", False, "change 7 (apply) goes on in the background", []),
        ("p", False, "Change 7 (apply) is paused", ["pause 7"]),
        ("r", True, "", ["rollback 7"]),
    ],
)
def test_a_change_that_goes_on(
    letter: str,
    goes_on: bool,
    words: str,
    orders: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    changing = Changing(PENDING)
    assert ask(changing, letter, monkeypatch) is goes_on
    assert changing.orders == orders
    assert words in capsys.readouterr().err


def test_nobody_is_asked_about_what_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    changing = Changing("done")
    changing.outcome = "done"
    monkeypatch.setattr(interrupting, "_ask", lambda _kind: pytest.fail("there is nothing to ask"))
    assert interrupting.go_on_waiting(cast(Client, changing), 7)


def test_an_order_that_is_refused_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    changing = Changing(PENDING)

    def act(_action: str, _body: dict[str, Any]) -> dict[str, Any]:
        raise WsgigroupsError("cannot pause: not permitted")

    monkeypatch.setattr(changing, "act", act)
    with pytest.raises(WsgigroupsError, match="not permitted"):
        ask(changing, "p", monkeypatch)
