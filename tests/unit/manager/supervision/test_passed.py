"""Sockets from a service manager: which ones are taken, for whom, and what becomes of the rest."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.supervision.listeners import Listeners
from wsgigroups.manager.supervision.passed import PassedSockets, accept, name_of, passed_by
from wsgigroups.manager.supervision.sealing import is_shut
from wsgigroups.plan.desired import ListenerTarget


@pytest.fixture
def unit() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        address = sock.getsockname()
    with socket.create_server(address) as sock:  # with a port that the kernel did not choose, as that of a unit
        yield sock


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    held = Listeners()
    yield held
    held.close_all()


def quiet(_level: str, text: str) -> None:
    raise AssertionError(text)


def target_of(sock: socket.socket) -> ListenerTarget:
    return ListenerTarget(f"127.0.0.1:{sock.getsockname()[1]}")


def give(listeners: Listeners, sock: socket.socket, name: str) -> None:
    accept(listeners.passed, os.dup(sock.fileno()), name, quiet)


def bind(listeners: Listeners, target: ListenerTarget, uid: int | None = None) -> None:
    listeners.commit("a", [target], listeners.prepare("a", [target], uid), uid)


def same(one: socket.socket, other: socket.socket) -> bool:
    return os.fstat(one.fileno()).st_ino == os.fstat(other.fileno()).st_ino


def test_nothing_is_taken_that_was_for_another_process() -> None:
    environment = {"LISTEN_PID": "1", "LISTEN_FDS": "3", "LISTEN_FDNAMES": "a:b:c", "HOME": "/"}
    assert passed_by(environment, quiet) == PassedSockets()
    assert environment == {"HOME": "/"}


def test_a_unit_s_socket_is_neither_shut_nor_lost_when_a_group_lets_it_go(
    listeners: Listeners, unit: socket.socket
) -> None:
    give(listeners, unit, "web.socket")
    target = target_of(unit)
    bind(listeners, target)
    assert same(listeners.of("a")[target.address].sock, unit)
    listeners.release("a", [target.address])
    assert not is_shut(unit)
    bind(listeners, target)
    assert same(listeners.of("a")[target.address].sock, unit)


def test_a_unit_whose_name_begins_like_ours_is_a_unit(listeners: Listeners, unit: socket.socket) -> None:
    give(listeners, unit, "wsgigroups-web.socket")  # the usual name of the descriptors of that unit
    target = target_of(unit)
    bind(listeners, target)
    listeners.release("a", [target.address])
    assert not is_shut(unit)
    assert listeners.passed.names == set()


def test_a_unit_s_socket_never_goes_from_one_user_to_another(listeners: Listeners, unit: socket.socket) -> None:
    give(listeners, unit, "web.socket")
    bind(listeners, target_of(unit), 1001)
    with pytest.raises(WsgigroupsError, match="processes of another user have had it"):
        bind(listeners, target_of(unit), 1002)
    assert not is_shut(unit)


def test_a_unit_s_socket_that_somebody_has_shut_listens_again(listeners: Listeners, unit: socket.socket) -> None:
    give(listeners, unit, "web.socket")
    bind(listeners, target_of(unit))
    unit.shutdown(socket.SHUT_RDWR)
    assert is_shut(unit)
    assert listeners.mend("a", {target_of(unit).address}) == [target_of(unit).address]
    assert not is_shut(unit)


def test_what_was_kept_is_for_the_same_user_alone(listeners: Listeners, unit: socket.socket) -> None:
    target = target_of(unit)
    give(listeners, unit, f"wsgigroups-1001-tcp-0-{os.fstat(unit.fileno()).st_ino}")
    bind(listeners, target, 1002)
    assert not same(listeners.of("a")[target.address].sock, unit)
    assert is_shut(unit)  # whoever of the first user has it still


def test_the_name_tells_whose_it_is_and_which_file_it_has(listeners: Listeners, tmp_path: Path) -> None:
    target = ListenerTarget(f"unix:{tmp_path}/a.sock")
    bind(listeners, target)
    held = listeners.of("a")[target.address]
    name = name_of(held)
    assert ":" not in name
    assert len(name) <= 255
    found = PassedSockets()
    accept(found, os.dup(held.sock.fileno()), name, quiet)
    kept = found.kept[target.address]
    assert (kept.uid, kept.file, kept.name) == (None, held.inode, name)
    found.close()


def test_a_kept_socket_whose_file_is_another_one_is_bound_anew(listeners: Listeners, tmp_path: Path) -> None:
    target = ListenerTarget(f"unix:{tmp_path}/a.sock")
    former = Listeners()
    bind(former, target)
    held = former.of("a")[target.address]
    give(listeners, held.sock, name_of(held))
    (tmp_path / "a.sock").unlink()
    bind(listeners, target)
    assert not same(listeners.of("a")[target.address].sock, held.sock)
    assert not listeners.of("a")[target.address].lost
    former.close_all()


def test_at_the_end_only_what_is_kept_stays_open(listeners: Listeners, unit: socket.socket, tmp_path: Path) -> None:
    targets = [ListenerTarget(f"unix:{tmp_path}/{name}.sock") for name in ("kept", "other")]
    listeners.commit("a", targets, listeners.prepare("a", targets))
    name = name_of(listeners.of("a")[targets[0].address])
    listeners.passed.names.add(name)
    listeners.close_all()
    assert [path.name for path in tmp_path.iterdir()] == ["kept.sock"]


def test_what_nobody_takes_ends_for_whoever_has_it(unit: socket.socket) -> None:
    found = PassedSockets()
    accept(found, os.dup(unit.fileno()), "wsgigroups-own-tcp-0-0", quiet)
    found.release(in_use={os.fstat(unit.fileno()).st_ino})
    assert not is_shut(unit)
    accept(found, os.dup(unit.fileno()), "wsgigroups-own-tcp-0-0", quiet)
    found.release(in_use=set())
    assert is_shut(unit)


def test_what_is_no_listening_socket_is_closed_and_named() -> None:
    said: list[str] = []
    found = PassedSockets()
    read_end, write_end = os.pipe()
    datagram, stream = socket.socket(type=socket.SOCK_DGRAM), socket.socket()
    for fd in (read_end, datagram.detach(), stream.detach()):
        accept(found, fd, "web.socket", lambda _level, text: said.append(text))
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)
    accept(found, 900_000, "gone", lambda _level, text: said.append(text))
    os.close(write_end)
    assert found == PassedSockets()
    assert [text.partition("passed ")[2].split(":")[0] for text in said] == ["is no listening stream socket"] * 3 + [
        "does not exist"
    ]
