"""Listeners of groups that sleep: who connects wakes the group, and nobody accepts for it."""

from __future__ import annotations

import asyncio
import socket
from types import SimpleNamespace
from typing import Any

from support.targets import small_target

from wsgigroups.manager.core.model import GroupState
from wsgigroups.manager.supervision.sleepers import Sleepers
from wsgigroups.plan.scaling import ScalingTarget

ASLEEP = GroupState(small_target(scaling=ScalingTarget(0, 2)), automatic=0)
AWAKE = GroupState(small_target(scaling=ScalingTarget(0, 2)), automatic=1)


class Listening:
    """A group with one listener, and what was woken."""

    def __init__(self) -> None:
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.sock.setblocking(False)
        self.held: dict[str, Any] = {"a": SimpleNamespace(sock=self.sock)}
        self.woken: asyncio.Queue[str] = asyncio.Queue()
        listeners: Any = SimpleNamespace(of=lambda _group: self.held)
        self.sleepers = Sleepers(listeners, self.woken.put_nowait)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.sock.getsockname())

    async def next_woken(self) -> str:
        return await asyncio.wait_for(self.woken.get(), 30)

    def close(self) -> None:
        self.sleepers.close()
        self.sock.close()


def test_who_connects_wakes_it_and_waits_to_be_accepted() -> None:
    async def run() -> None:
        there = Listening()
        there.sleepers.look({"blog": ASLEEP})
        with there.connect():
            assert await there.next_woken() == "blog"
            there.sleepers.look({"blog": AWAKE})
            there.sock.accept()[0].close()
        there.close()

    asyncio.run(run())


def test_who_came_before_it_slept_wakes_it() -> None:
    async def run() -> None:
        there = Listening()
        with there.connect():
            there.sleepers.look({"blog": ASLEEP})
            assert await there.next_woken() == "blog"
        there.close()

    asyncio.run(run())


def test_a_group_that_is_awake_or_stopped_is_not_watched() -> None:
    async def run() -> None:
        there, other = Listening(), Listening()
        stopped = GroupState(small_target(scaling=ScalingTarget(0, 2)), automatic=0, stopped=True)
        there.sleepers.look({"blog": AWAKE})
        there.sleepers.look({"blog": stopped})
        other.sleepers.look({"blog": ASLEEP})
        with there.connect(), other.connect():
            assert await other.next_woken() == "blog"
            assert there.woken.empty()
        there.close()
        other.close()

    asyncio.run(run())


def test_another_socket_in_the_place_of_a_closed_one_is_watched() -> None:
    async def run() -> None:
        there = Listening()
        there.sleepers.look({"blog": ASLEEP})
        there.sock.close()
        there.sock = socket.create_server(("127.0.0.1", 0))
        there.held["a"].sock = there.sock
        there.sleepers.look({"blog": ASLEEP})
        with there.connect():
            assert await there.next_woken() == "blog"
        there.close()

    asyncio.run(run())
