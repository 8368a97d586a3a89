"""What a request thread has counted is added to the board once."""

from __future__ import annotations

import collections
import threading
from collections.abc import Iterator

import pytest

from wsgigroups.runtime.records.tally import Answers, Run, Tally
from wsgigroups.runtime.wire.board import WORD, Board, private


def test_what_was_counted_is_added_once() -> None:
    board, tally = private(1), Tally()
    wanted = dict.fromkeys(
        ("requests_total", "received_bytes", "sent_bytes", "queue_time_ns", "application_time_ns", "aborted"), 0
    )
    wanted |= {f"status_{hundreds}xx": 0 for hundreds in range(1, 6)}
    assert tally.empty
    for amount in (1, 10):
        for hundreds in range(1, 6):
            tally.statuses[hundreds] += hundreds * amount
            wanted[f"status_{hundreds}xx"] += hundreds * amount
        for word, name in (
            ("received_bytes", "received_bytes"), ("sent_bytes", "sent_bytes"), ("queue_time_ns", "queue_ns"),
            ("application_time_ns", "application_ns"), ("aborted", "aborted"),
        ):  # fmt: skip
            setattr(tally, name, getattr(tally, name) + amount)
            wanted[word] += amount
        wanted["requests_total"] += 15 * amount
        assert not tally.empty
        assert tally.publish(board.words, 7) == wanted["requests_total"]
        assert tally.empty
        assert {word: board.words[WORD[word]] for word in wanted} == wanted
    tally.publish(board.words, 7)
    assert {word: board.words[WORD[word]] for word in wanted} == wanted
    board.close()


@pytest.fixture
def board() -> Iterator[Board]:
    page = private(1)
    yield page
    page.close()


def counted(board: Board) -> dict[str, int]:
    """Return the words of the board that are not zero, without its constants."""
    return {name: board.words[word] for name, word in WORD.items() if board.words[word] and word > WORD["state"]}


def a_run(line: bytes, logged: list[Answers] | None = None, hundreds: int = 2) -> Run:
    return Run((b"", b""), None, hundreds, 100, line, None if logged is None else logged.append)


def test_a_run_is_counted_and_logged_once_for_all_its_answers(board: Board) -> None:
    logged: list[Answers] = []
    tally = Tally()
    for number, run in enumerate([a_run(b"a", logged), a_run(b"b", logged, 4), a_run(b"c")]):
        tally.begin(run)
        assert not tally.empty
        for took_ns in range(1, 4 + number):
            run.take(took_ns)
    tally.statuses[2] += 1
    tally.sent_bytes += 7
    tally.application_ns += 1000
    assert tally.publish(board.words, 55) == 13
    wanted = {
        "requests_total": 13,
        "status_2xx": 9,
        "status_4xx": 4,
        "sent_bytes": 1207,
        "application_time_ns": 6 + 10 + 15 + 1000,
    }
    assert counted(board) == wanted
    assert logged == [(b"a", [1, 2, 3], 55), (b"b", [1, 2, 3, 4], 55)]
    assert tally.empty
    assert tally.publish(board.words, 66) == 13
    assert (counted(board), len(logged)) == (wanted, 2)
    assert [run.line for run in tally.runs] == [b"c"]  # the current one goes on
    tally.run.take(9)
    assert not tally.empty
    assert tally.publish(board.words, 77) == 14


def test_a_status_that_the_board_does_not_count_is_a_request_all_the_same(board: Board) -> None:
    tally = Tally()
    for hundreds in (6, 9):
        tally.begin(a_run(b"", hundreds=hundreds))
        tally.run.take(1)
        tally.statuses[hundreds] += 1
    assert tally.publish(board.words, 0) == 4
    assert counted(board) == {"requests_total": 4, "sent_bytes": 200, "application_time_ns": 2}


def test_the_same_run_may_be_in_two_tallies_and_twice_in_one(board: Board) -> None:
    one, other, run = Tally(), Tally(), a_run(b"a")
    for tally in (one, other, one):
        tally.begin(run)
        tally.run.take(1)
    assert one.publish(board.words, 0) == 3
    assert other.publish(board.words, 0) == 3
    other.run.take(1)
    assert one.publish(board.words, 0) == 4


def test_nothing_is_lost_or_counted_twice_while_another_thread_publishes(board: Board) -> None:
    """As the monitor does when it takes the baton from a thread that goes on."""
    logged: list[Answers] = []
    tally, runs = Tally(), [a_run(b"%d" % number, logged) for number in range(3)]
    done = threading.Event()

    def publish() -> None:
        while not done.is_set():
            tally.publish_runs(board.words, 0)

    other = threading.Thread(target=publish)
    other.start()
    for number in range(30_000):
        run = runs[number // 7 % 3]
        if tally.run is not run:
            tally.begin(run)
        tally.run.take(number)
    done.set()
    other.join()
    assert tally.publish(board.words, 0) == 30_000
    found = collections.Counter(number for _line, took, _now in logged for number in took)
    assert found == collections.Counter(range(30_000))
    assert all(line == b"%d" % (number // 7 % 3) for line, took, _now in logged for number in took)
