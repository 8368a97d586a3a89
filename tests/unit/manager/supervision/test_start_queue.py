"""Whose turn it is to be started: a bounded number at once, nobody forgotten, nobody held up by a slow group."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from wsgigroups.manager.supervision.start_queue import StartQueue

Story = Callable[[StartQueue, "list[int]"], Awaitable[None]]


def play(story: Story, *, at_once: int, slow_s: float = 60.0) -> None:
    """Run a story with a queue, and a list of the lives that have begun, in order."""

    async def run() -> None:
        await story(StartQueue(lambda _lives: None, at_once, slow_s), [])

    asyncio.run(asyncio.wait_for(run(), 10.0))


async def come(queue: StartQueue, begun: list[int], *lives: tuple[str, int]) -> None:
    """Have lives ask for their turn, in this order, and let each get as far as it can."""
    for group, life in lives:
        task = asyncio.ensure_future(queue.turn(group, life))
        task.add_done_callback(lambda _task, life=life: begun.append(life))  # type: ignore[misc]
    await settle()


async def settle() -> None:
    """Let the loop take a few turns: whatever can go on has done so then."""
    for _turn in range(5):
        passed = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(passed.set_result, None)
        await passed


def test_so_many_begin_at_once_and_each_that_is_over_lets_the_next_begin() -> None:
    async def story(queue: StartQueue, begun: list[int]) -> None:
        await come(queue, begun, *(("a", life) for life in range(1, 6)))
        assert begun == [1, 2]
        queue.over(2)
        queue.over(2)  # it became ready, and then it died
        await settle()
        assert begun == [1, 2, 3]
        queue.over(9)  # one that nobody knows
        await settle()
        assert begun == [1, 2, 3]

    play(story, at_once=2)


def test_who_had_to_wait_is_told_so() -> None:
    async def story(queue: StartQueue, _begun: list[int]) -> None:
        assert await queue.turn("a", 1) is False
        second = asyncio.ensure_future(queue.turn("a", 2))
        await settle()
        queue.over(1)
        assert await second is True

    play(story, at_once=1)


def test_a_group_with_many_does_not_hold_up_another() -> None:
    async def story(queue: StartQueue, begun: list[int]) -> None:
        await come(queue, begun, *(("many", life) for life in range(1, 9)), ("other", 9))
        queue.over(1)
        await settle()
        assert begun == [1, 2, 9]

    play(story, at_once=2)


def test_one_that_takes_long_gives_its_place_to_the_next() -> None:
    async def story(queue: StartQueue, begun: list[int]) -> None:
        await come(queue, begun, ("slow", 1))
        assert await queue.turn("other", 2) is True
        assert begun == [1]

    play(story, at_once=1, slow_s=0.01)


def test_who_does_not_wait_any_more_takes_no_place() -> None:
    async def story(queue: StartQueue, begun: list[int]) -> None:
        await come(queue, begun, ("a", 1))
        gone = asyncio.ensure_future(queue.turn("a", 2))
        await come(queue, begun, ("a", 3))
        gone.cancel()
        await settle()
        queue.over(1)
        await settle()
        assert begun == [1, 3]

    play(story, at_once=1)
