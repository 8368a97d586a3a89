"""Files of a manager that somebody removes while it runs: they come back, and nothing that runs notices."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

from support.faults import outlives
from support.log_settling import log_writers
from support.manager import APPS, HUNG_S, ManagerUnderTest


def group(name: str, port: int, extra: str = "") -> str:
    return (
        f'[groups.{name}]\napp = "hello_app:application"\npython-path = ["{APPS}"]\n'
        f'listen = ["127.0.0.1:{port}"]\n{extra}\n'
    )


def files(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*")}


def come_back(directory: Path, before: set[str], pid: int) -> None:
    """Wait until all of them are there again: looking is what paces this."""
    while not before <= files(directory):
        assert outlives(pid, 0.05), f"missing: {before - files(directory)}"


def test_a_run_directory_that_is_removed_comes_back_and_the_next_manager_finds_all(manager: ManagerUnderTest) -> None:
    port = manager.port()
    text = group("a", port, "processes = 2")
    manager.apply(text)
    before, pids, pid = files(manager.run_dir), manager.pids("a"), manager.manager_pid
    writers = log_writers()  # of a manager that is root
    with manager.clients(port, 2) as clients:
        shutil.rmtree(manager.run_dir)
        come_back(manager.run_dir, before, pid)
        manager.wait_for("it answers", manager.client.running)
        assert manager.manager_pid == pid
        assert manager.pids("a") == pids
        assert manager.cli("run").returncode == 1  # the lock is held again
        manager.apply(text + group("b", manager.port()))
        os.kill(pid, signal.SIGKILL)
        assert not outlives(pid, 10)
        assert manager.cli("apply", str(manager.base / "groups.toml")).stdout == "No changes.\n"
        assert manager.pids("a") == pids
        assert manager.manager_pid != pid
        assert log_writers() == writers
        clients.wait_for_more(10)
    assert clients.failures == []


def test_a_run_directory_that_is_removed_while_no_manager_runs_strands_nobody(manager: ManagerUnderTest) -> None:
    """Whoever served went on, and no manager could find it: the address was in use for ever."""
    port = manager.port()
    manager.apply(group("a", port, "processes = 2"))
    pids, pid = manager.pids("a"), manager.manager_pid
    sockets = {str(path.relative_to(manager.run_dir)) for path in manager.run_dir.glob("spawners/*.sock")}
    os.kill(pid, signal.SIGKILL)
    assert not outlives(pid, HUNG_S)
    shutil.rmtree(manager.run_dir)
    come_back(manager.run_dir, sockets, pids[1])
    assert manager.cli("apply", str(manager.base / "groups.toml")).stdout == "No changes.\n"
    assert manager.pids("a") == pids
    assert manager.get(port)[0] == 200


def test_what_lies_where_a_file_was_is_not_followed(manager: ManagerUnderTest) -> None:
    manager.apply(group("a", manager.port()))
    pid = manager.manager_pid
    precious = manager.base / "precious"
    precious.write_text("kept")
    for name in ("control.sock", "manager.lock"):
        (manager.run_dir / name).unlink()
    (manager.run_dir / "control.sock").symlink_to(precious)
    while (manager.run_dir / "control.sock").is_symlink():
        assert outlives(pid, 0.05)
    manager.wait_for("it answers", manager.client.running)
    assert precious.read_text() == "kept"
    assert manager.manager_pid == pid


def test_a_state_directory_that_is_removed_comes_back_with_the_state(manager: ManagerUnderTest) -> None:
    text = group("a", manager.port())
    manager.apply(text)
    pid, pids = manager.manager_pid, manager.pids("a")
    shutil.rmtree(manager.state_dir)
    come_back(manager.state_dir, {"state.json", "manager.lock", "revisions"}, pid)
    os.kill(pid, signal.SIGKILL)
    assert not outlives(pid, 10)
    assert manager.apply(text).stdout == "No changes.\n"
    assert manager.pids("a") == pids
