"""What a request thread has counted is added to the board once."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from wsgigroups.runtime.records.tally import Tally
from wsgigroups.runtime.wire.board import WORD, Board, private
from wsgigroups.runtime.wire.histograms import APPLICATION, QUEUE

SUMS = {
    "received_bytes": "received_bytes",
    "sent_bytes": "sent_bytes",
    "queue_time_ns": "queue_ns",
    "application_time_ns": "application_ns",
    "aborted": "aborted",
}


@pytest.fixture
def board() -> Iterator[Board]:
    page = private(1)
    yield page
    page.close()


def counted(board: Board) -> dict[str, int]:
    """Return the words of the board that are not zero, without its constants and histograms."""
    apart = {"magic", "abi", "threads", *QUEUE.word_names, *APPLICATION.word_names}
    return {name: board.words[word] for name, word in WORD.items() if board.words[word] and name not in apart}


def test_what_was_counted_is_added_once(board: Board) -> None:
    tally = Tally()
    wanted: dict[str, int] = {}
    assert tally.empty
    for amount in (1, 10, 300):
        for hundreds in range(2, 6):
            tally.statuses[hundreds] += hundreds * amount
            wanted[f"status_{hundreds}xx"] = wanted.get(f"status_{hundreds}xx", 0) + hundreds * amount
        for word, name in SUMS.items():
            setattr(tally, name, getattr(tally, name) + amount)
            wanted[word] = wanted.get(word, 0) + amount
        wanted["requests_total"] = wanted.get("requests_total", 0) + 14 * amount
        assert not tally.empty
        for _ in range(2):
            assert tally.publish(board.words) == wanted["requests_total"]
            assert tally.empty
            assert counted(board) == wanted


def test_a_status_that_the_board_does_not_count_is_a_request_all_the_same(board: Board) -> None:
    tally = Tally()
    for hundreds in (6, 9):
        tally.statuses[hundreds] += 1
    assert tally.publish(board.words) == 2
    assert counted(board) == {"requests_total": 2}


def test_a_connection_that_ended_without_an_answer_is_something_to_publish(board: Board) -> None:
    tally = Tally()
    tally.aborted += 1
    assert not tally.empty
    assert tally.publish(board.words) == 0
    assert counted(board) == {"aborted": 1}


def test_tallies_add_up(board: Board) -> None:
    one, other = Tally(), Tally()
    for tally in (one, other, one):
        tally.statuses[2] += 1
    assert one.publish(board.words) == 2
    assert other.publish(board.words) == 3


def test_nothing_is_lost_or_counted_twice_while_another_thread_publishes(board: Board) -> None:
    """As the monitor does when it takes the baton from a thread that goes on."""
    tally, done, lock = Tally(), threading.Event(), threading.Lock()

    def publish() -> None:
        while not done.is_set():
            with lock:
                tally.publish(board.words)

    other = threading.Thread(target=publish)
    other.start()
    for number in range(30_000):
        tally.statuses[2 + number % 4] += 1
        tally.sent_bytes += number
        if not number % 100:
            with lock:
                tally.publish(board.words)
    done.set()
    other.join()
    assert tally.publish(board.words) == 30_000
    wanted = {f"status_{hundreds}xx": 7500 for hundreds in range(2, 6)}
    assert counted(board) == {**wanted, "requests_total": 30_000, "sent_bytes": sum(range(30_000))}
