"""`GET /metrics`: both forms, one text for all who ask at once, and others have their turn meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from support.control import ControlUnderTest

from wsgigroups.manager.observing import gathering
from wsgigroups.manager.observing.scraping import FRESH_S, GROUPS_AT_A_TIME, Scrapes
from wsgigroups.metrics.exposition import OPENMETRICS, TEXT
from wsgigroups.metrics.facts import GroupFacts, ManagerFacts


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ControlUnderTest]:
    with ControlUnderTest(tmp_path) as under_test:
        yield under_test


def test_it_answers_in_the_form_that_was_asked_for(api: ControlUnderTest) -> None:
    plain = api.call("GET", "/metrics")
    assert (plain.status, plain.content_type) == (200, TEXT.partition(";")[0])
    assert b'wsgigroups_group_state{group="blog",state="starting"} 1\n' in plain.raw
    rich = api.call("GET", "/metrics", headers={"Accept": f"{OPENMETRICS},*/*;q=0.1"})
    assert rich.content_type == OPENMETRICS.partition(";")[0]
    families = {family.name for family in text_string_to_metric_families(rich.raw.decode())}
    assert {"wsgigroups_build", "wsgigroups_processes_wanted", "wsgigroups_application_seconds"} <= families


async def turn() -> None:
    """Let everybody else have a turn of the loop."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_soon(future.set_result, None)
    await future


class Counted:
    """A manager of many groups, of which the reads are counted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, groups: int) -> None:
        self.now_s, self.reads = 0.0, 0
        names = {f"g{number}": SimpleNamespace() for number in range(groups)}
        self.shell: Any = SimpleNamespace(
            state=SimpleNamespace(groups=names), weighing=SimpleNamespace(ask=lambda: None), settle=lambda: None
        )
        manager = ManagerFacts("1", "3", 1, 1.0, 0, False, 0.0, 0)
        monkeypatch.setattr(gathering, "group_facts", self.read)
        monkeypatch.setattr(gathering, "manager_facts", lambda *_: manager)
        monkeypatch.setattr(gathering, "certificates", lambda *_: {})
        self.scrapes = Scrapes(self.shell, 0.0, clock=lambda: self.now_s)

    def read(self, *_args: object) -> GroupFacts:
        self.reads += 1
        return GroupFacts("g", "ready", 1, 1, 1, 0, False, True)


def test_who_asks_at_once_or_soon_after_has_one_reading_together(monkeypatch: pytest.MonkeyPatch) -> None:
    many = Counted(monkeypatch, 3)

    async def ask() -> None:
        first, second = await asyncio.gather(*(many.scrapes.text(openmetrics=True) for _ in range(2)))
        assert first is second
        left = asyncio.ensure_future(many.scrapes.text(openmetrics=False))
        await turn()
        left.cancel()  # who leaves takes it from nobody else
        assert await many.scrapes.text(openmetrics=False)
        assert many.reads == 6
        many.now_s += FRESH_S
        await many.scrapes.text(openmetrics=True)
        assert many.reads == 9

    asyncio.run(ask())


def test_one_that_failed_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    many = Counted(monkeypatch, 1)

    async def ask() -> None:
        with monkeypatch.context() as broken:
            broken.setattr(gathering, "manager_facts", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                await many.scrapes.text(openmetrics=True)
        assert await many.scrapes.text(openmetrics=True)

    asyncio.run(ask())


def test_a_thousand_groups_are_read_once_each_and_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    many = Counted(monkeypatch, 1000)
    at_each_turn: list[int] = []

    async def ask() -> None:
        loop = asyncio.get_running_loop()

        def turn() -> None:
            at_each_turn.append(many.reads)
            if many.reads < 1000:
                loop.call_soon(turn)

        loop.call_soon(turn)
        await many.scrapes.text(openmetrics=True)

    asyncio.run(ask())
    assert many.reads == 1000
    assert max(after - before for before, after in pairwise(at_each_turn)) <= GROUPS_AT_A_TIME
