"""One thread that may call the application: what it is doing, and what it has done. See crew.Crew for who runs when."""

from __future__ import annotations

import threading
from typing import List, Optional, Sequence

from ..wire.board import BUSY_WORD
from .connection import Connection
from .tally import Tally


class RequestThread:
    """One thread that may call the application."""

    __slots__ = ("busy_word", "connection", "tally", "thread", "wake")

    def __init__(self, index: int) -> None:
        self.busy_word = BUSY_WORD + index
        self.tally = Tally()
        self.connection: Optional[Connection] = None  # whose request it runs, or ran last
        self.wake = threading.Lock()  # released to give it the baton, or to end it
        self.wake.acquire()
        self.thread: Optional[threading.Thread] = None

    def waited(self, connection: Connection, start_ns: int) -> None:
        """Count how long a request has waited for a thread."""
        # A known call begins when the one before has ended, which may be before its request was looked at.
        self.tally.queue_ns += max(0, start_ns - connection.arrived_ns)
        connection.arrived_ns = 0


def in_flight(threads: Sequence[RequestThread], words: memoryview, now_ns: int) -> List[str]:
    """Return method, target and age of the requests in the application, the oldest first.

    Read while the threads go on: a request that ends meanwhile may be there.
    """
    found = []
    for thread in threads:
        since_ns, connection = words[thread.busy_word], thread.connection
        head = connection.head if connection is not None else None
        if since_ns and head is not None:
            found.append((since_ns, "%s %s" % (head.method, head.target)))
    return ["%s for %.1f s" % (text, (now_ns - since_ns) / 1e9) for since_ns, text in sorted(found)]
