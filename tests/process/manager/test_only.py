"""Two projects, one manager: each applies its own file, and what the other has stays as it runs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from support.manager import QUICK, ManagerUnderTest


class Project:
    """A directory with a file and an application of its own."""

    def __init__(self, manager: ManagerUnderTest, name: str) -> None:
        self.name = name
        self.directory = manager.base / name
        self.directory.mkdir()
        self.file = self.directory / "groups.toml"
        self._port = manager.port()
        self.code("1")
        self.write()

    def code(self, text: str) -> None:
        body = f"def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'{text}']\n"
        (self.directory / f"of_{self.name}.py").write_text(body)

    def write(self, more: str = "") -> Path:
        self.file.write_text(
            f'version = 1\n[groups.{self.name}]\napp = "of_{self.name}:application"\npython-path = ["."]\n'
            f'listen = ["127.0.0.1:{self._port}"]\n{more}\n{QUICK if self.name == "a" else ""}'
        )
        return self.file


def apply(manager: ManagerUnderTest, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = manager.cli("apply", *arguments, stdin=subprocess.DEVNULL, cwd=manager.base)
    assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
    return done


def test_each_project_applies_its_own_file(manager: ManagerUnderTest) -> None:
    a, b = Project(manager, "a"), Project(manager, "b")
    apply(manager, "--only", "a/groups.toml")  # starts the manager
    refused = apply(manager, "b/groups.toml", code=2)
    assert "this would remove group a, which is not in b/groups.toml" in refused.stderr
    assert "name its file too: wsgigroups apply a/groups.toml b/groups.toml" in refused.stderr
    assert f"it came from {a.file}, which is not among these files" in refused.stdout
    before = manager.pids("a")

    # what the other project could have become meanwhile is not looked at: its file, its code, its number of processes
    assert manager.cli("scale", "a=2").returncode == 0
    a.code("2")
    a.file.write_text("this is no configuration")
    apply(manager, "--only", "b/groups.toml")
    assert manager.pids("a").items() >= before.items()
    assert len(manager.pids("a")) == 2
    assert manager.group("b")["files"] == [str(b.file)]
    assert apply(manager, "--only", "b/groups.toml").stdout.startswith("No changes.")

    planned = manager.cli("plan", "--only", "--json", str(b.write("processes = 2")))
    assert [(step["group"], step["kind"]) for step in json.loads(planned.stdout)["steps"]] == [("b", "replace")]
    b.file.write_text("version = 1\n")
    gone = apply(manager, "--only", "b/groups.toml", code=2)
    assert gone.stderr.endswith("this would remove group b, which is not in b/groups.toml\nhint: to remove it: --yes\n")
    apply(manager, "--only", "--yes", "b/groups.toml")
    assert [group["name"] for group in manager.status()["groups"]] == ["a"]
    assert manager.pids("a").items() >= before.items()

    a.write()
    apply(manager, "a/groups.toml")
    assert set(manager.pids("a").values()).isdisjoint(before.values())  # whoever applies it has its new code


def test_what_another_project_lacks_does_not_hold_up_this_one(manager: ManagerUnderTest) -> None:
    a, b = Project(manager, "a"), Project(manager, "b")
    apply(manager, "a/groups.toml")
    (a.directory / "of_a.py").unlink()
    assert manager.cli("stop", "a").returncode == 0
    apply(manager, "--only", "b/groups.toml")
    assert manager.group("a")["state"] == "stopped"
    assert manager.group("b")["files"] == [str(b.file)]
    shown = manager.cli("config", "show", cwd=b.directory / "..", input="")
    assert shown.returncode == 0, shown.stderr
    assert f", {a.file}:" in shown.stdout


def test_a_file_that_moved_is_recorded_and_nothing_is_replaced(manager: ManagerUnderTest) -> None:
    a = Project(manager, "a")
    apply(manager, "a/groups.toml")
    before = manager.pids("a")
    moved = a.directory / "moved.toml"
    a.file.rename(moved)
    done = apply(manager, "a/moved.toml")
    assert done.stdout.startswith("No changes.")
    assert manager.group("a")["files"] == [str(moved)]
    assert manager.pids("a") == before
    assert manager.status()["revision"] == 1
