"""Reading reports in turns: everything in order, little at a time, and an end to those who say too much."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from wsgigroups.manager.supervision.reports import BURST, MESSAGES_PER_TURN, Reports
from wsgigroups.runtime.wire import messages
from wsgigroups.runtime.wire.lines import READ_BYTES, encode_line

LINE = encode_line(messages.Leaving(7, "signal"))


class Told:
    """A reader and what it was told."""

    def __init__(self, fd: int, fine: Callable[[messages.Message], bool]) -> None:
        self.messages: list[messages.Message] = []
        self.cuts: list[str] = []
        self._fine = fine
        self.reports = Reports(fd, self._message, self.cuts.append)

    def _message(self, message: messages.Message) -> bool:
        self.messages.append(message)
        return self._fine(message)

    async def turns_until(self, condition: Callable[[], Any]) -> int:
        """Let the loop turn until it is so; how many turns that took."""
        for turn in range(10_000):
            if condition():
                return turn
            turned = asyncio.get_running_loop().create_future()
            turned.get_loop().call_soon(turned.set_result, None)
            await turned
        raise AssertionError("never")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    os.set_blocking(write, False)
    yield read, write
    os.close(write)


def run(
    read: int,
    story: Callable[[Told], Coroutine[Any, Any, None]],
    fine: Callable[[messages.Message], bool] = lambda _message: True,
) -> None:
    async def play() -> None:
        told = Told(read, fine)
        try:
            await story(told)
        finally:
            told.reports.close()

    asyncio.run(play())


def test_a_turn_decodes_a_few_and_nothing_is_read_before_the_rest_is(pipe: tuple[int, int]) -> None:
    async def story(told: Told) -> None:
        os.write(pipe[1], LINE * 40)
        told.reports.start()
        await told.turns_until(lambda: told.messages)
        assert len(told.messages) == MESSAGES_PER_TURN
        os.write(pipe[1], encode_line(messages.Ready(7, 1)))
        assert await told.turns_until(lambda: len(told.messages) == 41) >= 2
        assert isinstance(told.messages[-1], messages.Ready)
        assert told.cuts == []

    run(pipe[0], story)


def test_a_flood_is_cut_off_once(pipe: tuple[int, int]) -> None:
    async def story(told: Told) -> None:
        os.write(pipe[1], LINE * (READ_BYTES // len(LINE)))
        told.reports.start()
        await told.turns_until(lambda: told.cuts)
        assert len(told.messages) == BURST
        with pytest.raises(BrokenPipeError):
            os.write(pipe[1], LINE)
        told.reports.last_words()
        assert len(told.cuts) == 1

    run(pipe[0], story)


def test_messages_that_are_not_its_own_are_few(pipe: tuple[int, int]) -> None:
    async def story(told: Told) -> None:
        os.write(pipe[1], LINE * 40)
        told.reports.start()
        await told.turns_until(lambda: told.cuts)
        assert len(told.messages) <= 8

    run(pipe[0], story, fine=lambda _message: False)


def test_last_words_are_one_buffer_and_cut_nobody_off(pipe: tuple[int, int]) -> None:
    async def story(told: Told) -> None:
        os.write(pipe[1], LINE * 20)
        told.reports.last_words()
        assert len(told.messages) == 20
        assert told.reports.fd == -1

    async def flood(told: Told) -> None:
        other_read, other_write = os.pipe()
        flooded = Told(other_read, lambda _message: True)
        os.write(other_write, LINE * (READ_BYTES // len(LINE)))
        flooded.reports.last_words()
        assert len(flooded.messages) == BURST
        assert flooded.cuts == []
        os.close(other_write)
        told.reports.close()

    run(pipe[0], story)
    read, write = os.pipe()
    os.close(write)
    run(read, flood)
