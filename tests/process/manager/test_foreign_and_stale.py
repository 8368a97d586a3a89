"""What lies in a run directory when a manager starts: others' sockets are left alone, what a power cut left is not."""

from __future__ import annotations

import os
import signal
import socket
import time

import psutil
from support.faults import outlives
from support.manager import APPS, ManagerUnderTest


def group(*addresses: str) -> str:
    listen = ", ".join(f'"{address}"' for address in addresses)
    return f'[groups.a]\napp = "hello_app:application"\npython-path = ["{APPS}"]\nlisten = [{listen}]\nprocesses = 2\n'


def tree(pid: int) -> list[int]:
    """A manager, its spawners and daemons."""
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def test_a_second_manager_leaves_the_first_as_it_was(manager: ManagerUnderTest) -> None:
    manager.apply(group(f"127.0.0.1:{manager.port()}"))
    pid, pids = manager.manager_pid, manager.pids("a")
    lock, state = (manager.run_dir / "manager.lock").read_text(), (manager.state_dir / "state.json").read_bytes()
    files = {path: path.lstat().st_ino for path in manager.run_dir.rglob("*")}
    begun = time.monotonic()
    done = manager.cli("run", str(manager.base / "groups.toml"))
    assert time.monotonic() - begun < 10  # most of it is the start of an interpreter
    assert done.returncode == 1
    assert f"pid {pid}" in done.stderr
    assert {path: path.lstat().st_ino for path in manager.run_dir.rglob("*")} == files
    assert (manager.run_dir / "manager.lock").read_text() == lock
    assert (manager.state_dir / "state.json").read_bytes() == state
    assert (manager.manager_pid, manager.pids("a")) == (pid, pids)


def test_after_a_power_cut_a_manager_starts_by_itself(manager: ManagerUnderTest) -> None:
    """Files of processes that are gone all at once, with the pids of others in them."""
    port, path = manager.port(), manager.base / "a.sock"
    text = group(f"127.0.0.1:{port}", f"unix:{path}")
    manager.apply(text)
    left = tree(manager.manager_pid)
    control = manager.run_dir / "control.sock"
    spawners = list((manager.run_dir / "spawners").glob("*.sock"))
    for victim in left:
        os.kill(victim, signal.SIGSTOP)  # nobody sees the others go
    for victim in left:
        os.kill(victim, signal.SIGKILL)
    assert not [victim for victim in left if outlives(victim, 20)]
    assert control.is_socket()
    assert path.is_socket()
    assert [spawner for spawner in spawners if spawner.is_socket()]
    for lock in (manager.run_dir / "manager.lock", manager.state_dir / "manager.lock"):
        lock.write_text(f"{os.getpid()}\n")  # a process that lives, and has nothing to do with it
    with manager.foreground(str(manager.base / "groups.toml")) as process:
        manager.wait_up("a")
        assert manager.get(port)[0] == 200
        manager.wait_for("both are ready", lambda: len(manager.pids("a")) == 2)
        assert manager.manager_pid == process.pid
        assert manager.apply(text).stdout == "No changes.\n"


def test_a_socket_on_which_another_answers_is_left_alone(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.run_dir.mkdir(mode=0o755)
    manager.state_dir.mkdir(mode=0o700)
    path = manager.run_dir / "control.sock"
    with socket.socket(socket.AF_UNIX) as foreign:
        foreign.bind(str(path))
        foreign.listen()
        inode = path.lstat().st_ino
        done = manager.cli("run", str(manager.write(group(f"127.0.0.1:{port}"))))
        assert done.returncode == 1
        assert f"process {os.getpid()} " in done.stderr
        assert "listens there" in done.stderr
        assert path.lstat().st_ino == inode
        assert not manager.listening(port)
    path.unlink()


def test_one_that_takes_the_place_of_a_managers_socket_is_left_alone(manager: ManagerUnderTest) -> None:
    manager.apply(group(f"127.0.0.1:{manager.port()}"))
    pid, path = manager.manager_pid, manager.run_dir / "control.sock"
    with socket.socket(socket.AF_UNIX) as foreign:
        path.unlink()
        foreign.bind(str(path))
        foreign.listen()
        inode = path.lstat().st_ino
        while "cannot be made again" not in manager.log("manager"):
            assert outlives(pid, 0.05)
        assert "listens there" in manager.log("manager")
        assert path.lstat().st_ino == inode
    manager.wait_for("it has its place again", manager.client.running)
    assert manager.manager_pid == pid
