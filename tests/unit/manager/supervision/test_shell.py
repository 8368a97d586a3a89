"""The shell between core and system: what it opens for a process, and which options that gets."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.targets import small_spec, small_target

from wsgigroups.errors import WsgigroupsError
from wsgigroups.lifecycle.step import Exit
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.control import views
from wsgigroups.manager.core import model
from wsgigroups.manager.supervision import live, rejoining, shell
from wsgigroups.manager.supervision.cgroups.tree import Limited, Tree
from wsgigroups.manager.supervision.logs import Logs
from wsgigroups.manager.supervision.processes import Process
from wsgigroups.manager.supervision.recovery import to_stored
from wsgigroups.manager.supervision.shell import Outside, Shell
from wsgigroups.manager.supervision.starting import DoubtfulInterpreterError
from wsgigroups.plan.desired import CgroupTarget, GroupTarget, SpawnerTarget
from wsgigroups.runtime.wire import identity, messages
from wsgigroups.runtime.wire.board import WORD, Board
from wsgigroups.runtime.wire.spec import Confinement


class FakeSpawner:
    """Notes what it is asked for. full: as if no descriptor could be duplicated for its queue."""

    key = "k"
    pid = 1
    runtime = identity.own()

    def __init__(self) -> None:
        self.full = False
        self.asked: list[messages.Message] = []
        self.heard = asyncio.Event()
        self.on_drop: Callable[[], None] = lambda: None

    def send(self, message: messages.Message, fds: Sequence[int] = ()) -> None:
        if self.full and fds:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        self.asked.append(message)
        self.heard.set()
        if isinstance(message, messages.Drop):
            self.on_drop()


class Bench:
    """A shell with a fake spawner that is there when the test says so."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.logged: list[str] = []
        self.spawner = FakeSpawner()
        self.there, self.awaited = asyncio.Event(), asyncio.Event()
        self.shell = Shell(Outside(directory, 2, lambda _level, text: self.logged.append(text)))
        self.shell.pool.get = self.get  # type: ignore[method-assign, assignment]

    async def get(self, _target: SpawnerTarget, _log_path: str = "") -> FakeSpawner:
        self.awaited.set()
        await self.there.wait()
        return self.spawner

    def target(self, **changes: Any) -> GroupTarget:
        return small_target(log_path=str(self.directory / "blog.log"), **changes)

    def apply(self, target: GroupTarget) -> None:
        self.shell.dispatch(model.Apply({target.name: target}, self.shell.state.revision + 1))

    async def process(self) -> Process:
        """The one process, once it was asked for."""
        await asyncio.wait_for(self.spawner.heard.wait(), 10)
        (process,) = self.shell.processes.values()
        return process

    def records(self) -> list[Tenancy]:
        return [record.state for record in self.shell.state.groups["blog"].records]


def play(directory: Path, story: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        bench = Bench(directory)
        try:
            await story(bench)
        finally:
            for process in bench.shell.processes.values():
                process.close()

    asyncio.run(run())


def test_a_start_without_descriptors_is_refused_and_leaves_nothing_open(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        bench.spawner.full = True
        bench.there.set()
        before = os.listdir("/proc/self/fd")
        bench.apply(bench.target())
        while bench.records() != [Tenancy.COOLING]:
            await asyncio.wait_for(bench.shell.changed.wait(), 10)
        assert os.listdir("/proc/self/fd") == before
        assert bench.shell.processes == {}
        assert any("cannot spawn: Too many open files" in line for line in bench.logged)

    play(tmp_path, story)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (WsgigroupsError("cannot start a spawner: it ended with status 1"), Tenancy.COOLING),
        (DoubtfulInterpreterError("cannot start it as root: another user could change it"), Tenancy.FAILED),
    ],
)
def test_a_spawner_that_did_not_start_is_tried_again_and_one_that_must_not_is_not(
    tmp_path: Path, error: WsgigroupsError, state: Tenancy
) -> None:
    async def story(bench: Bench) -> None:
        async def fails(_target: SpawnerTarget, _log_path: str = "") -> FakeSpawner:
            raise error

        bench.shell.pool.get = fails  # type: ignore[method-assign, assignment]
        bench.apply(bench.target())
        while bench.records() != [state]:
            await asyncio.wait_for(bench.shell.changed.wait(), 10)
        bench.there.set()
        bench.shell.pool.get = bench.get  # type: ignore[method-assign, assignment]
        bench.shell.dispatch(model.Restart(("blog",)))
        await bench.process()

    play(tmp_path, story)


def test_a_process_whose_interpreter_was_starting_gets_the_options_of_then(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        bench.apply(bench.target())
        await asyncio.wait_for(bench.awaited.wait(), 10)
        bench.apply(bench.target(options={"shutdown-timeout": "9"}, spec=small_spec(shutdown_timeout_s=9.0)))
        bench.there.set()
        process = await bench.process()
        assert process.given == bench.shell.state.groups["blog"].target

    play(tmp_path, story)


def test_options_that_changed_on_the_way_up_are_pushed_when_it_is_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned: list[tuple[int, int]] = []
    really = live.tune

    def tune(process: Any, target: GroupTarget, logs: Logs) -> str:
        tuned.append((process.pid, target.spec.cpu_priority))
        return really(process, target, logs)

    monkeypatch.setattr(live, "tune", tune)
    monkeypatch.setattr(live, "set_priority", lambda _pid, _priority: None)
    monkeypatch.setattr(live, "_set_limit", lambda _pid, _number, _pair: None)

    async def story(bench: Bench) -> None:
        bench.there.set()
        target = bench.target()
        bench.apply(target)
        process = await bench.process()
        changed = replace(target, options={"cpu-priority": "5"}, spec=replace(target.spec, cpu_priority=5))
        bench.apply(changed)
        assert tuned == [(0, 5)]  # its number is not known yet: nothing could be set from outside
        process.pid = 4711
        bench.shell.dispatch(model.LifeSpawned(process.life, process.pid))
        bench.shell.hooks.on_message(process, messages.Ready(process.life, process.pid))
        assert tuned == [(0, 5), (4711, 5)]
        bench.shell.hooks.on_message(process, messages.Ready(process.life, process.pid))
        assert len(tuned) == 2

    play(tmp_path, story)


def test_an_exit_is_acknowledged_when_what_the_process_counted_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell, "ACKNOWLEDGE_S", 0.0)
    monkeypatch.setattr(shell, "AGAIN_S", 0.0)

    async def story(bench: Bench) -> None:
        bench.there.set()
        bench.shell.pool.ready = lambda _key: bench.spawner  # type: ignore[method-assign, assignment, return-value]
        bench.apply(bench.target())
        process = await bench.process()
        life = process.life
        words = Board(process.board_fd).words
        words[WORD["requests_total"]], words[WORD["requests_active"]] = 7, 3
        stored: list[dict[str, Any]] = []
        outcomes = iter([True, False, True])  # the first start that fails ends its change: that is stored, too
        acknowledged = asyncio.Event()

        def save() -> bool:
            drops = [message for message in bench.spawner.asked if isinstance(message, messages.Drop)]
            assert not drops, "acknowledged before it was stored"
            stored.append(json.loads("".join(to_stored(bench.shell).groups["blog"])))
            return next(outcomes)

        bench.shell.outside.save = save
        bench.spawner.on_drop = acknowledged.set
        process.reported(Exit(0, 0))
        await asyncio.wait_for(acknowledged.wait(), 10)
        assert [(item["ended"], item["counted"]) for item in stored] == [
            ({"requests_total": 7, "ended:not-started": 1}, [life])
        ] * 3
        assert bench.spawner.asked[-1] == messages.Drop("process", str(life))
        assert json.loads("".join(to_stored(bench.shell).groups["blog"]))["counted"] == []
        group = views.group_view(bench.shell, bench.shell.state.groups["blog"])
        assert (group.requests_total, group.requests_active) == (7, 0)

    play(tmp_path, story)


class RefusingTree(Tree):
    """A tree of a kernel that takes no limit."""

    def limit(self, group: str, target: CgroupTarget, movable: Callable[[], Iterable[int]]) -> Limited:
        return Limited({"tasks-max": "Operation not permitted"} if target.tasks_max else {}, {})


def test_a_limit_that_is_refused_fails_is_shown_and_is_tried_again(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        bench.shell.remains.tree = RefusingTree(tmp_path)
        bench.there.set()
        bench.apply(bench.target(cgroup=CgroupTarget(tasks_max=9), options={"tasks-max": "9", "threads": "2"}))
        while not bench.shell.state.changes[1].finished:
            await asyncio.wait_for(bench.shell.changed.wait(), 10)
        assert bench.shell.state.changes[1].outcome == "failed"
        document = views.status(bench.shell, 0.0)
        assert document.groups[0].not_in_force == {"tasks-max": "Operation not permitted"}
        assert views.observed(bench.shell)["blog"].options == {"threads": "2"}, "so that the next apply has it to do"

    play(tmp_path, story)


def test_a_limit_that_cannot_be_had_is_a_notice_and_no_failure(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        bench.shell.remains.reason = "this kernel has no cgroup v2"
        bench.there.set()
        bench.apply(bench.target(cgroup=CgroupTarget(tasks_max=9), options={"tasks-max": "9"}))
        await bench.process()
        document = views.status(bench.shell, 0.0)
        assert (document.manager.cleanup, document.manager.cleanup_reason) == (
            "session",
            "this kernel has no cgroup v2",
        )
        assert document.groups[0].not_in_force == {"tasks-max": "this kernel has no cgroup v2"}
        assert views.observed(bench.shell)["blog"].options == {"tasks-max": "9"}, "there is nothing to try again"
        assert bench.logged == ["blog: tasks-max is not in force: this kernel has no cgroup v2"]
        assert bench.shell.remains.foresee(CgroupTarget(tasks_max=9)) == [("tasks-max", "this kernel has no cgroup v2")]

    play(tmp_path, story)


@pytest.mark.parametrize("required", [True, False])
def test_what_is_required_and_cannot_be_had_is_refused_or_fails(tmp_path: Path, required: bool) -> None:
    """Before anything changes, where that can be known; else the change has failed."""
    target = small_target(cgroup=CgroupTarget(tasks_max=9), spec=small_spec(confinement=Confinement(required=required)))

    async def story(bench: Bench) -> None:
        bench.shell.remains.reason = "this kernel has no cgroup v2"
        failed = bench.shell.remains.limit(target)
        assert failed == ("tasks-max: this kernel has no cgroup v2" if required else "")

    play(tmp_path, story)


def test_a_spawner_that_cannot_be_started_is_tried_again(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        get = bench.shell.pool.get

        async def broken(_target: SpawnerTarget, _log_path: str = "") -> FakeSpawner:
            raise WsgigroupsError("cannot start the interpreter /x/python: No such file or directory")

        bench.shell.pool.get = broken  # type: ignore[method-assign, assignment]
        bench.apply(bench.target())
        while bench.records() != [Tenancy.COOLING]:
            await asyncio.wait_for(bench.shell.changed.wait(), 10)
        bench.shell.pool.get = get  # type: ignore[method-assign]
        bench.there.set()
        await bench.process()
        assert bench.records() == [Tenancy.SPAWNING]
        error = bench.shell.state.groups["blog"].last_error
        assert error
        assert "cannot start the interpreter /x/python" in error.message

    play(tmp_path, story)


def test_a_spawner_lost_before_it_answered_fails_no_rollout(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        bench.there.set()
        bench.apply(bench.target())
        first = await bench.process()
        bench.spawner.heard.clear()
        change = max(bench.shell.state.changes)
        rejoining.not_forked(bench.shell, first.life, "its spawner is gone")
        second = await bench.process()
        assert second.life != first.life
        assert bench.shell.state.changes[change].outcome == "pending"

    play(tmp_path, story)
