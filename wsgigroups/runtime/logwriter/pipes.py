"""One pipe: what comes through it, as records of whoever has the other end.

Runs in the log writer's loop. Everything is bounded: what is read in one turn, records in a second, what is remembered.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict
from typing import Callable, Deque, List, NamedTuple, Tuple

from ..originals import os, time
from ..records.lines import is_line
from ..text import clean
from ..wire.log_frames import AccessLines, Raw, Said, Splitter
from ..wire.log_messages import KeptSource
from ..wire.log_messages import LogSource as Facts
from .rendering import RAW, LogAuthor, as_text, entry

READ_BYTES = 65536
_KEPT_BYTES = 16384  # of what it said last, for the record of its death
_KEPT_LINE_BYTES = 1024

Put = Callable[["LogPipe", str, bytes], None]  # level, and the lines as text or access lines


class LogPipe:
    """Owns the read end."""

    def __init__(self, fd: int, facts: Facts, render: Callable[["LogPipe", LogAuthor, NamedTuple], bytes]) -> None:
        """render: makes the lines of an entry in the format of the source's outlet."""
        self.fd = fd
        self._splitter = Splitter(facts.token)
        self._render = render
        self._said: Deque[bytes] = deque()
        self._said_bytes = 0
        self._second = -1
        self._passed = 0
        self._left_out = 0
        self.told(facts)

    def told(self, facts: Facts) -> None:
        """Go by these facts from now on."""
        self.facts = facts
        self.whose = LogAuthor(facts.group, facts.slot, facts.life, facts.pid)

    def kept(self) -> KeptSource:
        """Return what a next manager is told of it."""
        of = self.facts
        return KeptSource(**asdict(of))

    def read(self) -> Tuple[List[Tuple[str, bytes]], bool]:
        """Read once: lines with their levels, and whether the pipe has ended."""
        try:
            data = os.read(self.fd, READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return [], False
        except OSError:  # a tenant can splice pages into a pipe that are gone when they are read
            data = b""
        found = self._splitter.feed(data) if data else self._splitter.rest()
        return self._lines(found, over=not data), not data

    def last_words(self) -> str:
        """What came last."""
        return b"\n".join(self._said).decode("utf-8", "replace")

    def left_out(self) -> List[Tuple[str, bytes]]:
        """The line that tells of what was left out, if anything was and the second is over."""
        if not self._left_out or int(time.monotonic()) == self._second:
            return []
        return self._tell_left_out()

    def _tell_left_out(self) -> List[Tuple[str, bytes]]:
        what = "%d records were left out: more than %d came in a second"
        text = what % (self._left_out, self.facts.records_per_s)
        self._left_out = 0
        now_ns = time.time_ns()
        return [("warning", self._render(self, self.whose, entry("warning", now_ns, now_ns, text)))]

    def _lines(self, found: List[NamedTuple], *, over: bool) -> List[Tuple[str, bytes]]:
        lines: List[Tuple[str, bytes]] = []
        now_ns = time.time_ns()
        for item in found:
            if self.facts.form == "lines":
                assert isinstance(item, (AccessLines, Raw))
                data = item.data if isinstance(item, AccessLines) else item.line + b"\n"
                lines.append(("info", _joined(_clean_lines(data))))
            elif isinstance(item, AccessLines):
                self._access(item.data, now_ns, lines)
            elif self._passes(lines):
                lines.append(self._record(item, now_ns))
        if over and self._left_out:
            lines += self._tell_left_out()
        return lines

    def _access(self, data: bytes, now_ns: int, lines: List[Tuple[str, bytes]]) -> None:
        """Have lines of an access log written as they are; what is none would be a record without an author."""
        cleaned = _clean_lines(data)
        known = [line for line in cleaned if is_line(line)]
        if known:
            lines.append(("info", _joined(known)))
        for line in cleaned if len(known) < len(cleaned) else ():
            if not is_line(line) and self._passes(lines):
                lines.append(self._record(Raw(line.encode("utf-8", "backslashreplace")), now_ns))

    def _record(self, item: NamedTuple, now_ns: int) -> Tuple[str, bytes]:
        if isinstance(item, Said):
            child = item.pid if self.facts.pid and item.pid != self.facts.pid else 0
            said = entry(item.level, item.time_ns, now_ns, item.text, item.request_id, child)
            self._keep(as_text(self.whose, said)[:-1])
        else:
            assert isinstance(item, Raw)
            said = entry(RAW, now_ns, now_ns, item.line.decode("utf-8", "backslashreplace"))
            self._keep(item.line[:_KEPT_LINE_BYTES])
        return said.level, self._render(self, self.whose, said)

    def _passes(self, lines: List[Tuple[str, bytes]]) -> bool:
        most = self.facts.records_per_s
        if not most:
            return True
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._passed = second, 0
            if self._left_out:
                lines += self._tell_left_out()
        self._passed += 1
        self._left_out += self._passed > most
        return self._passed <= most

    def _keep(self, line: bytes) -> None:
        self._said.append(line)
        self._said_bytes += len(line) + 1
        while self._said_bytes > _KEPT_BYTES and len(self._said) > 1:
            self._said_bytes -= len(self._said.popleft()) + 1


def _clean_lines(data: bytes) -> List[str]:
    """Return lines without their ends; control characters, which those of an access log never have, escaped."""
    text = data.decode("utf-8", "backslashreplace")
    lines = text[:-1].split("\n") if text.endswith("\n") else text.split("\n")
    return [clean(line, "\t") for line in lines]


def _joined(lines: List[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")
