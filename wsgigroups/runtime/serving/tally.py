"""What one request thread has done since it last said so on the board.

Each thread counts for itself, without a lock, and adds to the board when it is about to wait.
"""

from __future__ import annotations

from ..wire.board import WORD

_REQUESTS_TOTAL, _RECEIVED, _SENT = WORD["requests_total"], WORD["received_bytes"], WORD["sent_bytes"]
_QUEUE_NS, _APPLICATION_NS, _ABORTED = WORD["queue_time_ns"], WORD["application_time_ns"], WORD["aborted"]
_STATUS_1XX = WORD["status_1xx"]


class Tally:
    """Counts of one thread. Bytes, nanoseconds; statuses: by the hundred."""

    __slots__ = ("aborted", "application_ns", "queue_ns", "received_bytes", "sent_bytes", "statuses")

    def __init__(self) -> None:
        self.statuses = [0] * 10
        self.aborted = 0
        self.queue_ns = self.application_ns = self.received_bytes = self.sent_bytes = 0

    @property
    def empty(self) -> bool:
        """Whether no request has been counted."""
        return not any(self.statuses)

    def publish(self, words: memoryview) -> int:
        """Add to the board and begin again; returns its count of requests. The caller holds the lock of the poller."""
        statuses, self.statuses = self.statuses, [0] * 10
        words[_REQUESTS_TOTAL] = total = words[_REQUESTS_TOTAL] + sum(statuses)
        for index in range(1, 6):
            if statuses[index]:
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
        return total
