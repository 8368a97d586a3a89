"""However many applies wait for each other, each is planned once for what is shown, and once when its turn comes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.manager import APPS

from wsgigroups.config import Configuration, load
from wsgigroups.errors import MovedError
from wsgigroups.manager import applying as module
from wsgigroups.manager import resolving
from wsgigroups.manager.applying import Applying
from wsgigroups.manager.queueing import Asked, News
from wsgigroups.manager.store import Store
from wsgigroups.manager.supervision.shell import Outside, Shell
from wsgigroups.plan.precondition import Precondition, kinds_of
from wsgigroups.targets.resolve import surroundings

APPLIES = 20


class Bench:
    """All that applies; nothing is forked, because no spawner ever comes."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory, self.port = directory, port
        store = Store(directory / "state")
        store.prepare()
        self.shell = Shell(Outside(directory, 2, lambda _level, _text: None))
        self.shell.pool.get = self._never  # type: ignore[method-assign, assignment]
        self.applying = Applying(
            self.shell, store, surroundings(directory, directory / "log", directory), self.shell.outside.log
        )

    @staticmethod
    async def _never(_target: Any, _log_path: str = "") -> None:
        await asyncio.Event().wait()

    def configuration(self, threads: int) -> Configuration:
        file = self.directory / f"{threads}.toml"
        group = f'app = "hello_app:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{self.port}"]\n'
        file.write_text(f"version = 1\n[groups.a]\n{group}threads = {threads}\n")
        found = load([file], trust=False).configuration
        assert found
        return found

    async def asked(self, configuration: Configuration, **more: Any) -> Asked:
        """An apply of what was planned just now."""
        shown = await self.applying.plan(lambda: configuration)
        expected = Precondition(**shown["precondition"])
        # none waits for processes, which never come
        return Asked("apply", "test", 0, 0, overtake=True, precondition=expected, shown=kinds_of(shown), **more)

    async def apply(self, configuration: Configuration, asked: Asked) -> int:
        begun = await self.applying.apply(lambda: configuration, asked)
        assert begun
        return begun.id

    def close(self) -> None:
        for group in self.shell.state.groups:
            self.shell.listeners.release(group, list(self.shell.listeners.of(group)), ending=True)


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with each plan that is made."""
    made: list[int] = []
    plan = module.plan

    def counted(*arguments: Any) -> Any:
        made.append(1)
        return plan(*arguments)

    monkeypatch.setattr(module, "plan", counted)
    return made


def test_each_is_planned_once_when_its_turn_comes(tmp_path: Path, port: int, planned: list[int]) -> None:
    async def story() -> None:
        bench = Bench(tmp_path, port)
        try:
            first = bench.configuration(1)
            await bench.apply(first, await bench.asked(first))
            planned.clear()
            news: list[News] = []
            wanted = [bench.configuration(number) for number in range(2, APPLIES + 2)]
            asked = [await bench.asked(configuration, told=news.append) for configuration in wanted]
            assert len(planned) == APPLIES
            numbers = await asyncio.gather(*map(bench.apply, wanted, asked))
        finally:
            bench.close()
        assert sorted(numbers) == list(range(2, APPLIES + 2))
        assert len(planned) == 2 * APPLIES
        assert len(news) == APPLIES - 1  # the first of them found what it had planned for
        assert news[0].moved[0] == "revision 2 is in force, not 1"
        assert {step.kind.value for told in news for step in told.plan.steps} == {"replace"}

    asyncio.run(story())


def test_what_would_do_more_is_refused_unless_it_is_agreed_to(tmp_path: Path, port: int) -> None:
    async def story() -> None:
        bench = Bench(tmp_path, port)
        try:
            first, second = bench.configuration(1), bench.configuration(2)
            asked = await bench.asked(second)
            await bench.apply(first, await bench.asked(first))
            with pytest.raises(MovedError):
                await bench.apply(second, replace(asked, shown={"a": "live"}))
            with pytest.raises(MovedError):
                await bench.apply(second, replace(asked, shown=None))
            assert await bench.apply(second, replace(asked, shown={"a": "live"}, agrees=True)) == 2
        finally:
            bench.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("what", "again"),
    [
        ("nothing", 0),
        ("another caller", 1),  # whoever keeps a plan for later wants to know what has moved since
        ("time", 1),
        ("a group is another one", 1),
        ("another configuration", 1),
        ("no plan was asked for", 1),
    ],
)
def test_the_host_is_not_looked_at_again_for_what_was_shown_just_now(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch, what: str, again: int
) -> None:
    looks: list[int] = []
    resolve = resolving.resolve

    def counted(*arguments: Any) -> Any:
        looks.append(1)
        return resolve(*arguments)

    monkeypatch.setattr(resolving, "resolve", counted)

    async def story() -> None:
        bench = Bench(tmp_path, port)
        try:
            first, second = bench.configuration(1), bench.configuration(2)
            await bench.apply(first, await bench.asked(first))
            shown = await bench.applying.plan(lambda: second, None, (0, 7))
            expected: Precondition | None = Precondition(**shown["precondition"])
            if what == "time":
                monkeypatch.setattr(resolving, "FRESH_S", 0.0)
            if what == "a group is another one":
                bench.shell.state = replace(bench.shell.state, groups={**bench.shell.state.groups})
            if what == "another configuration":
                second = second.model_copy()
            if what == "no plan was asked for":
                expected = None
            looks.clear()
            caller = 8 if what == "another caller" else 7
            asked = Asked("apply", "test", 0, caller, overtake=True, precondition=expected, shown=kinds_of(shown))
            await bench.apply(second, asked)
        finally:
            bench.close()
        assert bench.shell.state.groups["a"].target.spec.serving.threads == 2

    asyncio.run(story())
    assert len(looks) == again
