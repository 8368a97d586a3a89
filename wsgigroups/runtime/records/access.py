"""The access log: one line for each answer.

An answer is only queued by the thread that gave it, together with what its request said before the application was
called. Lines are put together in batches, by the leader between two rounds (`prepare`), else by the monitor, who writes
them (`flush`), so that no request waits for a disk. The monitor finds little to put together: it would contend with the
leader for the interpreter meanwhile.
"""

from __future__ import annotations

from typing import Any, Callable, List, Tuple

from ..front.connection import Connection
from ..originals import Lock, time
from ..protocol.heads import Head
from .lines import FORMATS, THOUSANDTHS, Asked

NAMES = ("off", *FORMATS)
_BATCH = 256
_SECOND_NS = 1_000_000_000
PREPARED = 64  # answers of which the leader makes lines
MOST_PREPARED = 4000  # batches of lines that nobody has written yet: then the leader has to


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
        self._format = FORMATS["common" if form == "off" else form]
        self.ask = self._format.ask
        self._width = self._format.width
        self._none = self._format.none
        self._user_at = self._format.user_at
        self._time_at, self._status_at, self._took_at = self._format[-3:]
        self._write = write
        self._clock = clock
        self._second: Tuple[int, str] = (-_SECOND_NS, "")  # by the clock when the last one began, and its text
        self._values: List[Any] = []  # of answers that wait
        self._flushing = Lock()
        self._prepared: List[bytes] = []  # lines, to be written

    def __len__(self) -> int:
        """How many answers wait to become lines."""
        return len(self._values) // self._width

    def answered(self, asked: Asked, status: int, body_bytes: int, took_ns: int, end_ns: int, user: Any = None) -> None:
        """Take in an answer. body_bytes: as far as they were given to the socket; end_ns: monotonic;
        user: REMOTE_USER as the application has left it, which may be its own finding.
        """
        began_ns, text = self._second
        if not 0 <= end_ns - began_ns < _SECOND_NS:
            began_ns, text = self._begin_second(end_ns)
        place = self._status_at
        asked[self._time_at] = text
        if user is not None and type(user) is str and user:
            asked[self._user_at] = self._format.user(user)
        asked[place] = status
        asked[place + 1] = body_bytes or self._none
        if self._took_at:
            millis, micros = divmod(took_ns // 1000, 1000)
            asked[1] = THOUSANDTHS[(end_ns - began_ns) // 1_000_000]
            asked[-3], asked[-2], asked[-1] = millis // 1000, THOUSANDTHS[millis % 1000], THOUSANDTHS[micros]
        self._values.extend(asked)

    def _begin_second(self, when_ns: int) -> Tuple[int, str]:
        epoch_ns = time.time_ns() - self._clock()
        second, past_ns = divmod(epoch_ns + when_ns, _SECOND_NS)
        self._second = found = when_ns - past_ns, self._format.time_text(second)
        return found

    def record(self, asked: Asked, status: int, body_bytes: int, took_ns: int) -> None:
        """Take in an answer that ends now; as `answered`."""
        self.answered(asked, status, body_bytes, took_ns, self._clock())
        if len(self._values) >= _BATCH * self._width:
            self.flush()

    def refused(self, connection: Connection, status: int, body_bytes: int) -> None:
        """Take in an answer of the server's own; there may have been no whole head."""
        head = connection.head
        if head is None:
            environ = {"REMOTE_ADDR": connection.base["REMOTE_ADDR"], "REQUEST_URI": "-", "SERVER_PROTOCOL": "-"}
            head = Head("-", "-", environ, True)
        self.record(self.ask(head), status, body_bytes, 0)

    def prepare(self) -> None:
        """Put lines together of what has been taken in, if that is much and nobody is about it."""
        if len(self._values) < PREPARED * self._width or not self._flushing.acquire(False):
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
        batch = self._values[:]
        del self._values[: len(batch)]
        if batch:
            self._prepared.append(self._format.lines(batch))
