"""What one request thread has done since it last said so on the board.

Each thread counts for itself, without a lock, and adds to the board when it is about to wait. Short answers that leave
with others mostly equal the one before; of a run of such only the durations are kept, one by one: what they have in
common is counted, and goes to the access log, once for all of them.
"""

from __future__ import annotations

from typing import Callable, List, Optional, Tuple

from ..wire.board import WORD

_REQUESTS_TOTAL, _RECEIVED, _SENT = WORD["requests_total"], WORD["received_bytes"], WORD["sent_bytes"]
_QUEUE_NS, _APPLICATION_NS, _ABORTED = WORD["queue_time_ns"], WORD["application_time_ns"], WORD["aborted"]
_STATUS_1XX = WORD["status_1xx"]
_HUNDREDS = 5  # those of which the board has a count

# Takes answers that have the same line in an access log: the line, but for their time and durations if it has those,
# the nanoseconds that each took, and when they ended; monotonic.
Answers = Tuple[bytes, List[int], int]
Log = Callable[[Answers], None]


class Run:
    """Equal answers to equal requests, in a row, by one thread.

    `made_of` and `noted` tell whether an answer belongs to it: what its head is (`Prepared.last`, which says how long
    the answer is, too), and what the access log says of its request.
    """

    __slots__ = ("hundreds", "line", "log", "made_of", "noted", "sent_bytes", "take", "took")

    def __init__(
        self, made_of: object, noted: object, hundreds: int, sent_bytes: int, line: bytes, log: Optional[Log]
    ) -> None:
        """sent_bytes: of each; line: in the access log; log: None if there is none."""
        self.made_of = made_of
        self.noted = noted
        self.hundreds = hundreds
        self.sent_bytes = sent_bytes
        self.line = line
        self.log = log
        self.took: List[int] = []  # nanoseconds, of each that has not been counted
        self.take = self.took.append


NO_RUN = Run(None, None, 0, 0, b"", None)


class Tally:
    """Counts of one thread. Bytes, nanoseconds; statuses: by the hundred."""

    __slots__ = ("aborted", "application_ns", "queue_ns", "received_bytes", "run", "runs", "sent_bytes", "statuses")

    def __init__(self) -> None:
        self.statuses = [0] * 10
        self.aborted = 0
        self.queue_ns = self.application_ns = self.received_bytes = self.sent_bytes = 0
        self.run = NO_RUN  # the last one of `runs`
        self.runs: List[Run] = [NO_RUN]

    @property
    def empty(self) -> bool:
        """Whether nothing has been counted."""
        return not (self.run.took or len(self.runs) > 1 or any(self.statuses))

    def begin(self, run: Run) -> None:
        """Begin a run, or go on with one that others, too, may go on with."""
        self.runs.append(run)
        self.run = run

    def publish_runs(self, words: memoryview, now_ns: int) -> None:
        """Add what runs have taken to the board, and give it to the access log, as answers that end now.

        The caller holds the lock of the poller, and need not be the thread that counts, which may go on meanwhile: all
        it does is to append, to the last run, and runs behind that; and only what has been seen here is removed here.
        """
        runs = self.runs[:]
        requests = sent_bytes = application_ns = 0
        for run in runs:
            took = run.took[:]
            count = len(took)
            if count:
                del run.took[:count]
                requests += count
                sent_bytes += count * run.sent_bytes
                application_ns += sum(took)
                if run.hundreds <= _HUNDREDS:
                    words[_STATUS_1XX - 1 + run.hundreds] += count
                if run.log is not None:
                    run.log((run.line, took, now_ns))
        words[_REQUESTS_TOTAL] += requests
        words[_SENT] += sent_bytes
        words[_APPLICATION_NS] += application_ns
        if len(runs) > 1:
            del self.runs[: len(runs) - 1]

    def publish(self, words: memoryview, now_ns: int) -> int:
        """Add all to the board and begin again; returns its count of requests.

        As `publish_runs`, but the caller is the thread that counts.
        """
        self.publish_runs(words, now_ns)
        statuses = self.statuses
        if any(statuses):
            self.statuses = [0] * 10
            words[_REQUESTS_TOTAL] += sum(statuses)
            for index in range(1, _HUNDREDS + 1):
                words[_STATUS_1XX - 1 + index] += statuses[index]
            words[_SENT] += self.sent_bytes
            words[_APPLICATION_NS] += self.application_ns
            self.sent_bytes = self.application_ns = 0
        if self.received_bytes:  # these three are rare, and this is done after each round of events
            words[_RECEIVED] += self.received_bytes
            self.received_bytes = 0
        if self.queue_ns:
            words[_QUEUE_NS] += self.queue_ns
            self.queue_ns = 0
        if self.aborted:
            words[_ABORTED] += self.aborted
            self.aborted = 0
        return words[_REQUESTS_TOTAL]
