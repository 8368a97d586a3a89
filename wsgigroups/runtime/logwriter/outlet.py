"""Where lines go: a file or a stream, written by a thread of its own, so that a slow disk holds up nobody else's.

`put` is called by the loop and never waits. What finds no room, because the disk is slow or full or nobody reads the
stream, is counted, and told as soon as a line can be written again.
"""

from __future__ import annotations

import select
import threading
from collections import deque
from typing import Callable, Deque, Optional

from ..originals import os, time

QUEUE_BYTES = 4 << 20  # of one outlet
_BATCH_BYTES = 1 << 18
_IDLE_S = 2.0  # then the thread ends, until there is something to write
_DATAGRAM_BYTES = 8192
_STUCK_MS = 1000  # for a stream that takes nothing
_STACK_BYTES = 256 * 1024
SLOW = "whoever takes them is too slow"


class _File:
    """A descriptor, and what is known of it."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.size = os.fstat(fd).st_size
        self.torn = False  # what was written last ends within a line
        self.told = False  # that it is full


class Outlet:
    """One of them. The descriptor is its own."""

    def __init__(self, key: str, tell: Callable[[str, str], bytes], on_full: Callable[[str], None]) -> None:
        """tell: makes a record of a level and a text, of the log writer's own; on_full(key): from the thread."""
        self.key = key
        self.format = "text"
        self.lines = "plain"
        self._rotate_bytes = 0
        self._tell = tell
        self._on_full = on_full
        self._file: Optional[_File] = None
        self._next: Optional[_File] = None  # to take the place of `_file` between two batches
        self._queue: Deque[bytes] = deque()
        self._queued_bytes = 0
        self._lost = 0
        self._why = ""
        self._busy = False
        self._changed = threading.Condition()
        self._runs = False
        self._closing = False

    def open(self, fd: int, form: str, rotate_bytes: int, lines: str) -> None:
        """Write to this descriptor from now on, and own it."""
        self.format, self.lines, self._rotate_bytes = form, lines, rotate_bytes
        with self._changed:
            if self._next is not None:
                os.close(self._next.fd)
            self._next = _File(fd)
            if not self._busy:
                self._exchange()
                self._changed.notify_all()

    def put(self, lines: bytes) -> None:
        """Take whole lines."""
        with self._changed:
            if self._queued_bytes + len(lines) > QUEUE_BYTES:
                self._lose(lines, SLOW)
                return
            self._queue.append(lines)
            self._queued_bytes += len(lines)
            if not self._runs:
                self._runs = True
                threading.stack_size(_STACK_BYTES)
                threading.Thread(target=self._work, name=self.key, daemon=True).start()
            elif not self._busy:
                self._changed.notify_all()

    def close(self) -> None:
        """Close it once everything was written: nobody puts anything any more."""
        with self._changed:
            self._closing = True
            if self._runs:
                self._changed.notify_all()
            else:
                self._close()

    def _close(self) -> None:
        self._exchange()
        if self._file is not None:
            os.close(self._file.fd)
            self._file = None

    def flushed(self, until_s: float) -> bool:
        """Wait until everything was written, no longer than until then (monotonic seconds); whether it was."""
        with self._changed:
            while self._queue or self._busy:
                left_s = until_s - time.monotonic()
                if left_s <= 0:
                    return False
                self._changed.wait(left_s)
        return True

    @property
    def idle(self) -> bool:
        """Whether everything was written."""
        return not (self._queue or self._busy)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._exchange()
                self._changed.notify_all()
                while not self._queue or self._file is None:  # what comes before it is open is for it
                    if self._closing:
                        self._close()
                        return
                    if not self._changed.wait(_IDLE_S) and not self._queue and not self._closing:
                        self._runs = False
                        return
                    self._exchange()
                self._busy = True
                lines = []
                size = 0
                while self._queue and size < _BATCH_BYTES:
                    lines.append(self._queue.popleft())
                    size += len(lines[-1])
                self._queued_bytes -= size
                file, lost, why = self._file, self._lost, self._why
                self._lost = 0
            data = b"".join(lines)
            if lost:
                told = self._tell("warning", "%d lines could not be written: %s" % (lost, why))
                if not self._write(file, told):
                    with self._changed:
                        self._lost += lost - 1  # the telling line has counted itself
            self._write(file, data)

    def _exchange(self) -> None:
        if self._next is not None:
            if self._file is not None:
                os.close(self._file.fd)
            self._file, self._next = self._next, None

    def _lose(self, lines: bytes, why: str) -> None:
        self._lost += lines.count(b"\n")
        self._why = why

    def _write(self, file: _File, data: bytes) -> bool:
        return self._send(file, data) if self.lines == "syslog" else self._append(file, data)

    def _send(self, file: _File, data: bytes) -> bool:
        """Send a datagram for each line."""
        for line in data[:-1].split(b"\n"):
            try:
                os.write(file.fd, line[:_DATAGRAM_BYTES])
            except OSError as error:
                with self._changed:
                    self._lose(b"\n", error.strerror or str(error))
                if not file.told:  # whoever has the socket may have been replaced: it is to be reached again
                    file.told = True
                    self._on_full(self.key)
                return False
        return True

    def _append(self, file: _File, data: bytes) -> bool:
        rest = memoryview(b"\n" + data if file.torn else data)
        while rest:
            try:
                written = os.write(file.fd, rest)
            except BlockingIOError as error:
                if _writable(file.fd):
                    continue
                why = "nobody reads them" if error.strerror else SLOW
            except OSError as error:
                why = error.strerror or str(error)
            else:
                file.torn = rest[written - 1] != 10
                file.size += written
                rest = rest[written:]
                continue
            with self._changed:
                self._lose(bytes(rest), why)
            return False
        if self._rotate_bytes and file.size >= self._rotate_bytes and not file.told:
            file.told = True
            self._on_full(self.key)
        return True


def _writable(fd: int) -> bool:
    poller = select.poll()
    poller.register(fd, select.POLLOUT)
    return any(events & select.POLLOUT for _fd, events in poller.poll(_STUCK_MS))
