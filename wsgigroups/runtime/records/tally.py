"""What one request thread has done, and what of that is on the board already.

Each thread counts for itself, without a lock: its numbers only grow, and nobody else writes them. So whoever holds the
poller's lock may add to the board what they have grown by, while the thread goes on.
"""

from __future__ import annotations

from typing import NamedTuple, Sequence

from ..wire.board import WORD
from ..wire.histograms import APPLICATION, QUEUE, SEND, Histogram

_REQUESTS_TOTAL, _STATUS_1XX = WORD["requests_total"], WORD["status_1xx"]
_SUMS = tuple(
    WORD[name] for name in ("aborted", "sent_bytes", "application_time_ns", "received_bytes", "queue_time_ns")
)
_RANGES, _RANGES_END = QUEUE.first, SEND.first  # the words of the histograms that threads fill: two in a row
_QUICK_QUEUE, _QUICK_APPLICATION = QUEUE.first, APPLICATION.first
_HUNDREDS = (2, 3, 4, 5)  # those of an application of which the board has a count


class ThreadCounts(NamedTuple):
    """Of one request thread since its start."""

    statuses: Sequence[int]  # requests by the hundred of their status
    queue_ns: int
    application_ns: int
    received_bytes: int
    sent_bytes: int
    busy_since_ns: int  # 0: it runs no request

    @property
    def requests(self) -> int:
        """Those that have ended."""
        return sum(self.statuses)


class Tally:
    """Counts of one thread since its start. Bytes, nanoseconds; statuses: by the hundred."""

    __slots__ = (
        "_quick_application",
        "_quick_queue",
        "_ranges",
        "_told",
        "_told_long",
        "_told_ranges",
        "_told_statuses",
        "aborted",
        "application_ns",
        "long_applications",
        "long_queues",
        "queue_ns",
        "received_bytes",
        "sent_bytes",
        "statuses",
    )

    def __init__(self) -> None:
        self.statuses = [0] * 10
        self.aborted = 0
        self.queue_ns = self.application_ns = self.received_bytes = self.sent_bytes = 0
        self._told_statuses = [0] * 10  # as these were when they were published last
        self._told = 0, 0, 0, 0, 0  # as `_SUMS`
        self.long_queues = self.long_applications = 0  # requests that were not quick in that
        self._ranges = [0] * (_RANGES_END - _RANGES)  # of those
        self._told_ranges = self._ranges[:]
        self._told_long = 0
        self._quick_queue = self._quick_application = 0  # the others, as they were published last

    @property
    def empty(self) -> bool:
        """Whether no request has ended since the last `publish`."""
        return self.statuses == self._told_statuses and self.aborted == self._told[0]

    @property
    def untold(self) -> int:
        """How many requests have ended since the last `publish`."""
        return sum(self.statuses) - sum(self._told_statuses)

    def took_long(self, histogram: Histogram, duration_ns: int) -> None:
        """Count a duration that is not in the first range; then the caller counts that it did."""
        self._ranges[histogram.index(duration_ns) - _RANGES] += 1

    def publish(self, words: memoryview) -> int:
        """Add to the board what has come since the last time; returns its count of requests.

        The caller holds the lock of the poller, and need not be the thread that counts.
        """
        statuses, told = self.statuses[:], self._told_statuses
        if statuses != told:
            self._told_statuses = statuses
            total = sum(statuses)
            words[_REQUESTS_TOTAL] += total - sum(told)
            # one that waits is in its range before it has ended, and takes no other's place meanwhile
            quick = total - self.long_queues
            if quick > self._quick_queue:
                words[_QUICK_QUEUE] += quick - self._quick_queue
                self._quick_queue = quick
            quick = total - self.long_applications
            if quick > self._quick_application:
                words[_QUICK_APPLICATION] += quick - self._quick_application
                self._quick_application = quick
            for hundreds in _HUNDREDS:
                count = statuses[hundreds] - told[hundreds]
                if count:
                    words[_STATUS_1XX - 1 + hundreds] += count
            if self.long_queues + self.long_applications != self._told_long:
                self._publish_ranges(words)
        sums = self.aborted, self.sent_bytes, self.application_ns, self.received_bytes, self.queue_ns
        for word, value, before in zip(_SUMS, sums, self._told):
            if value != before:
                words[word] += value - before
        self._told = sums
        return words[_REQUESTS_TOTAL]

    def _publish_ranges(self, words: memoryview) -> None:
        self._told_long = self.long_queues + self.long_applications  # read before what they are about
        ranges, told = self._ranges[:], self._told_ranges
        self._told_ranges = ranges
        for word, value, before in zip(range(_RANGES, _RANGES_END), ranges, told):
            if value != before:
                words[word] += value - before
