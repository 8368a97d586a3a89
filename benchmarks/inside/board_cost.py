"""What the board costs a request, in nanoseconds: `python board_cost.py` prints JSON.

Runs in a daemon's interpreter. Measured is the counting itself, by what the runtime's `Tally` and `Board` offer: what
is noted for each request, its beginning and its end with the look at the clock among it; and what it takes to add a
thread's tally to the board, as is done each time that a thread is about to wait.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from wsgigroups.runtime.records.tally import Tally
from wsgigroups.runtime.wire import board
from wsgigroups.runtime.wire.board import BUSY_WORD, WORD

LOOPS = 100_000
REPEATS = 7
ANSWER_BYTES = 150
LAST = WORD["last_activity_ns"]


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
    words = board.private(15).words
    tally = Tally()
    clock = time.monotonic_ns

    def nothing() -> None:
        pass

    def count() -> None:
        words[BUSY_WORD] = start_ns = clock()
        tally.statuses[2] += 1
        tally.sent_bytes += ANSWER_BYTES
        tally.application_ns += clock() - start_ns
        words[BUSY_WORD] = 0

    def count_and_publish() -> None:
        count()
        words[LAST] = clock()
        tally.publish(words)

    counted_ns = nanoseconds(count, loops)
    return {
        "request_ns": counted_ns - nanoseconds(nothing, loops),
        "publish_ns": nanoseconds(count_and_publish, loops) - counted_ns,
    }


if __name__ == "__main__":
    print(json.dumps(measure()))
