"""Which descriptors a daemon has: 0, 1, 2, its listeners, its channel, its reports, its board and nothing else.

Runs in the forked child before it loses its privileges and before chroot, because /dev/null and /proc are outside.
"""

from __future__ import annotations

import errno
import io
import sys
from typing import Any, BinaryIO, Iterable, List, Optional, cast

from .. import kernel
from ..log import LogLines
from ..logged import level_of_caller
from ..originals import os
from .failure import step

_NEWLINE = ord("\n")
_NO_ROOM = frozenset({errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


class Unhindered(io.FileIO):
    """stdout or stderr: each line is a record of the log, and so is what is flushed without the end of its line.

    What has no room on the disk or in a pipe, or nobody reads any more, is left out and counted. The log may be a pipe
    to the manager (error-log = "/dev/stdout"), which may be stopped or gone: an application that prints must neither
    wait for it nor fail.
    """

    def __init__(self, fd: int, lines: LogLines, stream: str, encoding: str) -> None:
        super().__init__(fd, "w", closefd=False)
        self._lines = lines
        self._stream = stream
        self._encoding = encoding
        self._unfinished = False  # the last write did not end its line

    def write(self, data: Any) -> int:
        """Take all of it. Raises OSError, but not for want of room."""
        size = memoryview(data).nbytes
        text = bytes(data).decode(self._encoding, "backslashreplace")
        if self._unfinished and text.startswith("\n"):
            text = text[1:]  # the end of what is a record already: print() gives it by itself
        self._unfinished = bool(text) and not text.endswith("\n")
        if text:
            lines = (text[:-1] if text.endswith("\n") else text).split("\n")
            level = level_of_caller(sys._getframe(1)) or self._stream
            if self._lines.framed:
                self._log(level, lines)
            else:
                self._put(b"".join([self._lines.record(level, line) for line in lines]))
        return size

    def _log(self, level: str, lines: List[str]) -> None:
        if level == self._stream:
            for line in lines:
                self._lines.log(level, line)
        else:
            self._lines.log(level, "\n".join(lines))  # a record of `logging` with its traceback

    def _put(self, records: bytes) -> None:
        why = OSError(errno.EAGAIN, "nobody reads them")
        rest = memoryview(b"\n" + records if self._lines.torn else records)
        while rest:
            try:
                written: Optional[int] = super().write(rest)
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                written, why = None, error
            if written is None:
                self._lines.lose(bytes(rest), why)
                return
            self._lines.torn = rest[written - 1] != _NEWLINE
            rest = rest[written:]
        self._lines.again()


def redirect(log_fd: int) -> None:
    """Make stdout and stderr the log and stdin /dev/null; `log_fd` is closed. Raises StepError("descriptors")."""
    with step("descriptors", "open the log as standard output"):
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        os.dup2(null, 0)
        os.dup2(log_fd, 1)
        os.dup2(log_fd, 2)
        for fd in (null, log_fd):
            if fd > 2:
                os.close(fd)


def write_to(log_fd: int) -> None:
    """Make this stdout and stderr of a process that runs: each write goes to the old one or to this (dup2(2))."""
    os.dup2(log_fd, 1)
    os.dup2(log_fd, 2)


def keep_only(kept: Iterable[int]) -> None:
    """Close all but these and the standard ones. Raises StepError("descriptors")."""
    with step("descriptors", "close inherited descriptors"):
        kernel.close_all_except({0, 1, 2, *kept})


def reopen_streams(lines: LogLines) -> None:
    """Give sys.stdin, stdout and stderr the new files: text by line, nothing that cannot be encoded is lost.

    lines: of the same log, which tells what there was no room for.

    The spawner's own objects were block buffered or may have been None; they are dropped without closing.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    for name, fd, mode, errors in (
        ("stdin", 0, "r", "surrogateescape"),
        ("stdout", 1, "w", "backslashreplace"),
        ("stderr", 2, "w", "backslashreplace"),
    ):
        raw = io.FileIO(fd, mode, closefd=False) if fd == 0 else Unhindered(fd, lines, name, encoding)
        buffered = io.BufferedReader(raw) if fd == 0 else io.BufferedWriter(raw)
        stream = io.TextIOWrapper(cast("BinaryIO", buffered), encoding, errors, line_buffering=fd > 0)
        setattr(sys, name, stream)
        setattr(sys, "__%s__" % name, stream)
