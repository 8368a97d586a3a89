"""Processes are looked at until their boards say that they take no connections any more."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from wsgigroups.manager.supervision.letting_go import LettingGo, has_let_go
from wsgigroups.runtime.wire import board
from wsgigroups.runtime.wire.board import LISTENING, STATE, WORD, Board


@pytest.fixture
def made() -> Iterator[tuple[Any, Board]]:
    """A process as the manager knows it, and its side of the board."""
    fd = board.create(1, "wsgigroups-test")
    theirs = Board(fd)
    yield SimpleNamespace(life=7, board_fd=fd, closed=False), theirs
    theirs.close()
    os.close(fd)


@pytest.mark.parametrize(
    ("listening", "state", "let_go"),
    [
        ("yes", "ready", False),
        ("yes", "stopping", False),  # it is about to
        ("no", "stopping", True),
        ("not said", "draining", False),  # of an earlier version
        ("not said", "stopping", True),
    ],
)
def test_what_the_board_says(made: tuple[Any, Board], listening: str, state: str, let_go: bool) -> None:
    process, theirs = made
    theirs.words[WORD["listening"]], theirs.words[WORD["state"]] = LISTENING[listening], STATE[state]
    assert has_let_go(process) is let_go


def test_it_is_told_once_and_never_of_a_process_that_is_over(made: tuple[Any, Board]) -> None:
    process, theirs = made
    told: list[int] = []

    async def story() -> None:
        theirs.words[WORD["listening"]] = LISTENING["yes"]
        heard = asyncio.Event()

        def tell(life: int) -> None:
            told.append(life)
            heard.set()

        letting_go = LettingGo(tell)
        letting_go.follow(SimpleNamespace(life=8, board_fd=-1, closed=True))
        letting_go.follow(process)
        theirs.words[WORD["listening"]] = LISTENING["no"]
        await asyncio.wait_for(heard.wait(), 30)

    asyncio.run(story())
    assert told == [7]
