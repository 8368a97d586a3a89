"""What the board costs a request, in nanoseconds: `python board_cost.py` prints JSON.

Runs in a daemon's interpreter. Measured is what a request does for the board, with the look at the clock that it needs
(its busy word, the counts of its thread), and `Tally.publish`, which adds these counts to the board each time that a
thread is about to wait.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from wsgigroups.runtime.records.tally import Tally
from wsgigroups.runtime.wire import board

LOOPS = 100_000
REPEATS = 7
SENT_BYTES, TOOK_NS = 150, 10_000  # of each request


def count(words: memoryview, tally: Tally) -> None:
    """Do for the board what a request does."""
    words[board.BUSY_WORD] = time.monotonic_ns()
    tally.statuses[2] += 1
    tally.sent_bytes += SENT_BYTES
    tally.application_ns += TOOK_NS
    words[board.BUSY_WORD] = 0


def nothing(_words: memoryview, _tally: Tally) -> None:
    """Only be called."""


def nanoseconds(call: Callable[[], object], loops: int) -> float:
    """Return the time of one call in the quickest run, the loop included: whatever disturbs makes it longer."""
    runs = []
    for _repeat in range(REPEATS):
        began_ns = time.perf_counter_ns()
        for _loop in range(loops):
            call()
        runs.append((time.perf_counter_ns() - began_ns) / loops)
    return min(runs)


def measure(loops: int = LOOPS) -> dict[str, float]:
    """Return the figures."""
    page = board.private(15)
    tally, words = Tally(), page.words

    def count_and_publish() -> None:
        count(words, tally)
        tally.publish(words)

    counted_ns = nanoseconds(lambda: count(words, tally), loops)
    return {
        "request_ns": counted_ns - nanoseconds(lambda: nothing(words, tally), loops),
        "publish_ns": nanoseconds(count_and_publish, loops) - counted_ns,
    }


if __name__ == "__main__":
    print(json.dumps(measure()))
