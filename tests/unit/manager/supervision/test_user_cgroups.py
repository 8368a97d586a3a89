"""Cgroups of spawners that are users': where they are, what they are held to, and when all in them ends."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from wsgigroups.manager.supervision.cgroups import tree as module
from wsgigroups.manager.supervision.cgroups.settings import widest
from wsgigroups.manager.supervision.cgroups.tree import LifeCgroup, Tree
from wsgigroups.manager.supervision.cgroups.user_cgroups import UserCgroups
from wsgigroups.plan.desired import CgroupTarget

FILES = {"memory": ("memory.max", "memory.high"), "pids": ("pids.max",), "cpu": ("cpu.weight", "cpu.max")}


class Bench:
    """A tree on directories where the kernel's files appear when a controller is handed down."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cleared: list[LifeCgroup] = []
        self.said: list[str] = []
        self.lives: set[int] = set()
        (directory / "cgroup.controllers").write_text("cpu memory pids")
        tree = Tree(directory / "wsgigroups-abc")
        tree.directory.mkdir()
        monkeypatch.setattr(module, "_write", self.write)
        self.tree = tree
        self.users = UserCgroups(lambda _level, text: self.said.append(text), self.clear, lambda: self.lives, list)
        self.users.tree = tree

    def clear(self, cgroup: LifeCgroup) -> None:
        self.cleared.append(cgroup)

    def write(self, file: Path, text: str) -> None:
        if file.name == "cgroup.subtree_control":
            for child in (entry for entry in file.parent.iterdir() if entry.is_dir()):
                for name in FILES[text[1:]]:
                    (child / name).touch()
        elif not file.exists() and file.name != "cgroup.procs":
            raise FileNotFoundError(file)
        file.write_text(text)

    def enter(self, key: str) -> LifeCgroup:
        """Let a spawner enter, as far as directories can."""
        before = self.users.kept()
        make = self.tree.spawner

        def made(name: str) -> LifeCgroup:
            cgroup = make(name)
            (cgroup.directory / "cgroup.procs").touch()
            return cgroup

        self.tree.spawner = made  # type: ignore[method-assign]
        os.close(self.users.enter(key))
        (cgroup,) = self.users.kept() - before
        return cgroup


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def group(name: str, limits: CgroupTarget, key: str = "python-u61001", uid: int | None = 61001) -> Any:
    return SimpleNamespace(name=name, cgroup=limits, spawner=SimpleNamespace(key=key, uid=uid))


def test_the_widest_limits_leave_each_its_own() -> None:
    few, many = CgroupTarget(1, 2, 50, 10, 5), CgroupTarget(10, 20, 500, 100, 50)
    assert widest([few, many]) == widest([many, few]) == many
    assert widest([few]) == few
    assert widest([few, CgroupTarget()]) == CgroupTarget(cpu_weight=50)


def test_a_spawner_has_a_cgroup_that_is_neither_a_groups_nor_the_managers(bench: Bench) -> None:
    cgroup = bench.enter("python-u61001")
    assert cgroup.directory == bench.tree.directory / "_spawners" / "python-u61001.1"
    assert bench.tree.lives() == []
    assert bench.tree.spawners() == [cgroup]


def test_it_is_held_to_the_limits_of_its_groups(bench: Bench) -> None:
    bench.users.expect(group("a", CgroupTarget(tasks_max=9)))
    cgroup = bench.enter("python-u61001")
    limit = cgroup.directory / "pids.max"
    assert limit.read_text() == "9", "before it is there"
    bench.users.expect(group("a", CgroupTarget(tasks_max=12)))
    assert limit.read_text() == "12"
    bench.users.expect(group("b", CgroupTarget(tasks_max=30)))
    assert limit.read_text() == "30"
    bench.users.expect(group("of root's", CgroupTarget(tasks_max=99), uid=None))
    assert limit.read_text() == "30"
    bench.users.forget("b")
    assert limit.read_text() == "12"


def test_whatever_it_started_ends_with_it(bench: Bench) -> None:
    cgroup = bench.enter("python-u61001")
    bench.users.leave("python-u61001")
    bench.users.leave("python-u61001")
    assert bench.cleared == [cgroup]
    assert bench.users.kept() == set()
    assert bench.enter("python-u61001") != cgroup, "what is in there may still be on its way out"


def test_a_daemon_that_could_not_leave_it_lives_on(bench: Bench) -> None:
    cgroup = bench.enter("python-u61001")
    (cgroup.directory / "cgroup.procs").write_text("4711 4712")
    bench.lives = {4711}
    bench.users.leave("python-u61001")
    assert bench.cleared == []
    assert "because of the daemons [4711]" in bench.said[-1]
    bench.users.close()
    assert bench.cleared == [cgroup]


def test_without_a_tree_there_is_none(bench: Bench) -> None:
    bench.users.tree = None
    assert bench.users.enter("python-u61001") == -1
    bench.users.leave("python-u61001")
    assert bench.cleared == []


def test_one_that_cannot_be_made_is_said(bench: Bench) -> None:
    (bench.tree.directory / "_spawners").touch()
    assert bench.users.enter("python-u61001") == -1
    assert bench.said == ["spawner python-u61001 is in no cgroup of its own: File exists"]


@pytest.mark.parametrize("there", [True, False])
def test_that_of_a_former_managers_is_taken_over(bench: Bench, monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    former = bench.enter("python-u61001")
    bench.users.close()
    path = "/x/wsgigroups-abc/_spawners/python-u61001.1" if there else "/x"
    monkeypatch.setattr(module, "path_of", lambda _pid: path)
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as spawner:
        pidfd = os.pidfd_open(spawner.pid)
        bench.users.adopt("python-u61001", spawner.pid, pidfd)
        os.close(pidfd)
        (found,) = bench.users.kept()
        assert (found == former) is there
        if not there:
            assert found.pids() == [spawner.pid]
        assert spawner.stdin is not None
        spawner.stdin.close()
