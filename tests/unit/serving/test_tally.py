"""What a request thread has counted is added to the board once."""

from __future__ import annotations

from wsgigroups.runtime.serving.tally import Tally
from wsgigroups.runtime.wire.board import WORD, private


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
        assert tally.publish(board.words) == wanted["requests_total"]
        assert tally.empty
        assert {word: board.words[WORD[word]] for word in wanted} == wanted
    tally.publish(board.words)
    assert {word: board.words[WORD[word]] for word in wanted} == wanted
    board.close()
