"""The one sender of frames with descriptors: nothing blocks, nothing leaks, nothing is sent twice."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from support.shortages import Refusing, full_after

from wsgigroups.runtime.wire.frames import Receiver, receive_some
from wsgigroups.runtime.wire.sender import Sender, SendError

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, two = socket.socketpair()
    one.setblocking(False)
    two.setblocking(False)
    yield one, two
    one.close()
    two.close()


def descriptors() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))


def arrived(sock: socket.socket, receiver: Receiver) -> list[tuple[dict[str, Any], list[int]]]:
    """Everything that lies in the socket."""
    found = []
    while True:
        try:
            data, fds = receive_some(sock)
        except BlockingIOError:
            return found
        if not data:
            return found
        found += receiver.feed(data, fds)


def test_what_fits_is_sent_at_once_without_a_duplicate(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    sender = Sender(pair[0], 1000)
    monkeypatch.setattr(os, "dup", full_after(0, os.dup))
    sender.send({"type": "a"}, [0])
    assert not sender.behind
    ((body, (fd,)),) = arrived(pair[1], Receiver())
    assert body["type"] == "a"
    os.close(fd)


def test_a_frame_that_fits_in_part_goes_on_and_its_descriptors_arrive_once(pair: Pair) -> None:
    before = descriptors()
    sender, receiver = Sender(pair[0], 1 << 24), Receiver()
    sender.send({"type": "big", "data": "x" * 3_000_000}, [0, 1])
    assert descriptors() == before  # they went with the first byte
    sender.send({"type": "after"}, [0])
    assert sender.wants_to_write
    found = []
    while sender.behind:
        found += arrived(pair[1], receiver)
        sender.flush()
    found += arrived(pair[1], receiver)
    assert [(body["type"], len(fds)) for body, fds in found] == [("big", 2), ("after", 1)]
    for _body, fds in found:
        for fd in fds:
            os.close(fd)
    assert descriptors() == before


@pytest.mark.parametrize("number", [errno.ETOOMANYREFS, errno.EPERM])
def test_too_many_descriptors_in_flight_wait_and_go_on(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    before = descriptors()
    refusing = Refusing(number, times=2)
    monkeypatch.setattr(socket.socket, "sendmsg", refusing)
    sender = Sender(pair[0], 1000)
    read_end, write_end = os.pipe()
    sender.send({"type": "a"}, [write_end])
    os.close(write_end)
    assert sender.starved
    assert sender.behind
    assert not sender.wants_to_write  # to poll for it would spin
    sender.flush()
    assert sender.starved
    sender.flush()
    assert not sender.starved
    assert not sender.behind
    ((_body, (fd,)),) = arrived(pair[1], Receiver())
    os.write(fd, b"x")
    assert os.read(read_end, 1) == b"x"
    os.close(fd)
    os.close(read_end)
    assert descriptors() == before


def test_a_full_table_of_descriptors_leaks_nothing_and_leaves_the_frame_out(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = Sender(pair[0], 1 << 24)
    sender.send({"type": "big", "data": "x" * 3_000_000})
    before = descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(os, "dup", full_after(2, os.dup))
        with pytest.raises(OSError, match="Too many open files"):
            sender.send({"type": "lost"}, [0, 1, 2])
    assert descriptors() == before
    sender.send({"type": "after"})
    receiver = Receiver()
    found = []
    while sender.behind:
        found += arrived(pair[1], receiver)
        sender.flush()
    found += arrived(pair[1], receiver)
    assert [body["type"] for body, _fds in found] == ["big", "after"]


def test_what_waits_is_bounded(pair: Pair) -> None:
    sender = Sender(pair[0], 2_000_000)
    sender.send({"type": "a", "data": "x" * 1_500_000})
    with pytest.raises(SendError, match="the peer does not read"):
        sender.send({"type": "b", "data": "x" * 1_500_000})


def test_a_peer_that_has_gone_is_told(pair: Pair) -> None:
    pair[1].close()
    with pytest.raises(SendError, match="Broken pipe"):
        Sender(pair[0], 1000).send({"type": "a"})


def test_close_closes_what_waits(pair: Pair) -> None:
    before = descriptors()
    sender = Sender(pair[0], 1 << 24)
    sender.send({"type": "big", "data": "x" * 3_000_000})
    sender.send({"type": "a"}, [0, 1])
    assert len(descriptors()) == len(before) + 2
    sender.close()
    assert descriptors() == before
    assert not sender.behind
