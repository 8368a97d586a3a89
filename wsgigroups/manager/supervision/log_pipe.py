"""Lines of one process of another user, on their way to the manager's own stdout or stderr.

Runs in the manager's only thread. Everything is bounded: the length of a line, what is read in one turn and in one
second. What a process says beyond that stays in its pipe, and is lost when that is full; nobody waits, neither the
process nor the manager, whose own streams may be read slowly. What the manager leaves out is counted and said.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import select
import time
from collections import deque
from typing import TYPE_CHECKING

from wsgigroups.runtime.text import clean
from wsgigroups.runtime.wire.rates import Bucket

if TYPE_CHECKING:
    from collections.abc import Callable

LINE_BYTES = 8192  # what is longer is cut into lines of this length
READ_BYTES = 65536
BYTES_PER_S = 1 << 20  # of one process; the manager has others to look after
PAUSE_S = 0.1
_PIPE_BYTES = 1 << 20  # what fits while the manager does not run; the kernel's limit for ordinary users (pipe(7))
_KEPT_BYTES = 16384  # of what it said last, for the record of its death
_KEPT_LINE_BYTES = 1024
_SAFE_BYTES = 4096  # PIPE_BUF: what polls writable takes this much without blocking (pipe(7))


class LogPipe:
    """Owns the read end. on_closed(self) is called once."""

    def __init__(self, fd: int, stream: int, who: Callable[[], str], on_closed: Callable[[LogPipe], None]) -> None:
        """stream: the manager's descriptor to write to; who: of the lines, asked for each time."""
        self._fd = fd
        self._stream = stream
        self._who = who
        self._on_closed = on_closed
        self._rest = b""
        self._lost = 0
        self._said: deque[bytes] = deque()
        self._said_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._bucket = Bucket(BYTES_PER_S, BYTES_PER_S, time.monotonic())
        with contextlib.suppress(OSError):  # where the user has too many of them
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ if hasattr(fcntl, "F_SETPIPE_SZ") else 1031, _PIPE_BYTES)
        self._loop.add_reader(fd, self._turn)

    def close(self) -> None:
        """Pass on what is there, and end; again does nothing."""
        if self._fd < 0:
            return
        with contextlib.suppress(OSError):
            self._take(os.read(self._fd, READ_BYTES))
        if self._rest:
            self._pass_on([self._rest])
            self._rest = b""
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
        self._fd = -1
        self._on_closed(self)

    def said(self) -> str:
        """What it said last, with one buffer of what nobody has read yet: it may have ended just now."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                self._take(os.read(self._fd, READ_BYTES))
        return b"\n".join((*self._said, self._rest)).decode("utf-8", "replace")

    def _turn(self) -> None:
        try:
            data = os.read(self._fd, READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # a tenant can splice pages into a pipe that are gone when they are read
            data = b""
        if not data:
            self.close()
            return
        self._take(data)
        if not self._bucket.take(len(data), time.monotonic()):
            self._loop.remove_reader(self._fd)
            self._loop.call_later(PAUSE_S, self._resume)

    def _resume(self) -> None:
        if self._fd >= 0:
            self._loop.add_reader(self._fd, self._turn)

    def _take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        while len(self._rest) > LINE_BYTES:
            lines.append(self._rest[:LINE_BYTES])
            self._rest = self._rest[LINE_BYTES:]
        self._pass_on(lines)

    def _pass_on(self, lines: list[bytes]) -> None:
        who = self._who()
        for line in lines:
            self._keep(line[:_KEPT_LINE_BYTES])
            for start in range(0, len(line) or 1, LINE_BYTES):
                text = clean(line[start : start + LINE_BYTES].decode("utf-8", "replace"), "\t")
                if self._lost and self._write(f"{who} | ({self._lost} lines were left out)\n".encode()):
                    self._lost = 0
                if not self._write(f"{who} | {text}\n".encode("utf-8", "replace")):
                    self._lost += 1

    def _keep(self, line: bytes) -> None:
        self._said.append(line)
        self._said_bytes += len(line) + 1
        while self._said_bytes > _KEPT_BYTES:
            self._said_bytes -= len(self._said.popleft()) + 1

    def _write(self, data: bytes) -> bool:
        """Write one line where that does not block; whether it was written, or has no reader any more."""
        poller = select.poll()
        poller.register(self._stream, select.POLLOUT)
        for start in range(0, len(data), _SAFE_BYTES):
            if not any(events & select.POLLOUT for _fd, events in poller.poll(0)):
                return False
            try:
                os.write(self._stream, data[start : start + _SAFE_BYTES])
            except OSError:
                return False
        return True
