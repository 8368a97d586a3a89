"""Listening sockets: bound privately, handed over, removed only when they are ours."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.supervision.listeners import Listeners
from wsgigroups.manager.supervision.sealing import is_shut
from wsgigroups.plan.desired import ListenerTarget


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    held = Listeners()
    yield held
    held.close_all()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.sock"


def bind(listeners: Listeners, group: str, *targets: ListenerTarget) -> list[str]:
    return listeners.commit(group, targets, listeners.prepare(group, targets))


def bind_for(listeners: Listeners, group: str, uid: int, *targets: ListenerTarget) -> None:
    listeners.commit(group, targets, listeners.prepare(group, targets, uid), uid)


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(str(path))
        except OSError:
            return False
    return True


def test_a_unix_socket_is_private_from_its_first_moment(listeners: Listeners, path: Path) -> None:
    bind(listeners, "a", ListenerTarget(f"unix:{path}"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert answers(path)
    listeners.release("a", [f"unix:{path}"])
    assert not path.exists()


def test_a_leftover_is_replaced(listeners: Listeners, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    bind(listeners, "a", ListenerTarget(f"unix:{path}"))
    assert answers(path)


@pytest.mark.parametrize("kind", ["file", "live socket", "symbolic link"])
def test_what_is_not_a_leftover_of_ours_is_left_alone(listeners: Listeners, path: Path, kind: str) -> None:
    foreign = socket.socket(socket.AF_UNIX)
    if kind == "file":
        path.write_text("precious")
    elif kind == "live socket":
        foreign.bind(str(path))
        foreign.listen()
    else:
        path.symlink_to("/etc/passwd")
    before = os.lstat(path)
    with foreign, pytest.raises(WsgigroupsError, match="cannot listen on unix:"):
        listeners.prepare("a", [ListenerTarget(f"unix:{path}")])
    assert os.lstat(path).st_ino == before.st_ino


def test_only_the_inode_that_was_made_is_removed(listeners: Listeners, path: Path) -> None:
    bind(listeners, "a", ListenerTarget(f"unix:{path}"))
    path.unlink()
    path.write_text("somebody else's")
    listeners.release("a", [f"unix:{path}"])
    assert path.read_text() == "somebody else's"


def test_a_failing_address_leaves_nothing_bound(listeners: Listeners, path: Path) -> None:
    targets = [ListenerTarget(f"unix:{path}"), ListenerTarget(f"unix:{path.parent}/no/a.sock")]
    with pytest.raises(WsgigroupsError):
        listeners.prepare("a", targets)
    assert not path.exists()


def test_commit_names_what_is_no_longer_wanted(listeners: Listeners, path: Path) -> None:
    other = path.with_name("b.sock")
    bind(listeners, "a", ListenerTarget(f"unix:{path}"))
    assert bind(listeners, "a", ListenerTarget(f"unix:{other}")) == [f"unix:{path}"]
    assert answers(path)  # still there for those who are being replaced
    listeners.release("a", [f"unix:{path}"])
    assert not path.exists()
    assert answers(other)


def test_a_group_that_takes_over_an_address_shares_the_socket(listeners: Listeners, path: Path) -> None:
    target = ListenerTarget(f"unix:{path}")
    bind(listeners, "old", target)
    inode = path.stat().st_ino
    old = listeners.of("old")[target.address].sock
    os.set_blocking(old.fileno(), False)  # as a daemon does, for the open file that all of them share
    bind(listeners, "new", target)
    new = listeners.of("new")[target.address].sock
    assert not os.get_blocking(old.fileno())
    assert not new.get_inheritable()
    listeners.release("old", [target.address])
    assert path.stat().st_ino == inode
    assert answers(path)
    listeners.release("new", [target.address])
    assert not path.exists()


def test_buffers_and_backlog_change_on_the_same_socket(listeners: Listeners, path: Path) -> None:
    bind(listeners, "a", ListenerTarget(f"unix:{path}"))
    sock = listeners.of("a")[f"unix:{path}"].sock
    bind(listeners, "a", ListenerTarget(f"unix:{path}", backlog=7, send_buffer_size_bytes=65536))
    assert listeners.of("a")[f"unix:{path}"].sock is sock
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) >= 65536


def test_a_kept_socket_is_adopted(listeners: Listeners, path: Path) -> None:
    first = Listeners()
    bind(first, "a", ListenerTarget(f"unix:{path}"))
    kept, pulse = os.dup(first.of("a")[f"unix:{path}"].sock.fileno()), first.of("a")[f"unix:{path}"].pulse
    first.of("a")[f"unix:{path}"].sock.close()
    listeners.adopt("a", ListenerTarget(f"unix:{path}"), kept, pulse)
    assert answers(path)
    listeners.release("a", [f"unix:{path}"])
    assert not path.exists()


def test_tcp_addresses_of_both_families(listeners: Listeners, port: int) -> None:
    bind(listeners, "a", ListenerTarget(f"127.0.0.1:{port}"), ListenerTarget(f"[::1]:{port}"))
    for host in ("127.0.0.1", "::1"):
        socket.create_connection((host, port), timeout=10).close()


def test_a_socket_is_not_handed_to_another_user(listeners: Listeners, path: Path) -> None:
    target = ListenerTarget(f"unix:{path}")
    bind_for(listeners, "old", 1001, target)
    inode = path.stat().st_ino
    kept = socket.socket(fileno=os.dup(listeners.of("old")[target.address].sock.fileno()))
    bind_for(listeners, "new", 1002, target)
    with kept:
        assert is_shut(kept)
    assert path.stat().st_ino != inode
    listeners.release("old", [target.address])
    assert answers(path)


@pytest.mark.root  # nobody else has groups of several users, or may lock a filter
def test_a_group_that_becomes_another_users_has_another_socket(listeners: Listeners, port: int) -> None:
    target = ListenerTarget(f"127.0.0.1:{port}")
    bind_for(listeners, "a", 1001, target)
    kept = socket.socket(fileno=os.dup(listeners.of("a")[target.address].sock.fileno()))
    bind_for(listeners, "a", 1002, target)
    with kept:
        with pytest.raises(OSError, match="in use"):
            kept.listen()
        socket.create_connection(("127.0.0.1", port), timeout=10).close()
        listeners.release("a", [target.address])
        kept.listen()  # the address is free, but whoever kept this one hears nothing
        with pytest.raises(TimeoutError):
            socket.create_connection(("127.0.0.1", port), timeout=0.2)


def test_what_is_released_is_ended_for_everybody(listeners: Listeners, path: Path) -> None:
    target = ListenerTarget(f"unix:{path}")
    bind(listeners, "a", target)
    kept = socket.socket(fileno=os.dup(listeners.of("a")[target.address].sock.fileno()))
    listeners.release("a", [target.address])
    with kept:
        assert is_shut(kept)


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_what_somebody_shut_down_is_bound_again(listeners: Listeners, path: Path, port: int, kind: str) -> None:
    address = f"unix:{path}" if kind == "unix" else f"127.0.0.1:{port}"
    bind(listeners, "a", ListenerTarget(address))
    assert listeners.mend("a", {address}) == []
    inherited = os.dup(listeners.of("a")[address].sock.fileno())
    with socket.socket(fileno=inherited) as theirs:
        theirs.shutdown(socket.SHUT_RDWR)
    assert listeners.is_shut("a", address)
    assert listeners.mend("a", {address}) == [address]
    assert not listeners.is_shut("a", address)
    assert listeners.mend("a", {address}) == []


@pytest.mark.root  # nobody else can give a file away
def test_another_socket_user_gets_the_file_of_the_same_socket(listeners: Listeners, path: Path) -> None:
    bind(listeners, "a", ListenerTarget(f"unix:{path}", owner_uid=1001))
    sock, inode = listeners.of("a")[f"unix:{path}"].sock, path.stat().st_ino
    bind(listeners, "a", ListenerTarget(f"unix:{path}", owner_uid=1002))
    assert (path.stat().st_uid, path.stat().st_mode & 0o777, path.stat().st_ino) == (1002, 0o600, inode)
    assert listeners.of("a")[f"unix:{path}"].sock is sock


def test_a_file_that_is_gone_or_another_one_is_lost(listeners: Listeners, path: Path) -> None:
    address = f"unix:{path}"
    bind(listeners, "a", ListenerTarget(address))
    assert listeners.lost("a") == []
    assert listeners.unreachable("a", [address, "unix:/no"]) == {"unix:/no": "it is not bound"}
    path.unlink()
    for _ in range(20):  # a file system gives a number again that nobody has
        path.touch()
        assert listeners.lost("a") == [address]
        path.unlink()
    assert "file of its socket is gone" in listeners.unreachable("a", [address])[address]
    listeners.bind_again("a", address)
    assert listeners.lost("a") == []
    assert answers(path)


def test_who_connected_before_the_file_was_lost_is_still_served(listeners: Listeners, path: Path) -> None:
    address = f"unix:{path}"
    bind(listeners, "a", ListenerTarget(address))
    inherited = socket.socket(fileno=os.dup(listeners.of("a")[address].sock.fileno()))
    with inherited, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        path.unlink()
        listeners.bind_again("a", address)
        inherited.settimeout(10)
        inherited.accept()[0].close()
        assert not is_shut(inherited)


@pytest.mark.parametrize("harm", ["gone", "another", "nobody knows"])
def test_a_kept_socket_knows_its_file(listeners: Listeners, path: Path, harm: str) -> None:
    first, address = Listeners(), f"unix:{path}"
    bind(first, "a", ListenerTarget(address))
    held = first.of("a")[address]
    kept, pulse, inode = os.dup(held.sock.fileno()), os.dup(held.pulse), held.inode
    if harm != "nobody knows":
        path.unlink()
    if harm == "another":
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
    listeners.adopt("a", ListenerTarget(address), kept, pulse, None, inode if harm != "nobody knows" else None)
    assert listeners.lost("a") == ([] if harm == "nobody knows" else [address])
    listeners.release("a", [address])
    assert path.exists() == (harm == "another"), "only the file that is ours is removed"
    first.close_all()


def test_a_file_whose_mode_lets_nobody_connect_is_told(listeners: Listeners, path: Path) -> None:
    address = f"unix:{path}"
    bind(listeners, "a", ListenerTarget(address))
    for mode, told in ((0o000, True), (0o555, True), (0o020, False), (0o600, False)):
        path.chmod(mode)
        found = listeners.unreachable("a", [address])
        assert ("lets nobody connect" in found.get(address, "")) == told, (oct(mode), found)
        assert listeners.lost("a") == [], "it is no other file: no other socket is bound"


def test_a_directory_that_is_gone_is_told_until_it_is_there(listeners: Listeners, tmp_path: Path) -> None:
    path = tmp_path / "sockets" / "a.sock"
    path.parent.mkdir()
    address = f"unix:{path}"
    bind(listeners, "a", ListenerTarget(address))
    shutil.rmtree(path.parent)
    with pytest.raises(WsgigroupsError, match="No such file"):
        listeners.bind_again("a", address)
    assert listeners.lost("a") == [address]
    path.parent.mkdir()
    listeners.bind_again("a", address)
    assert answers(path)
