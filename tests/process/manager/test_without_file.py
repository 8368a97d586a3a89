"""Commands without FILE: that of the working directory, else the configuration that runs."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator

import pytest
from support.manager import APPS, ManagerUnderTest


def text(port: int, more: str = "") -> str:
    app = f'app = "hello_app:application"\npython-path = ["{APPS}"]\n'
    return f'[groups.a]\n{app}listen = ["127.0.0.1:{port}"]\nenvironment = {{ A = "$${{HOME}}" }}\n{more}\n'


def test_the_file_of_the_working_directory_and_then_what_runs(manager: ManagerUnderTest) -> None:
    empty = manager.base / "empty"
    empty.mkdir()
    nothing = manager.cli("apply", cwd=empty)
    assert nothing.returncode == 2
    assert f"{empty} has no groups.toml, groups.yaml, groups/ or groups.d/, and no manager is running" in nothing.stderr
    assert not manager.client.running()
    manager.write(text(manager.port()))
    (manager.base / "groups.yaml").touch()
    applied = manager.cli("apply", cwd=manager.base)
    assert applied.returncode == 0, applied.stderr
    assert "reading groups.toml; here is groups.yaml, too" in applied.stderr
    assert manager.client.configuration()["configuration"]["groups"]["a"]["environment"] == {"A": "${HOME}"}
    for command in ("validate", "plan", "apply", "config show"):
        done = manager.cli(*command.split(), cwd=empty)
        assert done.returncode == 0, done.stderr
        assert "this is revision 1, which runs" in done.stderr
    assert manager.cli("plan", "--detailed-exitcode", cwd=empty).returncode == 0
    assert manager.cli("scale", "a=2").returncode == 0
    drift = json.loads(manager.cli("plan", "--json", cwd=empty).stdout)
    assert [(step["group"], step["kind"]) for step in drift["steps"]] == [("a", "scale")]


@contextlib.contextmanager
def run(manager: ManagerUnderTest, *arguments: str) -> Iterator[None]:
    """A manager in the foreground, started in the directory of its file, as soon as it answers."""
    command = manager.command("run", *arguments)
    with subprocess.Popen(command, cwd=manager.base, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            manager.wait_for("it answers", manager.client.running)
            yield
        finally:
            running.terminate()


def groups(manager: ManagerUnderTest) -> list[str]:
    return [group["name"] for group in manager.status()["groups"]]


@pytest.mark.parametrize("arguments", [["--resume"], ["--ready-fd", "1"]])
def test_one_that_goes_on_reads_no_file(manager: ManagerUnderTest, arguments: list[str]) -> None:
    """The second is what a version before `--resume` was started with in the background, and is after an upgrade."""
    manager.write(text(manager.port()))
    with run(manager, *arguments):
        assert manager.cli("apply", "--dry-run", cwd=manager.base).returncode == 0
        assert groups(manager) == []


def test_a_manager_in_the_foreground_takes_the_file_of_its_directory(manager: ManagerUnderTest) -> None:
    manager.write(text(manager.port()))
    with run(manager):
        manager.wait_for("the group of the file", lambda: groups(manager) == ["a"])


def test_a_manager_in_the_background_reads_no_file_of_the_working_directory(manager: ManagerUnderTest) -> None:
    manager.write(text(manager.port()))
    other = manager.base / "other.toml"
    other.write_text(f"version = 1\n{text(manager.port()).replace('groups.a', 'groups.b')}")
    done = manager.cli("apply", other.name, cwd=manager.base)
    assert done.returncode == 0, done.stderr
    assert [group["name"] for group in manager.status()["groups"]] == ["b"]


def test_whoever_may_only_read_is_not_told_the_configuration(manager: ManagerUnderTest) -> None:
    manager.apply(text(manager.port()))
    if os.geteuid() == 0:
        done = manager.cli_as(65533, "plan")
        assert done.returncode == 5, done.stderr
        assert "HOME" not in done.stdout
