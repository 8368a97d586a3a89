"""Listening sockets and their files while groups run, stop and fail: who connects is served, or is told at once."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from support.faults import outlives
from support.manager import APPS, ManagerUnderTest
from support.unix_clients import reached, unix_get


def group(name: str, *listen: str, extra: str = "", app: str = "hello_app:application") -> str:
    addresses = ", ".join(f'"{address}"' for address in listen)
    return f'[groups.{name}]\napp = "{app}"\npython-path = ["{APPS}"]\nlisten = [{addresses}]\n{extra}\n'


def remove(path: Path) -> None:
    path.unlink()


def rename(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))


def leave_a_dead_one(path: Path) -> None:
    path.unlink()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))


@pytest.mark.parametrize("harm", [remove, rename, leave_a_dead_one])
def test_a_socket_file_that_is_lost_is_made_again_and_serves(
    manager: ManagerUnderTest, harm: Callable[[Path], None]
) -> None:
    path = manager.base / "a.sock"
    port = manager.port()
    manager.apply(group("a", f"unix:{path}", f"127.0.0.1:{port}", extra="processes = 2"))
    pids = manager.pids("a")
    with manager.clients(port, 2) as clients:
        harm(path)
        before = manager.group("a")
        manager.wait_for("it is reached again", lambda: reached(path))
        manager.wait_for("all is well", lambda: manager.group("a")["state"] == "ready")
        manager.wait_for("none of the former is left", lambda: len(manager.group("a")["processes"]) == 2)
        clients.wait_for_more(10)
    assert clients.failures == []
    assert before["state"] == "degraded" or reached(path)
    assert not set(pids.values()) & set(manager.pids("a").values())
    assert manager.group("a")["unreachable"] == {}
    assert f"the file of unix:{path} was lost" in manager.log("manager")
    path.with_suffix(".moved").unlink(missing_ok=True)


def test_what_cannot_be_made_again_is_told_in_status_and_tried_again(manager: ManagerUnderTest) -> None:
    directory = manager.base / "sockets"
    directory.mkdir()
    path = directory / "a.sock"
    manager.apply(group("a", f"unix:{path}"))
    shutil.rmtree(directory)
    told = manager.wait_for("it is told", lambda: "No such file" in str(manager.group("a")["unreachable"]))
    assert told
    assert manager.group("a")["state"] == "degraded"
    assert manager.cli("status", "--check").returncode == 3
    assert f"nobody can connect to unix:{path}" in manager.cli("status").stdout.replace("\n", "")
    directory.mkdir()
    path.write_text("precious")
    manager.wait_for("it is told", lambda: "a file is there" in str(manager.group("a")["unreachable"]))
    assert path.read_text() == "precious"
    path.unlink()
    manager.wait_for("it is reached again", lambda: reached(path))


def test_after_a_kill_of_everything_the_next_apply_serves(manager: ManagerUnderTest) -> None:
    path = manager.base / "a.sock"
    text = group("a", f"unix:{path}")
    manager.apply(text)
    manager_pid, daemons = manager.manager_pid, manager.pids("a").values()
    spawners = [child.pid for child in psutil.Process(manager_pid).children()]
    for pid in (manager_pid, *spawners, *daemons):
        os.kill(pid, signal.SIGKILL)
    assert not outlives(manager_pid, 10)
    assert path.exists()
    manager.apply(text)
    assert reached(path)


def test_a_live_server_of_somebody_else_is_refused_by_name_and_left_alone(manager: ManagerUnderTest) -> None:
    path = manager.base / "a.sock"
    with socket.socket(socket.AF_UNIX) as foreign:
        foreign.bind(str(path))
        foreign.listen()
        inode = path.stat().st_ino
        done = manager.apply(group("a", f"unix:{path}"), code=1)
        assert f"process {os.getpid()} (" in done.stderr
        assert path.stat().st_ino == inode
    path.unlink()


def test_a_socket_of_another_manager_is_refused(manager: ManagerUnderTest) -> None:
    path = manager.base / "a.sock"
    text = group("a", f"unix:{path}")
    manager.apply(text)
    names = ("run", "state", "log")
    where = [word for name in names for word in (f"--{name}-dir", str(manager.base / "second" / name))]
    done = manager.cli(*where, "apply", "--yes", str(manager.write(text)))
    assert done.returncode == 1  # and the manager that was started for it has ended
    assert "listens there" in done.stderr
    assert reached(path)


def test_a_stopped_group_refuses_and_a_started_one_listens_again(manager: ManagerUnderTest) -> None:
    path, port = manager.base / "a.sock", manager.port()
    text = group("a", f"unix:{path}", f"127.0.0.1:{port}")
    manager.apply(text)
    assert manager.cli("stop", "a").returncode == 0
    manager.wait_for("it refuses", lambda: not manager.listening(port))
    assert not path.exists()
    assert manager.apply(text).stdout == "No changes.\n"
    manager.apply(text + "threads = 3\n")  # a stopped group stays stopped
    assert not manager.listening(port)
    pid = manager.manager_pid
    os.kill(pid, signal.SIGKILL)
    assert not outlives(pid, 10)
    manager.apply(text)
    assert not manager.listening(port), "the next manager does not listen either"
    with socket.create_server(("127.0.0.1", port)):
        taken = manager.cli("start", "a")
    assert taken.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in taken.stderr
    assert manager.group("a")["state"] == "stopped"
    assert manager.cli("start", "a").returncode == 0
    assert manager.get(port)[0] == 200
    assert reached(path)


def test_a_group_that_stops_refuses_while_what_it_has_goes_on(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("a", f"127.0.0.1:{port}", app="slow_app:application", extra="shutdown-timeout = 20"))
    with manager.background_get(port, "/2") as slow:
        manager.wait_for("it is in the application", lambda: manager.group("a")["requests_active"] == 1)
        assert manager.cli("stop", "--no-wait", "a").returncode == 0
        manager.wait_for("it refuses", lambda: not manager.listening(port))
        assert [p["state"] for p in manager.group("a")["processes"]] == ["draining"]
        answer = manager.wait_for("what it had is answered", slow)
        assert answer[0] == 200


MOODY = """
import os
if os.path.exists(os.path.join(os.path.dirname(__file__), "broken")):
    raise RuntimeError("not today")
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]
"""


def test_clients_of_a_group_that_fails_are_told_so_until_it_serves(manager: ManagerUnderTest) -> None:
    manager.expect_in_log("RuntimeError: not today")
    port, path, broken = manager.port(), manager.base / "a.sock", manager.base / "broken"
    (manager.base / "moody.py").write_text(MOODY)
    broken.touch()
    manager.apply(
        f'[groups.a]\napp = "moody:application"\npython-path = ["{manager.base}"]\nconnect-timeout = 1\n'
        f'listen = ["127.0.0.1:{port}", "unix:{path}"]\n',
        code=1,
    )
    assert manager.get(port) == (503, b"")
    status, fields = answer_to_nothing(port)
    assert status == b"HTTP/1.1 503 Service Unavailable"
    assert b"Retry-After: 5" in fields
    assert unix_get(path)[0] == 503
    (answerer,) = [
        child
        for child in psutil.Process(manager.manager_pid).children()
        if "answer" in child.cmdline() or "answerer" in child.name()
    ]
    if os.geteuid() == 0:
        assert 0 not in (*answerer.uids(), *answerer.gids())
        assert os.stat(f"/proc/{answerer.pid}/fd").st_uid == 0, "whoever has its user id cannot look into it (proc(5))"
    answerer.kill()
    assert manager.get(port) == (503, b"")
    broken.unlink()
    assert manager.cli("restart", "a").returncode == 0
    assert [manager.get(port)[0] for _ in range(20)] == [200] * 20
    assert reached(path)


def answer_to_nothing(port: int) -> tuple[bytes, bytes]:
    """Status line and header fields that somebody gets who sends nothing."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        data = b"".join(iter(lambda: client.recv(4096), b""))
    status, _crlf, fields = data.partition(b"\r\n")
    return status, fields
