"""Who waits for whom: what somebody is told who cannot apply now."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from wsgigroups.cli import turns
from wsgigroups.client import Client
from wsgigroups.errors import BusyError, WsgigroupsError
from wsgigroups.manager.queueing import ApplyQueue, Asked
from wsgigroups.manager.supervision.shell import Shell


def refused(*, paused: bool) -> BusyError:
    """What an apply that may not wait is told, while change 7 is under way."""

    async def ask() -> BusyError:
        shell = SimpleNamespace(state=SimpleNamespace(open_apply=7, paused=paused), changed=asyncio.Event())
        queue = ApplyQueue(cast(Shell, shell))
        queue.begun(7, Asked("apply", "uid 1", 1, 2, "wsgigroups apply a.toml"))
        with pytest.raises(BusyError) as caught:
            await queue.end_of_change(Asked("apply", "uid 1", 1, 3, wait_s=0.0))
        return caught.value

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("paused", "how", "hint"),
    [
        (False, "is under way for ", "wait until it ends, or take its place: --overtake"),
        (True, "is paused", "`wsgigroups resume` lets it go on, or take its place: --overtake"),
    ],
)
def test_a_paused_change_is_called_that(paused: bool, how: str, hint: str) -> None:
    error = refused(paused=paused)
    who = "change 7, apply by uid 1 pid 2 (wsgigroups apply a.toml)"
    assert error.message.startswith(f"cannot apply now: {who}, {how}")
    assert error.hint == hint
    assert error.holder["paused"] is paused


def test_who_waits_is_told_once_how_a_paused_change_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    answers: list[Any] = [refused(paused=False), refused(paused=True), refused(paused=True), {"change": 8}]

    class Busy:
        def act(self, _action: str, _body: dict[str, Any]) -> Any:
            answer = answers.pop(0)
            if isinstance(answer, WsgigroupsError):
                raise answer
            return answer

    begun = turns.begin(cast(Client, Busy()), "apply", {}, queue=True, overtake=False, until=None)
    assert begun == {"change": 8}
    said = [line.split(" (")[0] + line[line.rfind(",") :] for line in capsys.readouterr().err.splitlines()]
    assert len(said) == 3, "the same is not said twice"
    assert "under way" in said[0]
    assert "is paused" in said[1]
    assert said[2].startswith("hint: `wsgigroups resume`")
