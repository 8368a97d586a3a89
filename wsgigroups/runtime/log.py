"""One line of the log: when, who, which life, how bad, what. The same form in spawners and daemons.

Runs in any thread. Must never raise because a disk is full or a reader is gone, and never let text forge a record:
every control character is escaped, further lines are indented.
"""

from __future__ import annotations

import errno
from typing import Callable, Dict

from .counted import CountedLines
from .originals import Lock, select, time
from .text import clean
from .wire.rates import Quota

Log = Callable[[str, str], None]  # level, text

RECORDS_PER_S = 20  # of a level, of what clients cause: enough to see what goes on, too few to fill a disk
_ATOMIC_BYTES = 4096  # PIPE_BUF: a pipe that polls writable takes this much without blocking (pipe(7))


def escaped(text: str) -> str:
    """Return the text on one line, control characters written out; tabs stay."""
    return clean(text, "\t")


def stamp() -> str:
    """Return the time for people, UTC with milliseconds: 2026-11-23T12:00:00.000Z."""
    now = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + ".%03dZ" % (now * 1000 % 1000)


def record(who: str, level: str, text: str) -> bytes:
    """Return one record; the lines of `text` after the first are indented by four spaces."""
    first, *rest = text.rstrip("\n").split("\n")
    lines = ["%s %s %s: %s" % (stamp(), who, level, escaped(first))]
    lines += ["    " + escaped(line) for line in rest]
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


class LogLines(CountedLines):
    """A log: one write for each record, so that records of a shared file do not mix."""

    def __init__(self, fd: int, who: Callable[[], str]) -> None:
        super().__init__(fd, lambda text: self.put(record(who(), "warning", text)))
        self._who = who

    def log(self, level: str, text: str) -> None:
        """Write a record."""
        self.write(self.record(level, text))

    def record(self, level: str, text: str) -> bytes:
        """Return a record of whoever the log is of."""
        return record(self._who(), level, text)


def bounded(log: Log, clock: Callable[[], float] = time.monotonic) -> Log:
    """Return a log for what anybody can cause with a request: so many records of a level a second, others are counted.

    A level has its own bound, so that a flood of bad requests does not hide that the application fails.
    """
    quotas: Dict[str, Quota] = {}
    lock = Lock()

    def bounded_log(level: str, text: str) -> None:
        with lock:
            passes, left_out = quotas.setdefault(level, Quota(RECORDS_PER_S)).ask(clock())
        if not passes:
            return
        if left_out:
            what = "%d records of level %s were left out: more than %d came in a second"
            log("warning", what % (left_out, level, RECORDS_PER_S))
        log(level, text)

    return bounded_log


def never_blocking(fd: int, who: Callable[[], str]) -> Log:
    """Return a log for a spawner, which must not wait for anybody: what finds no room is left out, and counted."""
    lines = LogLines(fd, who)

    def log(level: str, text: str) -> None:
        data = record(who(), level, text)
        if len(data) > _ATOMIC_BYTES:
            data = data[: _ATOMIC_BYTES - 4] + b"...\n"
        poller = select.poll()
        poller.register(fd, select.POLLOUT)
        if any(events & select.POLLOUT for _fd, events in poller.poll(0)):
            lines.write(data)
        else:
            lines.lose(data, BlockingIOError(errno.EAGAIN, "nobody reads them"))

    return log
