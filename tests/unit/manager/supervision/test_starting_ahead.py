"""Interpreters that are started before the first process is asked for: once each, and no failure is told here."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.supervision.forking import Forking
from wsgigroups.manager.supervision.starting import keeper_target
from wsgigroups.plan.desired import SpawnerTarget

NEW, OLD = SpawnerTarget("3.13-a", "/usr/bin/python3.13"), SpawnerTarget("3.8-b", "/usr/bin/python3.8")
USERS = SpawnerTarget("3.13-a-u1000", "/home/ann/bin/python3", uid=1000)


class Pool:
    """Notes what it is asked for; some cannot be had."""

    def __init__(self, *broken: str) -> None:
        self.asked: list[str] = []
        self._broken = broken

    async def get(self, target: SpawnerTarget) -> None:
        self.asked.append(target.key)
        if target.key in self._broken:
            raise WsgigroupsError("cannot start it")


@pytest.mark.parametrize(
    ("targets", "asked"),
    [
        ([], []),
        ([NEW, OLD, NEW], [NEW.key, OLD.key]),
        ([USERS], [keeper_target().key]),  # what a user's spawner runs as begins with its first process
        ([OLD, USERS, USERS], [OLD.key, keeper_target().key]),
    ],
)
def test_each_interpreter_is_started_once(targets: list[SpawnerTarget], asked: list[str]) -> None:
    pool = Pool(OLD.key)

    async def start() -> None:
        parts: list[Any] = [None] * 11
        forking = Forking(cast("Any", pool), *parts, cast("Any", None))
        forking.start_ahead(targets)
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task is not asyncio.current_task()))

    asyncio.run(start())
    assert pool.asked == asked
