"""What commands do to groups and processes by name: patterns, all, single processes; and what programs are told."""

from __future__ import annotations

import json
import os
import select
import subprocess

import pytest
from ruamel.yaml import YAML
from support.manager import APPS, ManagerUnderTest


def group(name: str, port: int, processes: int = 1, more: str = "") -> str:
    app = f'app = "hello_app:application"\npython-path = ["{APPS}"]\n'
    return f'[groups.{name}]\n{app}listen = ["127.0.0.1:{port}"]\nprocesses = {processes}\n{more}\n'


@pytest.fixture
def three(manager: ManagerUnderTest) -> ManagerUnderTest:
    text = group("dj-a", manager.port(), 2) + group("dj-b", manager.port()) + group("blog", manager.port())
    manager.apply(text)
    return manager


def lives(manager: ManagerUnderTest) -> dict[str, int]:
    processes = [(group["name"], process) for group in manager.status()["groups"] for process in group["processes"]]
    return {f"{name}/{process['slot']}": process["life"] for name, process in processes if process["state"] == "ready"}


@pytest.mark.parametrize(
    ("arguments", "replaced"),
    [
        (["restart", "dj-a/2"], {"dj-a/2"}),
        (["restart", "dj*/1", "blog"], {"dj-a/1", "dj-b/1", "blog/1"}),
        (["restart", "dj*"], {"dj-a/1", "dj-a/2", "dj-b/1"}),
        (["restart", "--all"], {"dj-a/1", "dj-a/2", "dj-b/1", "blog/1"}),
        (["reload", "blog/1"], {"blog/1"}),
    ],
)
def test_who_is_replaced(three: ManagerUnderTest, arguments: list[str], replaced: set[str]) -> None:
    before = lives(three)
    done = three.cli(*arguments, "-q", "--json")
    assert done.returncode == 0, done.stderr
    change = json.loads(done.stdout)["change"]
    assert (change["kind"], change["outcome"], change["finished"]) == (arguments[0], "done", True)
    after = lives(three)
    assert {name for name in before if before[name] != after[name]} == replaced


def test_names_that_are_not_there(three: ManagerUnderTest) -> None:
    for arguments, code, words in (
        (["restart", "dj-a/3"], 4, "hint: processes of dj-a: dj-a/1, dj-a/2"),
        (["restart", "x*"], 4, "cannot find a group that matches 'x*'"),
        (["restart"], 2, "name groups, or give --all"),
        (["stop", "--all", "blog"], 2, "name groups, or give --all"),
        (["status", "x*"], 4, "groups here: blog, dj-a, dj-b"),
    ):
        done = three.cli(*arguments)
        assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    assert three.cli("stop", "dj-b").returncode == 0
    done = three.cli("restart", "dj-b/1")
    assert (done.returncode, "the group is stopped" in done.stderr) == (1, True), done.stderr


def test_patterns_of_what_is_only_looked_at(three: ManagerUnderTest) -> None:
    status = json.loads(three.cli("status", "dj*", "--json").stdout)
    assert [group["name"] for group in status["groups"]] == ["dj-a", "dj-b"]
    assert three.cli("status", "dj*", "--check").returncode == 0
    assert three.cli("scale", "dj*=1", "-q").returncode == 0
    assert {name for name in lives(three) if name.startswith("dj")} == {"dj-a/1", "dj-b/1"}


def test_programs_are_told_what_became_of_a_change(manager: ManagerUnderTest) -> None:
    path = manager.write(group("a", manager.port()))
    first = json.loads(manager.cli("apply", "--json", str(path)).stdout)
    assert (first["plan"]["empty"], first["change"]["outcome"]) == (False, "done")
    again = json.loads(manager.cli("apply", "--json", str(path)).stdout)
    assert (again["plan"]["empty"], again["change"]) == (True, None)
    begun = json.loads(manager.cli("scale", "a=2", "--no-wait", "--json").stdout)["change"]
    waited = json.loads(manager.cli("wait", str(begun["id"]), "-o", "json").stdout)["change"]
    assert (waited["id"], waited["kind"], waited["outcome"]) == (begun["id"], "scale", "done")
    dry = json.loads(manager.cli("apply", "--dry-run", "--json", str(path)).stdout)
    assert (dry["plan"]["empty"], dry["change"]) == (False, None)
    back = manager.cli("rollback", "--json", "--no-wait", "1")
    assert back.returncode == 0, back.stderr
    ended = json.loads(manager.cli("shutdown", "--json").stdout)["change"]
    assert ended["outcome"] == "done"


def test_a_manager_that_is_said_to_have_ended_is_gone(three: ManagerUnderTest) -> None:
    pid = three.manager_pid
    pidfd = os.pidfd_open(pid)
    try:
        assert f"the manager (pid {pid}) has ended." in three.cli("shutdown").stderr
        assert select.select([pidfd], [], [], 0.0)[0], "it is there still"
    finally:
        os.close(pidfd)


def test_logs_are_documents_for_programs(three: ManagerUnderTest) -> None:
    assert three.cli("restart", "dj-a/1", "-q").returncode == 0
    done = three.cli("logs", "--json", "dj*")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    (leaving,) = [line for line in lines if "stopping: replaced" in line["text"]]
    assert (leaving["log"], leaving["group"], leaving["slot"]) == ("dj-a", "dj-a", 1)
    assert leaving["text"].startswith(leaving["at"])
    listed = YAML(typ="safe").load(three.cli("logs", "-o", "yaml", "dj*").stdout)
    assert listed == lines
    assert YAML(typ="safe").load(three.cli("logs", "-o", "yaml", "--grep", "no such line", "dj*").stdout) == []


@pytest.mark.parametrize("kind", ["closed pipe", "closed", "full"])
def test_apply_applies_whether_or_not_somebody_reads_the_plan(manager: ManagerUnderTest, kind: str) -> None:
    port = manager.port()
    manager.apply(group("a", port))
    path = manager.write(group("a", port, 2))
    readable, writable = os.pipe()
    os.close(readable)
    with open(writable, "wb") as nobody, open("/dev/full", "wb") as full:
        to = {"closed pipe": nobody, "full": full}.get(kind)
        shell = ["/bin/sh", "-c", 'exec "$@" >&-', "sh"] if kind == "closed" else []
        done = subprocess.run(
            [*shell, *manager.command("apply", str(path))], stdout=to, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert done.returncode == 0, done.stderr
    assert set(lives(manager)) == {"a/1", "a/2"}
