"""What could not be had at the start is tried again for as long as that configuration may come into force again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from support.targets import small_target

from wsgigroups.manager import start_up
from wsgigroups.manager.core import model
from wsgigroups.manager.start_up import StartUp

OF_THE_START = 2


class Bench(StartUp):
    """A start after which one group could not be had; now it can."""

    async def _resolve(self, _configuration: Any, names: Any) -> Any:
        return {name: small_target(name) for name in names}, {}

    def _prepare(self, _target: Any) -> None:
        pass


def state(*, revision: int, returns_to: int | None = None, missing: bool = True) -> model.State:
    group = model.GroupState(small_target("blog"), unresolved="no such user" if missing else "")
    transaction = None if returns_to is None else model.Transaction(1, returns_to, {})
    return model.State({"blog": group}, revision=revision, transaction=transaction)


@pytest.mark.parametrize(
    ("states", "tried"),
    [
        ([state(revision=2), state(revision=2, missing=False)], 1),
        ([state(revision=3, returns_to=2, missing=False), state(revision=2), state(revision=2, missing=False)], 1),
        ([state(revision=3, returns_to=2), state(revision=3)], 0),
        ([state(revision=3)], 0),
        ([state(revision=4, returns_to=3)], 0),
        ([replace(state(revision=2), stopping=True)], 0),
    ],
    ids=[
        "at once",
        "after an apply that fails",
        "not after one that is done",
        "not of another",
        "nor of two",
        "ending",
    ],
)
def test_what_is_tried_again(monkeypatch: pytest.MonkeyPatch, states: list[model.State], tried: int) -> None:
    told: list[model.Event] = []
    shell = SimpleNamespace(state=states[0], unadopted={}, dispatch=told.append)
    applying: Any = SimpleNamespace(shell=shell, save=lambda: True)
    left = iter(states)

    async def sleep(_seconds: float) -> None:
        shell.state = next(left)

    monkeypatch.setattr(start_up.asyncio, "sleep", sleep)
    configuration: Any = None
    asyncio.run(Bench(applying)._again(configuration, OF_THE_START))
    assert told == [model.Resolved(small_target("blog"))] * tried
    assert next(left, None) is None, "it has seen all of them"
