"""The spawner's parts without a process: options, registry, outgoing frames."""

from __future__ import annotations

import os
import socket
from collections import deque

import pytest

from wsgigroups.runtime.spawner import children, connection
from wsgigroups.runtime.spawner.arguments import Options, UsageError, parse
from wsgigroups.runtime.wire import messages
from wsgigroups.runtime.wire.frames import Channel, Receiver


def test_options() -> None:
    arguments = ["--listen-fd", "3", "--key", "k", "--library-dir", "/a", "--library-dir", "/b", "--ready-fd", "4"]
    assert parse(arguments) == Options(3, "k", ("/a", "/b"), 4)
    assert parse(["--listen-fd", "3", "--key", "k"]) == Options(3, "k")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--listen-fd"], "needs a value"),
        (["--listen-fd", "-1"], "must be a number"),
        (["--unknown", "x"], "there is no such option"),
        ([], "without --listen-fd"),
        (["--listen-fd", "0"], "without --key"),
    ],
)
def test_usage_errors(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse(arguments)


def _descriptor() -> int:
    return os.open("/dev/null", os.O_RDONLY)


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_kept_item_is_closed_when_replaced_and_when_dropped() -> None:
    registry = children.Registry()
    first, second = _descriptor(), _descriptor()
    registry.keep("listener", "a", children.Item({}, [first]))
    registry.keep("listener", "a", children.Item({"n": 2}, [second]))
    assert not _is_open(first)
    assert [(kind, key, item.info) for kind, key, item in registry.items()] == [("listener", "a", {"n": 2})]
    registry.drop("listener", "a")
    registry.drop("listener", "a")
    assert not _is_open(second)
    assert list(registry.items()) == []


def test_exits_are_kept_until_acknowledged_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "MAXIMUM_EXITS", 3)
    registry = children.Registry()
    for life in range(5):
        registry.ended(messages.Exited(life, 100 + life))
    assert [exited.life for exited in registry.exits()] == [2, 3, 4]
    registry.drop("process", "3")
    registry.drop("process", "not a number")
    registry.drop("listener", "4")
    assert [exited.life for exited in registry.exits()] == [2, 4]


def test_frames_wait_for_a_slow_reader_and_keep_their_descriptors() -> None:
    ours, theirs = socket.socketpair()
    sender = connection.ManagerConnection(ours)
    with theirs:
        sent = 0
        while not sender.wants_to_write:  # until the socket is full
            fd = _descriptor()
            sender.send(messages.Spawned(sent, 1), (fd,))
            os.close(fd)
            sent += 1
        reader, received = Receiver(), []
        reading = Channel(theirs)
        while len(received) < sent:
            body, fds = reading.receive()
            received.append(body["life"])
            assert len(fds) == 1
            assert os.fstat(fds[0]).st_rdev == os.stat("/dev/null").st_rdev
            os.close(fds[0])
            sender.flush()
        reader.close()
    assert received == list(range(sent))
    assert sender.is_flushed
    sender.close()


def test_reader_that_never_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAXIMUM_QUEUED_BYTES", 10_000)
    ours, theirs = socket.socketpair()
    sender = connection.ManagerConnection(ours)
    before = len(os.listdir("/proc/self/fd"))
    message = messages.Kept("listener", "x", {"filler": "y" * 1000})
    with theirs:
        while not sender.wants_to_write:
            sender.send(message, (theirs.fileno(),))
        for _each in range(5):
            sender.send(message, (theirs.fileno(),))
        with pytest.raises(connection.ConnectionLostError, match="does not read"):
            deque((sender.send(message, (theirs.fileno(),)) for _each in range(10)), maxlen=0)
    sender.close()
    assert len(os.listdir("/proc/self/fd")) == before - 2


def test_peer_uid() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert connection.peer_uid(ours) == os.geteuid()
