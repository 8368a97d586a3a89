"""One line of the log: when, who, which life, how bad, what. The same form in spawners and daemons.

Runs in any thread. Must never raise because a disk is full or a reader is gone, and never let text forge a record:
every control character is escaped, further lines are indented.
"""

from __future__ import annotations

import errno
from typing import Callable, Dict, List

from .counted import CountedLines
from .originals import Lock, os, select, time
from .text import clean
from .wire import log_frames
from .wire.rates import Quota

Log = Callable[[str, str], None]  # level, text

RECORDS_PER_S = 20  # of a level, of what clients cause: enough to see what goes on, too few to fill a disk
_WAIT_MS = 20  # for room in a log writer's pipe
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
    """A log: one write for each record, so that records of a shared file do not mix.

    With a log writer (`switch`) a record goes to its pipe in frames, each one write, and it is the writer that says
    whose it is. A pipe that is full is waited for, but not for long, and not again until it has taken something.
    """

    def __init__(self, fd: int, who: Callable[[], str]) -> None:
        super().__init__(fd, self._tell_lost)
        self._who = who
        self._token = b""
        self._pipe = -1
        self._stuck = False
        self.request_id: Callable[[], str] = str  # of the request that this thread is about; "": none, or not known

    @property
    def framed(self) -> bool:
        """Whether a log writer takes the records."""
        return bool(self._token)

    def switch(self, token: str, pipe: int) -> None:
        """Send records in frames to this non-blocking descriptor, which is owned from now on; "": to the log itself."""
        with self._alone:
            self._token = token.encode("ascii")
            before, self._pipe = self._pipe, pipe
            if before >= 0:
                os.close(before)

    def log(self, level: str, text: str) -> None:
        """Write a record."""
        if not self._token:
            self.write(self.record(level, text))
            return
        payload = log_frames.record_payload(level, time.time_ns(), self.request_id(), text)
        with self._alone:
            if self._put_frames(log_frames.frames(self._token, log_frames.RECORD, os.getpid(), payload), 1):
                self.again()

    def access(self, lines: bytes) -> None:
        """Write whole lines of an access log."""
        if not self._token:
            self.write(lines)
            return
        with self._alone:
            if self._put_frames(log_frames.access_frames(self._token, os.getpid(), lines), lines.count(b"\n")):
                self.again()

    def _tell_lost(self, text: str) -> bool:
        if not self._token:
            return self.put(record(self._who(), "warning", text))
        payload = log_frames.record_payload("warning", time.time_ns(), "", text)
        return self._put_frames(log_frames.frames(self._token, log_frames.RECORD, os.getpid(), payload), 1)

    def _put_frames(self, frames: List[bytes], lines: int) -> bool:
        for frame in frames:
            while True:
                try:
                    os.write(self._pipe, frame)
                except BlockingIOError as error:
                    if not self._stuck and _has_room(self._pipe):
                        continue
                    self._stuck = True
                    self.lose(b"\n" * lines, OSError(error.errno, "nobody reads them"))
                    return False
                except OSError as error:
                    self.lose(b"\n" * lines, error)
                    return False
                break
        self._stuck = False
        return True

    def record(self, level: str, text: str) -> bytes:
        """Return a record of whoever the log is of."""
        name = self.request_id()
        return record(self._who() + (" request=" + name if name else ""), level, text)


def _has_room(fd: int) -> bool:
    poller = select.poll()
    poller.register(fd, select.POLLOUT)
    return any(events & select.POLLOUT for _fd, events in poller.poll(_WAIT_MS))


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
