"""The access log: one line for each answer.

An answer is only queued by the thread that gave it, together with what its request said before the application was
called. Lines are put together in batches, by the leader between two rounds if there are many (`prepare`), else by the
monitor, who writes them (`flush`), so that no request waits for a disk.
"""

from __future__ import annotations

import threading
import time
from typing import Callable, List

from ..front.connection import Connection
from ..protocol.heads import Head
from .lines import FORMATS, Answer, Asked

NAMES = ("off", *FORMATS)
_BATCH = 256
PREPARED = 256  # answers of which the leader makes lines
MOST_PREPARED = 1000  # batches of lines that nobody has written yet: then the leader has to


class AccessLog:
    """`write` takes bytes of one or more whole lines.

    Somebody has to call `flush` every now and then; `record` does so by itself. `on` is false if there is no log: then
    nothing is asked or answered.
    """

    def __init__(self, form: str, write: Callable[[bytes], None], clock: Callable[[], int] = time.monotonic_ns) -> None:
        """form: one of NAMES, else ValueError; clock: monotonic nanoseconds."""
        if form not in NAMES:
            raise ValueError("cannot write an access log in format %r: use one of %s" % (form, ", ".join(NAMES)))
        self.on = form != "off"
        self.ask, self._lines = FORMATS["common" if form == "off" else form]
        self._write = write
        self._clock = clock
        self._waiting: List[Answer] = []
        self._flushing = threading.Lock()
        self._prepared: List[bytes] = []  # lines, to be written

    def answered(self, asked: Asked, status: int, sent_bytes: int, took_ns: int, end_ns: int) -> None:
        """Take in an answer. sent_bytes: head and body, as far as they were given to the socket; end_ns: monotonic."""
        start, end = asked
        self._waiting.append(((*start, status, sent_bytes, *end), took_ns, end_ns))

    def record(self, asked: Asked, status: int, sent_bytes: int, took_ns: int) -> None:
        """Take in an answer that ends now; as `answered`."""
        self.answered(asked, status, sent_bytes, took_ns, self._clock())
        if len(self._waiting) >= _BATCH:
            self.flush()

    def refused(self, connection: Connection, status: int, sent_bytes: int) -> None:
        """Take in an answer of the server's own; there may have been no whole head."""
        head = connection.head
        if head is None:
            environ = {"REMOTE_ADDR": connection.base["REMOTE_ADDR"], "REQUEST_URI": "-", "SERVER_PROTOCOL": "-"}
            head = Head("-", "-", environ, True)
        self.record(self.ask(head), status, sent_bytes, 0)

    def prepare(self) -> None:
        """Put lines together of what has been taken in, if that is much and nobody is about it."""
        if len(self._waiting) < PREPARED or not self._flushing.acquire(False):
            return
        try:
            self._make_lines()
            late = len(self._prepared) > MOST_PREPARED
        finally:
            self._flushing.release()
        if late:
            self.flush()

    def flush(self) -> None:
        """Write what has been taken in."""
        with self._flushing:
            self._make_lines()
            if self._prepared:
                data, self._prepared = b"".join(self._prepared), []
                self._write(data)

    def _make_lines(self) -> None:
        """Put lines together of what waits. The caller holds the lock, so nobody else takes any from the front."""
        batch = self._waiting[:]
        del self._waiting[: len(batch)]
        if batch:
            self._prepared.append(self._lines(batch, time.time_ns() - self._clock()))
