"""A spawner lets go of connections in which descriptors wait by a child, and keeps them where it can have none."""

from __future__ import annotations

import os
import socket
import time

import pytest
from support.stubborn import stubborn_peer

from wsgigroups.runtime.spawner import strangers
from wsgigroups.runtime.spawner.strangers import MAXIMUM_HELD, RefusedConnections


def test_what_does_not_close_is_left_to_a_child(tmp_path: object) -> None:
    path = f"\0{tmp_path}"
    with socket.socket(socket.AF_UNIX) as listener, stubborn_peer() as stubborn:
        listener.bind(path)
        listener.listen()
        assert stubborn.send(path, 3) == "sent"
        sock = listener.accept()[0]
        sock.setblocking(False)
        began_s = time.monotonic()
        RefusedConnections().let_go(sock)
        assert sock.fileno() == -1
        assert time.monotonic() - began_s < 10.0
        assert os.waitpid(-1, 0)[1] == 0


def test_without_a_child_they_stay_until_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_fork() -> int:
        raise BlockingIOError

    refused = RefusedConnections()
    fork = os.fork
    monkeypatch.setattr(strangers.os, "fork", no_fork)
    ours = []
    for _number in range(MAXIMUM_HELD):
        assert not refused.is_full
        sock, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(theirs, [b"x"], [0])
        sock.setblocking(False)
        refused.let_go(sock)
        ours.append(sock)
    assert refused.is_full
    assert all(sock.fileno() != -1 for sock in ours)
    monkeypatch.setattr(strangers.os, "fork", fork)
    refused.flush()
    assert not refused.is_full
    assert all(sock.fileno() == -1 for sock in ours)
    assert os.waitpid(-1, 0)[1] == 0
