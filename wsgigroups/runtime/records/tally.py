"""What one request thread has done, and what of that is on the board already.

Each thread counts for itself, without a lock: its numbers only grow, and nobody else writes them. So whoever holds the
poller's lock may add to the board what they have grown by, while the thread goes on.
"""

from __future__ import annotations

from typing import NamedTuple, Sequence

from ..wire.board import WORD

_REQUESTS_TOTAL, _STATUS_1XX = WORD["requests_total"], WORD["status_1xx"]
_SUMS = tuple(
    WORD[name] for name in ("aborted", "sent_bytes", "application_time_ns", "received_bytes", "queue_time_ns")
)
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
        "_told",
        "_told_statuses",
        "aborted",
        "application_ns",
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

    @property
    def empty(self) -> bool:
        """Whether no request has ended since the last `publish`."""
        return self.statuses == self._told_statuses and self.aborted == self._told[0]

    @property
    def untold(self) -> int:
        """How many requests have ended since the last `publish`."""
        return sum(self.statuses) - sum(self._told_statuses)

    def publish(self, words: memoryview) -> int:
        """Add to the board what has come since the last time; returns its count of requests.

        The caller holds the lock of the poller, and need not be the thread that counts.
        """
        statuses, told = self.statuses[:], self._told_statuses
        if statuses != told:
            self._told_statuses = statuses
            words[_REQUESTS_TOTAL] += sum(statuses) - sum(told)
            for hundreds in _HUNDREDS:
                count = statuses[hundreds] - told[hundreds]
                if count:
                    words[_STATUS_1XX - 1 + hundreds] += count
        sums = self.aborted, self.sent_bytes, self.application_ns, self.received_bytes, self.queue_ns
        for word, value, before in zip(_SUMS, sums, self._told):
            if value != before:
                words[word] += value - before
        self._told = sums
        return words[_REQUESTS_TOTAL]
