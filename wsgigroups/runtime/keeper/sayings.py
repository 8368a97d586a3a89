"""What nginx says while it runs: lines of its error log, and one short line for each answer, to be counted.

The keeper's thread's.
"""

from __future__ import annotations

import re
from typing import Callable, List

from ..originals import os, time
from ..wire.board import WORD

TALLY = "tally"  # the pipe of answers, in the keeper's directory: "200 1234\\n" for each, status and bytes
_LINE = re.compile(r"(?:\d{4}/\d\d/\d\d \d\d:\d\d:\d\d |nginx: )\[(\w+)\] (?:\d+#\d+: )?(.*)")
_LEVELS = {"emerg": "error", "alert": "error", "crit": "error", "error": "error", "warn": "warning"}
_LONGEST_BYTES = 8192  # of a line without an end
_CLASSES = {b"%d" % number: "status_%dxx" % number for number in range(1, 6)}


class ErrorLog:
    """Passes on what it says, line by line. failure: the last thing that it could not do at all."""

    def __init__(self, fd: int, log: Callable[[str, str], None]) -> None:
        """fd: the reading end of its standard error, not blocking."""
        self.failure = ""
        self._fd = fd
        self._log = log
        self._rest = b""

    def pump(self) -> None:
        """Read and pass on what is there."""
        while True:
            try:
                data = os.read(self._fd, 65536)
            except BlockingIOError:
                return
            if not data:
                return
            *lines, self._rest = (self._rest + data).split(b"\n")
            if len(self._rest) > _LONGEST_BYTES:
                lines, self._rest = [*lines, self._rest], b""
            for line in lines:
                self._say(line.decode("utf-8", "replace"))

    def _say(self, line: str) -> None:
        found = _LINE.match(line)
        if found is None:
            if line.strip():
                self._log("info", "nginx: " + line)
            return
        level, text = found.groups()
        if level == "emerg":
            self.failure = text
        self._log(_LEVELS.get(level, "info"), "nginx: " + text)


class AnswerTally:
    """Counts answers on the board."""

    def __init__(self, fd: int, words: memoryview) -> None:
        """fd: the pipe, not blocking."""
        self._fd = fd
        self._words = words
        self._rest = b""

    def pump(self) -> None:
        """Read and count what is there."""
        while True:
            try:
                data = os.read(self._fd, 65536)
            except BlockingIOError:
                return
            *lines, self._rest = (self._rest + data).split(b"\n")
            if lines:
                self._count(lines)

    def _count(self, lines: List[bytes]) -> None:
        words, sent = self._words, 0
        for line in lines:
            status, _, size = line.partition(b" ")
            name = _CLASSES.get(status[:1])
            if name is not None:
                words[WORD[name]] += 1
            if size.isdigit():
                sent += int(size)
        words[WORD["requests_total"]] += len(lines)
        words[WORD["sent_bytes"]] += sent
        words[WORD["last_activity_ns"]] = time.monotonic_ns()
