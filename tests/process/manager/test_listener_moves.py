"""Listeners that change while clients are served, and files that a manager left: nobody notices who need not."""

from __future__ import annotations

import os
import signal
import socket

import pytest
from support.faults import outlives
from support.manager import APPS, ManagerUnderTest
from support.unix_clients import reached


def group(name: str, *listen: str, extra: str = "") -> str:
    addresses = ", ".join(f'"{address}"' for address in listen)
    return (
        f'[groups.{name}]\napp = "hello_app:application"\npython-path = ["{APPS}"]\nprocesses = 2\n'
        f"listen = [{addresses}]\n{extra}\n"
    )


def test_another_address_loses_nothing_at_the_one_that_stays(manager: ManagerUnderTest) -> None:
    kept, old, new = manager.port(), manager.port(), manager.port()
    manager.apply(group("a", f"127.0.0.1:{kept}", f"127.0.0.1:{old}"))
    pids = manager.pids("a")
    with manager.clients(kept, 4) as clients:
        manager.apply(group("a", f"127.0.0.1:{kept}", f"127.0.0.1:{new}"))
        assert manager.get(new)[0] == 200
        manager.wait_for("the old one refuses", lambda: not manager.listening(old))
        clients.wait_for_more(20)
    assert clients.failures == []
    assert not set(pids.values()) & set(manager.pids("a").values())


def test_backlog_and_buffers_change_on_the_same_socket_without_a_process(manager: ManagerUnderTest) -> None:
    port, path = manager.port(), manager.base / "a.sock"
    addresses = (f"127.0.0.1:{port}", f"unix:{path}")
    manager.apply(group("a", *addresses))
    pids, inode = manager.pids("a"), path.stat().st_ino
    text = group("a", *addresses, extra="listen-backlog = 7\nsend-buffer-size = 65536")
    planned = manager.cli("plan", str(manager.write(text))).stdout
    assert "its listeners are set anew, no process is replaced" in planned
    with manager.clients(port, 4) as clients:
        manager.apply(text)
        clients.wait_for_more(20)
    assert clients.failures == []
    assert (manager.pids("a"), path.stat().st_ino) == (pids, inode)
    assert reached(path)


@pytest.mark.root  # nobody else can give a file away
def test_another_socket_user_gets_the_file_and_nobody_loses_a_connection(manager: ManagerUnderTest) -> None:
    path = manager.base / "a.sock"
    manager.apply(group("a", f"unix:{path}", extra='socket-user = "#4242"'))
    assert path.stat().st_uid == 4242
    pids, inode = manager.pids("a"), path.stat().st_ino
    manager.apply(group("a", f"unix:{path}", extra='socket-user = "#4243"'))
    assert (path.stat().st_uid, path.stat().st_mode & 0o777, path.stat().st_ino) == (4243, 0o600, inode)
    assert manager.pids("a") == pids


def test_stale_files_of_a_manager_that_was_cut_off_are_in_nobodys_way(manager: ManagerUnderTest) -> None:
    """As after a power loss: the lock names a process that is somebody else's now, and nobody answers anywhere."""
    spawners = manager.run_dir / "spawners"
    spawners.mkdir(parents=True, mode=0o700)
    manager.run_dir.chmod(0o755)
    manager.state_dir.mkdir(mode=0o700)
    for directory in (manager.run_dir, manager.state_dir):
        (directory / "manager.lock").write_text(f"{os.getppid()}\n")
        (directory / "manager.lock").chmod(0o600)
    path, port = manager.base / "a.sock", manager.port()
    for stale in (manager.run_dir / "control.sock", spawners / "3.11-2.sock", path):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(stale))
    manager.apply(group("a", f"unix:{path}", f"127.0.0.1:{port}"))
    assert reached(path)
    assert manager.get(port)[0] == 200


def test_a_second_manager_ends_and_the_first_does_not_notice(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("a", f"127.0.0.1:{port}"))
    pids, pid = manager.pids("a"), manager.manager_pid
    before = sorted(manager.run_dir.rglob("*"))
    with manager.clients(port, 2) as clients:
        second = manager.cli("run", str(manager.base / "groups.toml"), timeout_s=20)
        assert second.returncode == 1
        assert f"another one (pid {pid}) holds" in second.stderr
        clients.wait_for_more(10)
    assert clients.failures == []
    assert (manager.pids("a"), manager.manager_pid) == (pids, pid)
    assert sorted(manager.run_dir.rglob("*")) == before


def test_a_socket_that_was_removed_while_no_manager_ran_is_made_again_by_the_next(manager: ManagerUnderTest) -> None:
    path = manager.base / "a.sock"
    text = group("a", f"unix:{path}")
    manager.apply(text)
    pid = manager.manager_pid
    os.kill(pid, signal.SIGKILL)
    assert not outlives(pid, 10)
    path.unlink()
    path.write_text("precious")
    manager.apply(text)
    manager.wait_for("it is told", lambda: "a file is there" in str(manager.group("a")["unreachable"]))
    assert path.read_text() == "precious"
    path.unlink()
    manager.wait_for("it is reached", lambda: reached(path))
