"""The histograms of the board: what a thread counts, and what of that is where."""

from __future__ import annotations

import pytest

from wsgigroups.runtime.records.tally import Tally
from wsgigroups.runtime.wire import board
from wsgigroups.runtime.wire.histograms import APPLICATION, HISTOGRAMS, QUEUE, QUICK_NS, Histogram
from wsgigroups.runtime.wire.words import INDEX, WORDS


def _counts(words: memoryview, histogram: Histogram) -> list[int]:
    return [words[INDEX[name]] for name in histogram.word_names]


def test_no_two_words_are_in_one_place_and_none_where_requests_are_marked() -> None:
    assert len({word.index for word in WORDS}) == len(WORDS)
    assert max(word.index for word in WORDS) < board.BUSY_WORD


@pytest.mark.parametrize("histogram", HISTOGRAMS)
def test_each_range_ends_with_its_bound_and_the_next_begins_behind_it(histogram: Histogram) -> None:
    places = [INDEX[name] for name in histogram.word_names]
    for place, bound in enumerate(histogram.bounds_ns):
        assert histogram.index(bound) == places[place]
        assert histogram.index(bound + 1) == places[place + 1]
    assert histogram.index(0) == places[0]
    assert histogram.index(2**64 - 1) == places[-1]


def test_what_is_quick_is_counted_with_the_requests_and_the_rest_where_it_belongs() -> None:
    words, tally = board.private(1).words, Tally()
    for took_ns in (10, QUICK_NS, QUICK_NS + 1, 60_000_000_000):
        if took_ns > QUICK_NS:
            tally.took_long(APPLICATION, took_ns)
            tally.long_applications += 1
        tally.statuses[2] += 1
    tally.publish(words)
    tally.publish(words)
    assert _counts(words, APPLICATION) == [2, 1, *[0] * 10, 1]
    assert _counts(words, QUEUE) == [4, *[0] * 7]


def test_a_request_that_waited_and_has_not_ended_takes_no_other_out_of_its_range() -> None:
    words, tally = board.private(1).words, Tally()
    tally.statuses[2] += 1
    tally.publish(words)
    tally.took_long(QUEUE, 2 * QUICK_NS)
    tally.long_queues += 1
    tally.statuses[5] += 1  # of another, which had waited for nothing
    tally.publish(words)
    assert _counts(words, QUEUE) == [1, 1, *[0] * 6]
    tally.statuses[2] += 1
    tally.publish(words)
    assert _counts(words, QUEUE) == [2, 1, *[0] * 6]
