"""Records in the pipe of a process, between what it and its children write there as they like. Pure.

A frame is one write of at most PIPE_BUF bytes, so that the kernel never mixes it with another's (pipe(7)). It begins
with a mark and a token that only the process and the log writer know: text that a client has sent cannot begin one,
whoever prints it. What is longer goes in parts. Everything that is no frame is raw: lines without a record's facts.
"""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Tuple

PIPE_BUF = 4096
MARK = b"\x1e"
TOKEN_BYTES = 16  # of text: hexadecimal digits
RECORD, ACCESS = b"r", b"a"  # the last part, or the only one; those before it have the same letter as a capital
MAXIMUM_RECORD_BYTES = 256 * 1024  # of all parts together; the end of what is longer is left out
MAXIMUM_LINE_BYTES = 8192  # a raw line that is longer is cut into lines
_HEADER = b"%s%s%s%08x%04x"
_HEADER_BYTES = len(MARK) + TOKEN_BYTES + 1 + 8 + 4
_PAYLOAD_BYTES = PIPE_BUF - _HEADER_BYTES
_BETWEEN = b"\x1f"  # between the facts of a record
_MAXIMUM_PARTS = 64  # processes with an unfinished record: forked ones may die in the middle


class Said(NamedTuple):
    """A record as the process gave it; nothing in it is to be believed."""

    pid: int
    level: str
    time_ns: int
    request_id: str
    text: str


class AccessLines(NamedTuple):
    """AccessLines of an access log, each with its end."""

    data: bytes


class Raw(NamedTuple):
    """A line without its end, of whoever has the descriptor."""

    line: bytes


def record_payload(level: str, time_ns: int, request_id: str, text: str) -> bytes:
    """Return what a record's frames carry. level and request_id: without control characters."""
    facts = "%s\x1f%d\x1f%s\x1f%s" % (level, time_ns, request_id, text)
    return facts.encode("utf-8", "backslashreplace")


def frames(token: bytes, kind: bytes, pid: int, payload: bytes) -> List[bytes]:
    """Return the frames of one record or of access lines, each to be written by one write(2)."""
    found = []
    payload = payload[:MAXIMUM_RECORD_BYTES]
    while True:
        part, payload = payload[:_PAYLOAD_BYTES], payload[_PAYLOAD_BYTES:]
        found.append(_HEADER % (MARK, token, kind.upper() if payload else kind, pid & 0xFFFFFFFF, len(part)) + part)
        if not payload:
            return found


def access_frames(token: bytes, pid: int, lines: bytes) -> List[bytes]:
    """As `frames`, of whole lines: as many in a frame as it has room for."""
    found: List[bytes] = []
    start = 0
    while start < len(lines):
        end = (
            lines.rfind(b"\n", start, start + _PAYLOAD_BYTES) + 1 if len(lines) - start > _PAYLOAD_BYTES else len(lines)
        )
        if not end:  # one line that is longer than a frame
            end = lines.find(b"\n", start) + 1 or len(lines)
        found += frames(token, ACCESS, pid, lines[start:end])
        start = end
    return found


class Splitter:
    """Takes apart what came through one pipe."""

    def __init__(self, token: str) -> None:
        """token: "" for a pipe in which there are no frames."""
        self._marker = MARK + token.encode("ascii") if token else b""
        self._data = b""
        self._raw = b""  # the beginning of a raw line
        self._parts: Dict[Tuple[int, bytes], bytes] = {}

    def feed(self, data: bytes) -> List[NamedTuple]:
        """Return what is complete: Said, AccessLines and Raw in their order."""
        found: List[NamedTuple] = []
        data = self._data + data
        at = 0
        while at < len(data):
            begin = self._begin(data, at)
            if begin > at:
                self._take_raw(data[at:begin], found)
                at = begin
            if at == len(data):
                break
            length = self._length(data, at)
            if length < 0:
                break  # the rest of it is to come
            end = at + _HEADER_BYTES + length
            self._take_frame(data, at, end, found)
            at = end
        self._data = data[at:]
        return found

    def rest(self) -> List[NamedTuple]:
        """Return what is left at the end of the pipe."""
        raw, self._raw, self._data = self._raw + self._data, b"", b""
        self._parts.clear()
        return [Raw(raw)] if raw else []

    def _begin(self, data: bytes, at: int) -> int:
        """Where the next frame begins, or what may be the beginning of one; else the end."""
        if not self._marker:
            return len(data)
        while True:
            begin = data.find(MARK, at)
            if begin < 0:
                return len(data)
            if self._marker.startswith(data[begin : begin + len(self._marker)]):
                return begin
            at = begin + 1

    def _length(self, data: bytes, at: int) -> int:
        """Bytes of the payload of the frame that begins here; -1: it has not come whole."""
        if len(data) < at + _HEADER_BYTES:
            return -1
        try:
            length = int(data[at + _HEADER_BYTES - 4 : at + _HEADER_BYTES], 16)
        except ValueError:
            length = 0
        return length if len(data) >= at + _HEADER_BYTES + length else -1

    def _take_frame(self, data: bytes, at: int, end: int, found: List[NamedTuple]) -> None:
        kind = data[at + len(self._marker) : at + len(self._marker) + 1]
        try:
            pid = int(data[at + len(self._marker) + 1 : at + len(self._marker) + 9], 16)
        except ValueError:
            return
        payload = data[at + _HEADER_BYTES : end]
        key = (pid, kind.lower())
        before = self._parts.pop(key, b"")
        payload = (before + payload)[:MAXIMUM_RECORD_BYTES] if before else payload
        if kind.isupper():
            if len(self._parts) < _MAXIMUM_PARTS:
                self._parts[key] = payload
        elif kind == ACCESS:
            found.append(AccessLines(payload))
        elif kind == RECORD:
            level, time_ns, request_id, text = [*payload.split(_BETWEEN, 3), b"", b"", b"", b""][:4]
            number = int(time_ns) if time_ns.isdigit() and len(time_ns) < 20 else 0
            words = [word.decode("utf-8", "replace") for word in (level, request_id, text)]
            found.append(Said(pid, words[0], number, words[1], words[2]))

    def _take_raw(self, data: bytes, found: List[NamedTuple]) -> None:
        *lines, rest = (self._raw + data).split(b"\n")
        for line in lines:
            found += [Raw(line[i : i + MAXIMUM_LINE_BYTES]) for i in range(0, len(line) or 1, MAXIMUM_LINE_BYTES)]
        while len(rest) >= MAXIMUM_LINE_BYTES:
            found.append(Raw(rest[:MAXIMUM_LINE_BYTES]))
            rest = rest[MAXIMUM_LINE_BYTES:]
        self._raw = rest
