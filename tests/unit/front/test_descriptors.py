"""The number of a closed descriptor is given out again at once: no event may reach the next one that has it."""

from __future__ import annotations

import select
import socket
from typing import Any

import pytest
from support.driven import Driven
from support.gated import GET

GONE = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR


class Told:
    """An epoll that reports these events once, whatever has happened."""

    def __init__(self, real: Any, events: list[tuple[int, int]]) -> None:
        self._real = real
        self._events = events

    def poll(self, timeout: float, most: int) -> list[tuple[int, int]]:
        events, self._events = self._events, []
        return events

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@pytest.mark.parametrize("first", ["arrival", "event"])
@pytest.mark.parametrize("closed", ["before", "meanwhile", "after"])
def test_events_of_a_closed_connection_are_not_those_of_the_next_one(
    driven: Driven, monkeypatch: pytest.MonkeyPatch, first: str, closed: str
) -> None:
    """A request thread closes its connection before the round, before somebody is accepted in it, or after that."""
    poller, listening = driven.poller, driven.server.listening
    with driven.connect() as leaver:
        leaver.sendall(GET % b"/old")
        poller.wait()
        old = poller.step()
        assert old is not None
        assert old.owned
        events = [(old.fd, GONE), (driven.listener.fileno(), select.EPOLLIN)]
        told = Told(poller.epoll, events if first == "event" else events[::-1])
        monkeypatch.setattr(poller, "epoll", told)
        with socket.create_connection(driven.listener.getsockname(), timeout=20) as newcomer:
            newcomer.sendall(GET % b"/new")
            if closed == "before":
                poller.connections.close(old)
            leaves = listening.leaves

            def let_in(fd: int, connections: int) -> bool:
                if closed == "meanwhile":
                    poller.connections.close(old)
                return leaves(fd, connections)

            monkeypatch.setattr(listening, "leaves", let_in)
            poller.wait()
            if closed == "after":
                poller.connections.close(old)
            (new,) = [connection for connection in driven.connections if connection is not old]
            assert (new.fd == old.fd) is (closed != "after")
            complete = [connection for connection in (poller.step() for _ in range(len(poller.ready))) if connection]
            assert complete == [new]
            assert not new.signalled
            assert not new.gone
