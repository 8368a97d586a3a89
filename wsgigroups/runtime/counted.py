"""Lines for a log that may have no room for them: nobody fails, what is lost is counted, and told once there is room.

Any thread. A disk that is full ends no request and stops no process; it costs the lines that did not fit. A line of
which a part was written already is ended by the next one, so that two do not become one.
"""

from __future__ import annotations

from typing import Callable

from .originals import Alone, os

_NEWLINE = ord("\n")


class CountedLines:
    """The lines that go to one descriptor from here."""

    def __init__(self, fd: int, tell: Callable[[str], bool]) -> None:
        """tell: says in a log what was lost, as a clause; whether that was written itself. It may call `put`."""
        self._fd = fd
        self._tell = tell
        self._lost = 0
        self._why = ""
        self.torn = False  # whether what was written last ends within a line
        self._fresh()
        os.register_at_fork(after_in_child=self._fresh)  # a child must not wait for a thread that it does not have

    def _fresh(self) -> None:
        self._alone = Alone()  # a signal's handler may log while the main thread does

    def write(self, data: bytes) -> None:
        """Write whole lines; those that cannot be written are counted. Raises nothing."""
        with self._alone:
            if self.put(data):
                self.again()

    def put(self, data: bytes) -> bool:
        """As `write`, and tell nothing; whether all of it was written."""
        with self._alone:
            rest = memoryview(b"\n" + data if self.torn else data)
            try:
                while rest:
                    written = os.write(self._fd, rest)
                    self.torn = rest[written - 1] != _NEWLINE
                    rest = rest[written:]
            except OSError as error:
                self.lose(bytes(rest), error)
                return False
            return True

    def lose(self, data: bytes, why: OSError) -> None:
        """Count the lines that end in this, and could not be written."""
        self._lost += data.count(b"\n")
        self._why = why.strerror or str(why)

    def again(self) -> None:
        """Tell what was lost before, if anything was: there is room now."""
        if not self._lost:  # what every line costs
            return
        with self._alone:
            lost, self._lost = self._lost, 0
            if lost and not self._tell("%d lines could not be written: %s" % (lost, self._why)):
                self._lost += lost
