"""What is set on a listening socket is read back: what did not take effect is an error, never done."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.supervision import socket_settings
from wsgigroups.manager.supervision.listeners import Listeners
from wsgigroups.plan.desired import ListenerTarget


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    found = Listeners()
    yield found
    found.close_all()


def commit(listeners: Listeners, target: ListenerTarget) -> socket.socket:
    listeners.commit("blog", [target], listeners.prepare("blog", [target]))
    return listeners.of("blog")[target.address].sock


@pytest.fixture
def address(port: int) -> str:
    return f"127.0.0.1:{port}"


def test_the_backlog_is_what_the_kernel_says(listeners: Listeners, address: str) -> None:
    sock = commit(listeners, ListenerTarget(address, backlog=7))
    assert socket_settings.backlog_of(sock) == 7
    assert commit(listeners, ListenerTarget(address, backlog=9)) is sock
    assert socket_settings.backlog_of(sock) == 9


@pytest.mark.parametrize(("field", "number"), [("receive", socket.SO_RCVBUF), ("send", socket.SO_SNDBUF)])
def test_buffers_are_set_and_given_back_to_the_system(
    listeners: Listeners, address: str, field: str, number: int
) -> None:
    sock = commit(listeners, ListenerTarget(address))
    before = sock.getsockopt(socket.SOL_SOCKET, number)
    commit(listeners, ListenerTarget(address, **{f"{field}_buffer_size_bytes": 20_000}))
    assert sock.getsockopt(socket.SOL_SOCKET, number) == 40_000  # the kernel doubles it (socket(7))
    commit(listeners, ListenerTarget(address))
    after = sock.getsockopt(socket.SOL_SOCKET, number)
    assert after != 40_000
    assert after >= min(before, 40_000)


def test_a_size_beyond_the_systems_limit_is_not_done(
    listeners: Listeners, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_settings, "_BUFFERS", (
        ("receive-buffer-size", socket.SO_RCVBUF, socket.SO_RCVBUF, "net.core.rmem"),
        ("send-buffer-size", socket.SO_SNDBUF, socket.SO_SNDBUF, "net.core.wmem"),
    ))  # fmt: skip
    target = ListenerTarget(address, receive_buffer_size_bytes=1 << 30)
    with pytest.raises(WsgigroupsError, match="receive-buffer-size cannot be 1073741824: the system allows"):
        listeners.prepare("blog", [target])


@pytest.mark.root
def test_another_socket_user_owns_the_file(listeners: Listeners, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    path = tmp_path / "blog.sock"
    sock = commit(listeners, ListenerTarget(f"unix:{path}", owner_uid=1001))
    assert path.stat().st_uid == 1001
    assert commit(listeners, ListenerTarget(f"unix:{path}", owner_uid=1002)) is sock
    assert (path.stat().st_uid, path.stat().st_mode & 0o777) == (1002, 0o600)


@pytest.mark.root
def test_what_stands_in_the_place_of_the_socket_is_given_to_nobody(listeners: Listeners, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    path = tmp_path / "blog.sock"
    commit(listeners, ListenerTarget(f"unix:{path}", owner_uid=1001))
    os.rename(path, tmp_path / "away")
    path.write_text("")
    commit(listeners, ListenerTarget(f"unix:{path}", owner_uid=1002))
    assert path.stat().st_uid == 0
    assert listeners.lost("blog") == [f"unix:{path}"]  # so that it is noticed, and bound again
