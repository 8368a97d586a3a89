"""What a closer look says of a group: from a board as a process writes it, or as a tenant may have written over it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from wsgigroups.lifecycle.step import Record
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.control import showing_groups
from wsgigroups.runtime.wire import board, notes
from wsgigroups.runtime.wire.board import BUSY_WORD, Board

THREADS = 20


@pytest.fixture
def written() -> Iterator[tuple[Board, int]]:
    fd = board.create(THREADS, "test")
    made = Board(fd)
    yield made, fd
    made.close()
    os.close(fd)


def shell(fd: int, **options: str) -> Any:
    process = SimpleNamespace(pid=4711, closed=False, board_fd=fd, info={"threads": THREADS})
    record = Record("blog", 1, 7, "f", state=Tenancy.READY, pid=4711)
    group = SimpleNamespace(records=(record,), target=SimpleNamespace(options=options))
    return cast("Any", SimpleNamespace(state=SimpleNamespace(groups={"blog": group}), processes={7: process}))


def test_each_busy_thread_says_what_it_was_asked_and_where_it_is(written: tuple[Board, int]) -> None:
    made, fd = written
    now_ns = time.monotonic_ns()
    for thread in range(THREADS):  # more than are told of a process when it ends
        since_ns = now_ns - (thread + 1) * 10**9
        made.words[BUSY_WORD + thread] = since_ns
        offset = thread * notes.NOTE_BYTES
        notes.write_asked(made.notes, offset + notes.ASKED_OFFSET, b"GET", b"/page/%d?token=hunter2" % thread)
        if thread == 3:
            notes.write_where(made.notes, offset, since_ns, "/srv/blog/views.py", 33, "report")
    document = showing_groups.document(shell(fd), "blog")
    (process,) = document.processes
    assert (process.slot, process.life, process.pid, process.state, process.threads) == (1, 7, 4711, "ready", THREADS)
    assert [thread.thread for thread in process.busy] == list(reversed(range(THREADS))), "the longest first"
    by_number = {thread.thread: thread for thread in process.busy}
    assert by_number[3].asked == "GET /page/3"
    assert 4.0 <= by_number[3].age_s < 60.0
    frame = by_number[3].frame
    assert frame is not None
    assert (frame.place, frame.function) == ("/srv/blog/views.py:33", "report")
    assert by_number[4].frame is None
    assert "hunter2" not in document.model_dump_json()


def test_a_board_that_was_written_over_is_a_process_that_does_nothing(written: tuple[Board, int]) -> None:
    made, fd = written
    for place in range(len(made.words)):
        made.words[place] = 2**64 - 1
    (process,) = showing_groups.document(shell(fd), "blog").processes
    assert process.busy == []


def test_variables_have_names_and_no_values(written: tuple[Board, int]) -> None:
    options = {
        "threads": "25",
        "environment.TOKEN": "digest 0123",
        "environment.HOME": "digest 4",
        "application": "blog:application",
        "home": "/srv",
    }
    document = showing_groups.document(shell(written[1], **options), "blog")
    assert (document.options, document.variables) == ({"threads": "25"}, ["TOKEN"])
    assert (document.application, document.home) == ("blog:application", "/srv")
    assert "digest" not in document.model_dump_json()
