"""Frames on a non-blocking socket: descriptors travel, nothing blocks, a broken peer is cut off."""

from __future__ import annotations

import array
import asyncio
import errno
import os
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from support.shortages import Refusing, full_after

from wsgigroups.manager.supervision.connection import MAXIMUM_QUEUED_BYTES, FrameConnection
from wsgigroups.runtime.wire import frames


class End:
    """One side, with what it heard."""

    def __init__(self, sock: socket.socket) -> None:
        self.frames: list[tuple[dict[str, Any], list[int]]] = []
        self.closed: list[str] = []
        self.heard = asyncio.Event()
        self.connection = FrameConnection(sock, self._frame, self._close)

    def _frame(self, body: dict[str, Any], fds: list[int]) -> None:
        self.frames.append((body, fds))
        self.heard.set()

    def _close(self, reason: str) -> None:
        self.closed.append(reason)
        self.heard.set()

    def listen(self) -> None:
        """Read again, after a time of not reading."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self.connection.sock.fileno(), self.connection.receive)

    async def wait(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.heard.clear()
            await asyncio.wait_for(self.heard.wait(), 30)


def run(story: Callable[[End, End], Coroutine[Any, Any, None]]) -> None:
    async def play() -> None:
        first, second = socket.socketpair()
        one, two = End(first), End(second)
        try:
            await story(one, two)
        finally:
            one.connection.close()
            two.connection.close()

    asyncio.run(play())


def test_frames_arrive_in_order_with_their_descriptors() -> None:
    async def story(one: End, two: End) -> None:
        read_end, write_end = os.pipe()
        one.connection.send({"type": "a"})
        one.connection.send({"type": "b"}, [write_end])
        os.close(write_end)
        await two.wait(lambda: len(two.frames) == 2)
        assert [body["type"] for body, _fds in two.frames] == ["a", "b"]
        (passenger,) = two.frames[1][1]
        os.write(passenger, b"x")
        assert os.read(read_end, 1) == b"x"
        os.close(passenger)
        os.close(read_end)

    run(story)


def test_a_frame_larger_than_the_socket_takes_waits_for_the_reader() -> None:
    async def story(one: End, two: End) -> None:
        one.connection.send({"type": "big", "data": "x" * 3_000_000})
        one.connection.send({"type": "after"})
        assert one.connection.behind
        await two.wait(lambda: len(two.frames) == 2)
        assert len(two.frames[0][0]["data"]) == 3_000_000
        assert not one.connection.behind

    run(story)


def test_a_peer_that_does_not_read_is_cut_off() -> None:
    async def story(one: End, two: End) -> None:
        asyncio.get_running_loop().remove_reader(two.connection.sock.fileno())
        frame = {"type": "big", "data": "x" * (frames.MAXIMUM_FRAME_BYTES // 2)}
        for _ in range(MAXIMUM_QUEUED_BYTES // (frames.MAXIMUM_FRAME_BYTES // 2) + 2):
            one.connection.send(frame)
        (reason,) = one.closed
        assert reason.startswith("the peer does not read")

    run(story)


def test_descriptors_that_the_kernel_has_no_room_for_go_on_later(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = Refusing(errno.ETOOMANYREFS, times=2)
    monkeypatch.setattr(socket.socket, "sendmsg", refused)

    async def story(one: End, two: End) -> None:
        read_end, write_end = os.pipe()
        one.connection.send({"type": "a"}, [read_end])
        one.connection.send({"type": "b"})
        os.close(read_end)
        assert one.connection.behind
        await two.wait(lambda: len(two.frames) == 2)
        assert not one.closed
        assert refused.left == 0
        assert [len(fds) for _body, fds in two.frames] == [1, 0]
        os.close(two.frames[0][1][0])
        os.close(write_end)

    run(story)


def test_without_room_for_duplicates_nothing_is_sent_and_the_connection_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(one: End, two: End) -> None:
        asyncio.get_running_loop().remove_reader(two.connection.sock.fileno())
        one.connection.send({"type": "big", "data": "x" * 3_000_000})
        with monkeypatch.context() as patch:
            patch.setattr(os, "dup", full_after(1, os.dup))
            before = os.listdir("/proc/self/fd")
            with pytest.raises(OSError, match="Too many open files"):
                one.connection.send({"type": "lost"}, [0, 1])
            assert os.listdir("/proc/self/fd") == before
        one.connection.send({"type": "after"})
        two.listen()
        await two.wait(lambda: len(two.frames) == 2)
        assert [body["type"] for body, _fds in two.frames] == ["big", "after"]

    run(story)


def test_what_is_no_frame_ends_the_connection() -> None:
    async def story(one: End, two: End) -> None:
        one.connection.sock.send((5).to_bytes(4, "big") + b"hello")
        await two.wait(lambda: bool(two.closed))
        assert "not JSON" in two.closed[0]

    run(story)


def test_the_end_of_the_peer_is_told_once() -> None:
    async def story(one: End, two: End) -> None:
        one.connection.close()
        await two.wait(lambda: bool(two.closed))
        two.connection.close()
        assert two.closed == ["the peer closed the connection"]
        two.connection.send({"type": "late"})

    run(story)


def test_descriptors_that_no_frame_claims_are_few_and_cost_the_connection() -> None:
    async def story(one: End, two: End) -> None:
        read_end, write_end = os.pipe()
        try:
            rights = array.array("i", [write_end] * frames.MAXIMUM_FDS).tobytes()
            for _part in range(2):  # of a frame that is announced and does not end
                data = b"\x00\xff\xff\xff" if not _part else b"{"
                one.connection.sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            await two.wait(lambda: bool(two.closed))
        finally:
            os.close(read_end)
            os.close(write_end)
        assert two.closed == [f"{2 * frames.MAXIMUM_FDS} descriptors arrived that no frame has claimed"]

    run(story)
