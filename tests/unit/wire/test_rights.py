"""Reading a stream on which somebody sends descriptors: none is taken, none is closed, and what came before is read."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator

import pytest
from support.processes import open_descriptors

from wsgigroups.runtime.wire.rights import RightsError, is_free_of_rights, read_without_rights, take_rights


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def test_data_before_the_descriptors_is_read_at_most(pair: tuple[socket.socket, socket.socket]) -> None:
    """How far, differs: newer kernels tell of descriptors that come behind what they were asked for."""
    ours, theirs = pair
    before = open_descriptors()
    theirs.send(b"one")
    assert read_without_rights(ours, 2) + read_without_rights(ours, 100) == b"one"
    theirs.send(b"two")
    socket.send_fds(theirs, [b"three"], [0])
    with contextlib.suppress(RightsError):
        assert read_without_rights(ours, 2) == b"tw"
        assert read_without_rights(ours, 2) == b"o"
    with pytest.raises(RightsError):
        read_without_rights(ours, 100)
    assert open_descriptors() == before
    assert not is_free_of_rights(ours)


def test_the_end_and_nothing_are_as_ever(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    with pytest.raises(BlockingIOError):
        read_without_rights(ours, 10)
    theirs.close()
    assert read_without_rights(ours, 10) == b""
    assert is_free_of_rights(ours)


def test_nothing_comes_after_the_look(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            theirs.send(bytes(65536))
    assert is_free_of_rights(ours)
    with pytest.raises(BrokenPipeError):
        socket.send_fds(theirs, [b"x"], [0])


def test_descriptors_behind_a_lot_of_data_are_found(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.send(bytes(100_000))
    socket.send_fds(theirs, [b"x"], [0] * 250)
    assert not is_free_of_rights(ours)


def test_where_the_kernel_can_it_refuses_them(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    if take_rights(ours, take=False):
        with pytest.raises(PermissionError):
            socket.send_fds(theirs, [b"x"], [0])
        assert take_rights(ours, take=True)
    else:
        assert tuple(int(part) for part in os.uname().release.split(".")[:2]) < (6, 16)
    assert socket.send_fds(theirs, [b"x"], [0]) == 1
