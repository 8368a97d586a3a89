"""The words of the board, one table: where each is, what it says, who writes it and who reads it.

`board.WORD` is made from it, and so are the figures of `status -o json` (manager/figures.py) and docs/status.md. A word
that is taken away leaves its index unused, since processes outlive managers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Tuple

from .histograms import APPLICATION, QUEUE, SEND, Histogram

# Units. Durations and moments are CLOCK_MONOTONIC nanoseconds (clock_gettime(2)).
NUMBER = "number"
BYTES = "bytes"
DURATION = "ns"
MOMENT = "moment"  # 0: never
CODE = "code"  # a key of a table in board.py

COUNTER = "counter"  # grows during a life, and begins at 0 with each
LEVEL = "level"  # as it is now


@dataclass(frozen=True)
class Word:
    """One word. Shown in the status under `key`; one without a key is internal, and `reader` says who needs it."""

    name: str
    index: int
    unit: str
    kind: str
    meaning: str  # a clause for people
    writer: str
    key: str = ""
    reader: str = ""


_THREADS = "request threads"
_POLLER = "who polls"
_BOTH = "request threads and who polls"
_MONITOR = "the monitor"
_MAIN = "the main thread"
_MANAGER = "the manager, before the process begins"


def _ranges(histogram: Histogram, writer: str) -> Tuple[Word, ...]:
    """The words of a histogram: how many took at most so long, and longer than the range before."""
    bounds_ms = [bound // 1_000_000 for bound in histogram.bounds_ns]
    meanings = ["%s: up to %d ms" % (histogram.meaning, bound) for bound in bounds_ms]
    meanings.append("%s: longer than %d ms" % (histogram.meaning, bounds_ms[-1]))
    return tuple(
        Word(name, histogram.first + place, NUMBER, COUNTER, meaning, writer, reader="the metrics")
        for place, (name, meaning) in enumerate(zip(histogram.word_names, meanings))
    )


WORDS: Tuple[Word, ...] = (
    Word(
        "magic", 0, CODE, LEVEL, "that this is a board", _MANAGER,
        reader="whoever reads the board: one that was overwritten is none",
    ),
    Word(
        "abi", 1, CODE, LEVEL, "the version of the layout", _MANAGER,
        reader="whoever reads the board: one of another version is none",
    ),
    Word(
        "threads", 2, NUMBER, LEVEL, "how many busy words follow", _MANAGER,
        reader="the process itself; the manager knows the number and does not ask",
    ),
    Word(
        "state", 3, CODE, LEVEL, "how far the process is", _MAIN,
        reader="a manager that begins anew; the status has the manager's own `state`",
    ),
    Word(
        "reason", 4, CODE, LEVEL, "why the process leaves by itself", _MAIN,
        reader="the spawner, when the process has ended; it tells the manager",
    ),
    Word(
        "heartbeat_ns", 5, MOMENT, LEVEL, "since a thread of the process could last run Python code", _MONITOR,
        "heartbeat_age_s",
    ),
    Word(
        "requests_total", 6, NUMBER, COUNTER, "requests that the application has been called for and that have ended",
        _THREADS, "requests_total",
    ),
    Word("status_1xx", 7, NUMBER, COUNTER, "answers with a status from 100 to 199", _BOTH, "status_1xx"),
    Word("status_2xx", 8, NUMBER, COUNTER, "answers with a status from 200 to 299", _BOTH, "status_2xx"),
    Word("status_3xx", 9, NUMBER, COUNTER, "answers with a status from 300 to 399", _BOTH, "status_3xx"),
    Word("status_4xx", 10, NUMBER, COUNTER, "answers with a status from 400 to 499", _BOTH, "status_4xx"),
    Word("status_5xx", 11, NUMBER, COUNTER, "answers with a status from 500 to 599", _BOTH, "status_5xx"),
    Word("received_bytes", 12, BYTES, COUNTER, "bodies of requests, as received", _THREADS, "received_bytes"),
    Word("sent_bytes", 13, BYTES, COUNTER, "answers, heads included", _BOTH, "sent_bytes"),
    Word(
        "queue_time_ns", 14, DURATION, COUNTER, "for how long requests have waited for a thread, added up", _THREADS,
        "queue_time_s",
    ),
    Word(
        "application_time_ns", 15, DURATION, COUNTER, "from calls of the application to the ends of answers, added up",
        _THREADS, "application_time_s",
    ),
    Word("requests_active", 16, NUMBER, LEVEL, "requests in the application", _THREADS, "requests_active"),
    Word("requests_queued", 17, NUMBER, LEVEL, "requests that wait for a thread", _BOTH, "requests_queued"),
    Word("connections", 18, NUMBER, LEVEL, "connections that are open", _POLLER, "connections"),
    Word("queue_timeouts", 19, NUMBER, COUNTER, "requests answered 504 for queue-timeout", _BOTH, "queue_timeouts"),
    Word("refused", 20, NUMBER, COUNTER, "requests answered 503 for connect-timeout", _POLLER, "refused"),
    Word("last_activity_ns", 21, MOMENT, LEVEL, "since a request last ended", _THREADS, "last_activity_age_s"),
    Word(
        "started_total", 22, NUMBER, COUNTER, "requests that the application has been called for", _THREADS,
        "started_total",
    ),
    Word("aborted", 23, NUMBER, COUNTER, "connections that ended before their answers were whole", _BOTH, "aborted"),
    Word(
        "loading_since_ns", 24, MOMENT, LEVEL,
        'since a request first wanted an application that is not loaded yet (`load = "lazy"`)',
        "the request thread that loads", "loading_s",
    ),
    Word(
        "tuned", 25, CODE, LEVEL, "which live options, or routes, it goes by; 1 until it is told some", _MAIN,
        reader="the manager, which waits for it; 0 is a process of a version that does not say",
    ),
    Word(
        "interrupted", 26, NUMBER, COUNTER, "requests interrupted at request-timeout (`interrupt-timeout`)", _MAIN,
        "interrupted",
    ),
    Word(
        "listening", 27, CODE, LEVEL, "whether the process may take new connections", _POLLER,
        reader="the manager: a change is done when what it has replaced takes none; 0 is a process of a version that "
        "does not say",
    ),
    *_ranges(QUEUE, _BOTH),
    *_ranges(APPLICATION, _BOTH),
    *_ranges(SEND, _BOTH),
    Word("send_time_ns", 56, DURATION, COUNTER, SEND.meaning + ", added up", _BOTH, "send_time_s"),
    Word(
        "wakes", 57, NUMBER, COUNTER, "how often the monitor was to wake at a set time while requests ran", _MONITOR,
        "wakes",
    ),
    Word(
        "late_ns", 58, DURATION, COUNTER,
        "how late it then ran, added up: what other threads kept the interpreter, or the machine its processors, for",
        _MONITOR, "late_s",
    ),
    Word(
        "slow_requests", 59, NUMBER, COUNTER, "requests that took longer than slow-request", _BOTH, "slow_requests",
    ),
)  # fmt: skip

INDEX: Dict[str, int] = {word.name: word.index for word in WORDS}
SHOWN: Tuple[Word, ...] = tuple(word for word in WORDS if word.key)
