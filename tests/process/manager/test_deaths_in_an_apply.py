"""kill -9 of the manager at every place of an apply, and of the command at any moment: wholly old or wholly new."""

from __future__ import annotations

import os
import random
import re
import subprocess
from pathlib import Path

import psutil
import pytest
from support.faults import outlives
from support.looking import wait
from support.manager import APPS, HUNG_S, ManagerUnderTest

from wsgigroups.manager import failpoints

WHOLE_S = 10.0  # from a manager's start until everything is old, or everything is new
SHARDS = 4


class Deploy:
    """A change of everything: a group is replaced, one goes, one comes."""

    def __init__(self, manager: ManagerUnderTest) -> None:
        self.manager = manager
        self.port = manager.port()
        self.sockets = {name: manager.base / f"{name}.sock" for name in ("old", "new")}
        self.files = {word: manager.write(self._text(word), f"{word}.toml") for word in self.sockets}
        self.point = manager.base / "point"
        self.environment = {**os.environ, failpoints.VARIABLE: str(self.point)}

    def _text(self, word: str) -> str:
        threads = 2 if word == "old" else 3
        app = f'display-name = "failing"\napp = "hello_app:application"\npython-path = ["{APPS}"]\n'
        listen = f'listen = ["127.0.0.1:{self.port}"]\n'
        blog = f"[groups.blog]\n{app}processes = 2\nthreads = {threads}\n{listen}"
        return f'{blog}[groups.{word}]\n{app}listen = ["unix:{self.sockets[word]}"]\n'

    def apply(self, word: str, *options: str) -> subprocess.CompletedProcess[str]:
        return self.manager.cli("apply", "--yes", *options, str(self.files[word]), env=self.environment)

    def begin(self) -> None:
        done = self.apply("old")
        assert done.returncode == 0, done.stderr
        assert self.whole() == "old"

    def begin_again(self) -> None:
        change = self.manager.change_to(self._text("old"))
        assert change["outcome"] == "done", change

    def whole(self) -> str:
        """old or new where everything is; else empty."""
        groups = {group["name"]: group for group in self.manager.status()["groups"]}
        word = "old" if "old" in groups else "new"
        processes = [process for group in groups.values() for process in group["processes"]]
        wanted = {"blog": 2, word: 1}
        if {name: group["processes_ready"] for name, group in groups.items()} != wanted or len(processes) != 3:
            return ""
        if groups["blog"]["threads"] != (2 if word == "old" else 3):
            return ""
        if {name for name, path in self.sockets.items() if path.exists()} != {word}:
            return ""
        return word if {process["pid"] for process in processes} == daemons() else ""

    def next_manager(self) -> None:
        read_end, write_end = os.pipe()
        with open(self.manager.base / "next.log", "ab") as log, os.fdopen(read_end, "rb") as ready:
            command = self.manager.command("run", "--ready-fd", str(write_end))
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(write_end,),
                env=self.environment, start_new_session=True,
            )  # fmt: skip
            os.close(write_end)
            assert ready.readline() == b"ready\n", (self.manager.base / "next.log").read_text()
        process.returncode = 0  # who ends it is the manager under test

    def wait_until_whole(self) -> str:
        return wait(self.whole, lambda: f"{self.manager.status()}\n{daemons()}", WHOLE_S)


def daemons() -> set[int]:
    """The processes of groups that there are, whoever knows them."""
    found = set()
    for process in psutil.Process().children(recursive=True):
        try:
            if any("failing" in word for word in process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                found.add(process.pid)
        except psutil.NoSuchProcess:
            continue
    return found


def test_every_point_is_in_the_code_once() -> None:
    package = Path(failpoints.__file__).parent
    calls = [
        point
        for path in sorted(package.rglob("*.py"))
        for point in re.findall(r'failpoints\.reached\("([^"]+)"\)', path.read_text(encoding="utf-8"))
    ]
    assert sorted(calls) == sorted(failpoints.POINTS)
    assert len(failpoints.POINTS) >= 30


def test_without_the_variable_a_point_is_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "point"
    file.write_text(failpoints.POINTS[0])
    monkeypatch.setenv(failpoints.VARIABLE, str(file))  # too late: it was looked at when the module was imported
    failpoints.reached(failpoints.POINTS[0])
    assert file.exists()


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_manager_that_dies_anywhere_in_an_apply_leaves_all_old_or_all_new(
    manager: ManagerUnderTest, shard: int
) -> None:
    deploy = Deploy(manager)
    deploy.begin()
    ended = {}
    with manager.clients(deploy.port, 2) as clients:
        for point in failpoints.POINTS[shard::SHARDS]:
            pid = manager.manager_pid
            deploy.point.write_text(point)
            deploy.apply("new")
            assert not outlives(pid, HUNG_S), f"the manager passed {point!r}, or did not come there"
            assert not deploy.point.exists(), point
            # the end of the apply before may have come to the point: this one has found no manager then and started one
            if manager.client.running():
                assert deploy.wait_until_whole() == "new", point
            else:
                deploy.next_manager()
                ended[point] = deploy.wait_until_whole()
            clients.wait_for_more(20)
            assert clients.failures == [], f"{point}: {clients.failures}"
            deploy.begin_again()
            assert deploy.wait_until_whole() == "old"
    for point, word in ended.items():
        if point.startswith("end"):  # exits may be those of the apply before
            assert word == "new", point
        if point in failpoints.POINTS[: failpoints.POINTS.index("apply: revision stored")]:
            assert word == "old", point


def test_a_command_that_is_killed_changes_nothing_in_the_outcome(manager: ManagerUnderTest) -> None:
    deploy = Deploy(manager)
    deploy.begin()
    dice = random.Random(16)
    with manager.clients(deploy.port, 2) as clients:
        for _round in range(8):
            for word in ("new", "old"):
                before = deploy.wait_until_whole()
                with subprocess.Popen(
                    manager.command("apply", "--yes", str(deploy.files[word])),
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=deploy.environment,
                ) as command:  # fmt: skip
                    outlives(command.pid, dice.uniform(0.0, 1.5))
                    command.kill()
                assert deploy.wait_until_whole() in (before, word)
                manager.wait_for("no change is under way", lambda: deploy.whole() != "")
        clients.wait_for_more(20)
    assert clients.failures == []
