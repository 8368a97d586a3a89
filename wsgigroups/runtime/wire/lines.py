"""What a daemon says: one JSON object a line on a pipe. Made so that the reader never believes and never waits.

Written by the daemon, read by the manager. A pipe carries bytes and no descriptors (SCM_RIGHTS of unix(7) needs a
socket), so that nothing a tenant sends can fill the manager's table or make a close of it sleep. A line is bounded, a
reader that begins in the middle of one finds the next, and what is decoded in one turn is the caller's choice. Pure.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import fields
from typing import Any, Deque, Dict

from .messages import Message

MAXIMUM_LINE_BYTES = 128 * 1024  # the newline included
READ_BYTES = 65536  # what one turn takes, and all that is read of a process that has ended: a pipe holds as much
_DIGITS = 24  # more than any number of ours has; before Python 3.11 a long one costs the square of its length
_CUT = "(cut) "


class LineError(Exception):
    """The peer sent what is no line of ours."""


def encode_line(message: Message) -> bytes:
    """Return one line; of texts that make it too long, only the ends are kept. Raises LineError if that is no help."""
    body = message.to_frame()
    line = _line(body)
    while len(line) > MAXIMUM_LINE_BYTES:
        texts = {item.name: body[item.name] for item in fields(message) if isinstance(body[item.name], str)}
        name = max(texts, key=lambda key: len(texts[key]), default="")
        if len(texts.get(name, "")) <= len(_CUT) * 2:
            raise LineError("cannot say it in a line of %d bytes" % MAXIMUM_LINE_BYTES)
        # the end of a traceback says most, and an escape may take six bytes
        body[name] = _CUT + texts[name][-(len(texts[name]) // 2) :].replace(_CUT, "")
        line = _line(body)
    return line


def _line(body: Dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=True).encode("ascii") + b"\n"


class LineReceiver:
    """Turns bytes into the objects of lines. Holds at most one incomplete line and what was fed since `take`."""

    def __init__(self, *, joins_late: bool = False) -> None:
        """joins_late: somebody else read before, so the first line may be the end of one."""
        self._lines: Deque[bytes] = deque()
        self._rest = bytearray()
        self._forgives = joins_late

    def feed(self, data: bytes) -> None:
        """Take bytes. Raises LineError when a line becomes longer than it may be."""
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._extend(piece)
            self._lines.append(bytes(self._rest))
            self._rest.clear()
        self._extend(rest)

    def _extend(self, piece: bytes) -> None:
        self._rest += piece
        if len(self._rest) >= MAXIMUM_LINE_BYTES:
            raise LineError("a line is longer than %d bytes" % MAXIMUM_LINE_BYTES)

    @property
    def waiting(self) -> int:
        """How many complete lines wait to be taken."""
        return len(self._lines)

    def size_bytes(self) -> int:
        """Bytes of the line that `take` gives next. Raises IndexError when there is none."""
        return len(self._lines[0])

    def take(self) -> Dict[str, Any]:
        """Decode the next line. Raises LineError, IndexError when there is none.

        A line that somebody else began to read is passed over: then the object is empty.
        """
        raw = self._lines.popleft()
        forgives, self._forgives = self._forgives, False
        why = "it is no object with a type"
        try:
            body = json.loads(raw, parse_int=_integer)
        except (ValueError, RecursionError) as error:
            body, why = None, str(error)
        if isinstance(body, dict) and isinstance(body.get("type"), str):
            return body
        if forgives:
            return {}
        raise LineError("a line is no message: %s" % why)


def _integer(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError("a number has %d digits" % len(text))
    return int(text)
