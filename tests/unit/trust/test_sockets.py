"""What can be at the path of a socket file when it is to be bound, each with its outcome: docs/listeners.md."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.supervision import binding
from wsgigroups.plan.desired import ListenerTarget
from wsgigroups.trust.sockets import (
    TakenPathError,
    bind_unix,
    inode_of,
    inode_of_file,
    open_socket_file,
    remove_stale,
)

SOMEBODY_UID = 4242


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.sock"


@pytest.fixture
def kept() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def server(path: Path, kept: ExitStack, kind: int = socket.SOCK_STREAM, backlog: int | None = 1) -> None:
    sock = kept.enter_context(socket.socket(socket.AF_UNIX, kind))
    sock.bind(str(path))
    if kind == socket.SOCK_STREAM and backlog is not None:
        sock.listen(backlog)


def full_server(path: Path, kept: ExitStack) -> None:
    server(path, kept, backlog=0)
    while True:
        client = kept.enter_context(socket.socket(socket.AF_UNIX))
        client.setblocking(False)
        if client.connect_ex(str(path)):
            return


def dead(path: Path, _kept: ExitStack) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


def link_to_live(path: Path, kept: ExitStack) -> None:
    server(path.with_name("b.sock"), kept)
    path.symlink_to(path.with_name("b.sock"))


TAKEN: dict[str, tuple[Callable[[Path, ExitStack], object], str]] = {
    "file": (lambda path, _kept: path.write_text("precious"), "a file is there, and no socket"),
    "directory": (lambda path, _kept: path.mkdir(), "a directory is there, and no socket"),
    "FIFO": (lambda path, _kept: os.mkfifo(path), "a FIFO is there, and no socket"),
    "link": (lambda path, _kept: path.symlink_to("/etc/passwd"), "a symbolic link is there, and no socket"),
    "dangling link": (lambda path, _kept: path.symlink_to("/no/such"), "a symbolic link is there, and no socket"),
    "link to a server": (link_to_live, "a symbolic link is there, and no socket"),
    "server": (server, f"process {os.getpid()} "),
    "server with a full queue": (full_server, "somebody listens there, whose queue is full"),
    "datagram server": (lambda path, kept: server(path, kept, socket.SOCK_DGRAM), "a socket of another kind there"),
}


def _what_it_is(path: Path) -> tuple[int, ...]:
    """But not when it was read: connecting to a socket is that."""
    found = os.lstat(path)
    return found.st_ino, found.st_mode, found.st_uid, found.st_gid, found.st_size, found.st_mtime_ns


@pytest.mark.parametrize("case", TAKEN)
def test_what_is_not_ours_is_named_and_left_alone(path: Path, kept: ExitStack, case: str) -> None:
    put, told = TAKEN[case]
    put(path, kept)
    before = _what_it_is(path)
    with pytest.raises(TakenPathError, match=told) as caught:
        remove_stale(str(path), None)
    assert caught.value.hint
    assert _what_it_is(path) == before
    with pytest.raises(WsgigroupsError, match=told):
        binding.bind("a", ListenerTarget(f"unix:{path}"))


@pytest.mark.parametrize("case", [dead, lambda path, kept: None], ids=["dead", "nothing"])
def test_a_path_that_is_free_or_has_a_leftover_is_bound(
    path: Path, kept: ExitStack, case: Callable[[Path, ExitStack], None]
) -> None:
    case(path, kept)
    remove_stale(str(path), None)
    kept.enter_context(bind_unix(str(path), None)).listen()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.root  # nobody else can give a file away
@pytest.mark.parametrize(("owner", "sticky", "removed"), [
    (SOMEBODY_UID, False, True),
    (SOMEBODY_UID, True, True),
    (SOMEBODY_UID + 1, False, True),  # who had it before: only we can make files there
    (SOMEBODY_UID + 1, True, False),
    (0, True, True),
])  # fmt: skip
def test_a_leftover_that_was_given_to_the_socket_user_is_removed(
    path: Path, kept: ExitStack, owner: int, sticky: bool, removed: bool
) -> None:
    dead(path, kept)
    os.chown(path, owner, -1)
    if sticky:
        path.parent.chmod(0o1777)
    if removed:
        remove_stale(str(path), None, SOMEBODY_UID)
    else:
        with pytest.raises(TakenPathError, match=f"a socket file of uid {owner} is there"):
            remove_stale(str(path), None, SOMEBODY_UID)
    assert path.exists() != removed


@pytest.mark.parametrize(("directory", "told", "hint"), [
    ("no/such", "No such file or directory", "make the directory"),
    ("file", "Not a directory", "is no directory"),
    pytest.param("closed", "Permission denied", "must be able to make a file", marks=pytest.mark.ordinary),
])  # fmt: skip
def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path, directory: str, told: str, hint: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "closed").mkdir(mode=0o555)
    with pytest.raises(WsgigroupsError, match=told) as caught:
        binding.bind("a", ListenerTarget(f"unix:{tmp_path / directory}/a.sock"))
    assert hint in (caught.value.hint or "")


def test_a_file_that_is_no_socket_is_not_opened(path: Path, kept: ExitStack) -> None:
    assert open_socket_file(str(path)) == -1
    path.write_text("somebody else's")
    assert open_socket_file(str(path)) == -1
    path.unlink()
    dead(path, kept)
    file = open_socket_file(str(path))
    kept.callback(os.close, file)
    assert inode_of_file(file) == inode_of(str(path))
    path.unlink()
    assert inode_of_file(file) is None
