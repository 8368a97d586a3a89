"""What one group lacks on the host when a manager starts is that group's alone: others run, and it is tried again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.accounts import Accounts
from support.faults import outlives
from support.manager import APPS, ManagerUnderTest

pytestmark = pytest.mark.cold


def group(name: str, port: int, extra: str = "") -> str:
    return (
        f'[groups.{name}]\napp = "hello_app:application"\npython-path = ["{APPS}"]\n'
        f'listen = ["127.0.0.1:{port}"]\n{extra}\n'
    )


def answering(manager: ManagerUnderTest) -> dict[str, dict[str, Any]]:
    """Its groups by name, once it has looked at all of them."""

    def looked() -> dict[str, dict[str, Any]] | None:
        if not manager.client.running():
            return None
        groups = {found["name"]: found for found in manager.status()["groups"]}
        return groups if {found["state"] for found in groups.values()} == {"ready", "failed"} else None

    found: dict[str, dict[str, Any]] = manager.wait_for("it has started what can be", looked)
    return found


@dataclass
class Lacking:
    """What a tenant takes away. mend gives it back; reason is how the group tells of it."""

    options: str
    reason: str
    take: Callable[[], None]
    mend: Callable[[], None]


def environment_file(base: Path) -> Lacking:
    path = base / "tenant.env"
    path.write_text("COLOUR=red\n")
    return Lacking(
        f'environment-files = ["{path}"]', str(path), path.unlink, lambda: void(path.write_text("COLOUR=red\n"))
    )


def python_home(base: Path) -> Lacking:
    home = base / "venv"

    def make() -> None:
        subprocess.run([os.path.realpath(sys.executable), "-m", "venv", "--without-pip", home], check=True)

    make()
    return Lacking(f'python-home = "{home}"', str(home), lambda: shutil.rmtree(home), make)


def log_directory(base: Path) -> Lacking:
    """A file is where its directory was."""
    directory = base / "tenant-log"
    directory.mkdir()

    def take() -> None:
        shutil.rmtree(directory)
        directory.write_text("")

    return Lacking(f'error-log = "{directory}/error.log"', f"{directory}/error.log", take, directory.unlink)


def void(_result: object) -> None:
    """What a call returns is of no interest."""


LACKING = {found.__name__: found for found in (environment_file, python_home, log_directory)}


@pytest.mark.parametrize("what", LACKING)
def test_the_others_run_and_it_is_tried_again(manager: ManagerUnderTest, what: str) -> None:
    good, bad = manager.port(), manager.port()
    lacking = LACKING[what](manager.base)
    path = manager.write(group("bad", bad, lacking.options) + group("good", good))
    lacking.take()
    with manager.foreground(str(path)):
        groups = answering(manager)
        assert manager.get(good)[0] == 200
        assert groups["good"]["state"] == "ready"
        assert (groups["bad"]["state"], groups["bad"]["processes_wanted"]) == ("failed", 1)
        assert lacking.reason in groups["bad"]["unresolved"]
        assert lacking.reason in groups["bad"]["last_error"]["message"]
        assert lacking.reason in " ".join(manager.cli("status").stdout.split())
        assert manager.cli("apply", "--yes", str(path)).returncode in (1, 2)  # somebody is there, and is told
        lacking.mend()
        manager.wait_for("it came up", lambda: manager.group("bad")["state"] == "ready")
        assert manager.get(bad)[0] == 200
        assert (manager.group("bad")["unresolved"], manager.group("bad")["last_error"]) == (None, None)
        assert manager.apply(path.read_text().replace("version = 1\n", "")).stdout == "No changes.\n"


def test_what_runs_of_it_serves_on_when_a_manager_follows(manager: ManagerUnderTest) -> None:
    good, bad = manager.port(), manager.port()
    lacking = environment_file(manager.base)
    text = group("bad", bad, lacking.options) + group("good", good)
    manager.apply(text)
    before = manager.pids("bad") | {9: manager.pids("good")[1]}
    pid = manager.manager_pid
    os.kill(pid, signal.SIGKILL)
    assert not outlives(pid, 10)
    lacking.take()
    with manager.foreground(str(manager.base / "groups.toml")):
        manager.wait_for("it is told of", lambda: manager.client.running() and manager.group("bad")["unresolved"])
        assert manager.pids("bad") | {9: manager.pids("good")[1]} == before
        os.kill(before[1], signal.SIGKILL)
        manager.wait_for("it is followed", lambda: manager.pids("bad").get(1) not in (None, before[1]))
        assert manager.get(bad)[0] == 200
        lacking.mend()
        manager.wait_for("it is as asked for", lambda: not manager.group("bad")["unresolved"])
        assert manager.pids("good")[1] == before[9]


def test_an_address_that_another_process_has_is_that_groups_alone(manager: ManagerUnderTest) -> None:
    good = manager.port()
    with socket.create_server(("127.0.0.1", 0)) as other:
        bad = other.getsockname()[1]
        path = manager.write(group("bad", bad) + group("good", good))
        with manager.foreground(str(path)):
            groups = answering(manager)
            assert manager.get(good)[0] == 200
            assert f"cannot listen on 127.0.0.1:{bad}" in groups["bad"]["unresolved"]
            other.close()
            manager.wait_for("it came up", lambda: manager.group("bad")["state"] == "ready")
            assert manager.get(bad)[0] == 200


@pytest.mark.root
def test_an_account_that_is_gone_is_its_groups_alone(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="wg-accounts-") as directory:
        Path(directory).chmod(0o755)
        accounts = Accounts(Path(directory))
        passwd = Path(directory) / "passwd"
        with ManagerUnderTest(tmp_path, accounts) as manager:
            good, bad = manager.port(), manager.port()
            path = manager.write(group("bad", bad, 'user = "alice"') + group("good", good, 'user = "bob"'))
            before = passwd.read_text()
            passwd.write_text("".join(line for line in before.splitlines(True) if not line.startswith("alice:")))
            with manager.foreground(str(path)):
                groups = answering(manager)
                assert manager.get(good)[0] == 200
                assert "alice" in groups["bad"]["unresolved"]
                assert not manager.listening(bad)
                passwd.write_text(before)  # the same file, as it is mounted
                manager.wait_for("it came up", lambda: manager.group("bad")["state"] == "ready")
                assert manager.get(bad)[0] == 200
