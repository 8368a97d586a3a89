"""A user's spawner, seen from the manager: nothing comes from it but lines, and nothing it says is taken for true."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.targets import small_spec

from wsgigroups.manager.supervision.user_spawners import (
    ImpostorError,
    SpawnerLink,
    UserSpawner,
    connect,
    hold_child,
    prepare_child,
)
from wsgigroups.runtime.wire import messages
from wsgigroups.runtime.wire.frames import Channel
from wsgigroups.runtime.wire.lines import encode_line

UID = os.geteuid()


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.bind(str(tmp_path / "s.sock"))
        sock.listen()
        yield sock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.sock"


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def let_go(link: SpawnerLink) -> None:
    link.sock.close()
    os.close(link.pidfd)


def test_nothing_can_be_sent_to_the_manager(listener: socket.socket, path: Path) -> None:
    link = connect(path, UID)
    peer, _address = listener.accept()
    with peer, pytest.raises(BrokenPipeError):
        socket.send_fds(peer, [b"x"], [0])
    assert (link.uid, link.pid) == (UID, os.getpid())
    let_go(link)


def test_somebody_else_is_no_spawner(listener: socket.socket, path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(ImpostorError, match=f"uid {UID} answers on {path}, not uid {UID + 1}"):
        connect(path, UID + 1)
    assert len(os.listdir("/proc/self/fd")) == len(before)
    del listener


def spawner_of(pid: int, uid: int = UID) -> Any:
    return SimpleNamespace(pid=pid, uid=uid)


def test_only_its_own_children_are_its_processes(child: subprocess.Popen[bytes]) -> None:
    gid = os.getegid()
    wrong = [
        ("has a life already", lambda: hold_child(child.pid, spawner_of(os.getpid()), gid, {child.pid})),
        ("has Uid", lambda: hold_child(child.pid, spawner_of(os.getpid(), UID + 1), gid, set())),
        ("has Gid", lambda: hold_child(child.pid, spawner_of(os.getpid()), gid + 1, set())),
        ("has PPid", lambda: hold_child(child.pid, spawner_of(os.getppid()), gid, set())),
        ("has NoNewPrivs 0", lambda: hold_child(child.pid, spawner_of(os.getpid()), gid, set())),
        ("there is no process", lambda: hold_child(2**40, spawner_of(os.getpid()), gid, set())),
        ("there is no process", lambda: hold_child(-1, spawner_of(os.getpid()), gid, set())),
    ]
    for said, attempt in wrong:
        with pytest.raises(ImpostorError, match=said):
            attempt()


def test_a_child_gets_what_it_cannot_take_itself(child: subprocess.Popen[bytes]) -> None:
    pidfd = os.pidfd_open(child.pid)
    try:
        nice = os.getpriority(os.PRIO_PROCESS, child.pid)
        prepare_child(child.pid, pidfd, small_spec(cpu_priority=nice + 3))
        assert os.getpriority(os.PRIO_PROCESS, child.pid) == nice + 3
        # what it can set itself it is left to, because root may be kept from it in a container
        hard = resource.prlimit(child.pid, resource.RLIMIT_NOFILE)[1]
        prepare_child(child.pid, pidfd, small_spec(cpu_priority=nice + 3, rlimits={"NOFILE": (64, 64)}))
        assert resource.prlimit(child.pid, resource.RLIMIT_NOFILE)[1] == hard
        child.kill()
        child.wait()
        with pytest.raises(ProcessLookupError):
            prepare_child(child.pid, pidfd, small_spec())
    finally:
        os.close(pidfd)


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (lambda _pipe: [b"no line of ours\n"], "a line is no message"),
        (lambda _pipe: [encode_line(messages.Hello(99, 1))], "it speaks another ABI"),
        (lambda pipe: os.close(pipe), "it has closed its reports"),
        (lambda _pipe: [encode_line(messages.Retire()) * 400] * 4, "what is not its to send"),
    ],
)
def test_one_that_breaks_a_rule_is_ended(
    listener: socket.socket, path: Path, child: subprocess.Popen[bytes], what: Callable[[int], Any], why: str
) -> None:
    async def story() -> None:
        link = connect(path, UID)
        os.close(link.pidfd)
        link = SpawnerLink(link.sock, link.uid, child.pid, os.pidfd_open(child.pid))
        lost: asyncio.Future[UserSpawner] = asyncio.get_running_loop().create_future()
        spawner = UserSpawner("k.u1", path, link, lambda *_: None, lost.set_result)
        peer, _address = listener.accept()
        with peer:
            body, (pipe,) = Channel(peer).receive()
            assert body["type"] == "hello"
            for data in what(pipe) or ():
                os.write(pipe, data)
            await asyncio.wait_for(lost, 10)
            assert why in spawner.why
            assert child.wait(10) < 0
            if why != "it has closed its reports":
                os.close(pipe)
        assert spawner.introduced.exception() is not None

    asyncio.run(story())
    assert not path.exists()
