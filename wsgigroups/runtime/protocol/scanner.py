"""Finds the end of a head while it arrives, and refuses it at the first byte that breaks a rule of lines.

Sans-I/O, one scanner per unfinished head, used by the thread that owns the connection. Violations count by position
in the stream, so the verdict does not depend on how the bytes were split into packets.
"""

from __future__ import annotations

import re
from typing import Union

from .errors import ProtocolError
from .limits import Limits

CONTROLS = bytes([*range(9), *range(10, 32), 127])  # all but HTAB; CR and LF only count as parts of CRLF
_CONTROL = re.compile(b"[" + re.escape(CONTROLS) + b"]")


class Scanner:
    """Feed it the same growing buffer; it remembers how far it has looked."""

    __slots__ = ("_limits", "_line", "_lines", "_seen")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._line = 0  # where the current line begins
        self._lines = 0  # complete lines before it
        self._seen = 0  # no control character before this offset

    def feed(self, data: Union[bytes, bytearray]) -> int:
        """Return the offset just after the head's empty line, or 0 while there is none. Raises ProtocolError."""
        while True:
            end = data.find(b"\r\n", max(self._line, self._seen - 1))
            stop = end
            if end < 0:
                stop = len(data) - 1 if data.endswith(b"\r") else len(data)
            self._check(data, stop, end)
            if end < 0:
                self._seen = max(self._seen, stop)
                return 0
            if end == self._line and self._lines:
                return end + 2
            self._line = self._seen = end + 2
            self._lines += 1

    def _check(self, data: Union[bytes, bytearray], stop: int, end: int) -> None:
        """Raise for the violation of the line [_line, stop) that comes first in the stream."""
        limits, found = self._limits, []
        control = _CONTROL.search(data, max(self._line, self._seen), stop)
        if control is not None:
            found.append((control.start(), 400, "a line has a control character or a CR or LF on its own"))
        limit = limits.field_bytes if self._lines else limits.request_line_bytes
        if stop - self._line > limit:
            status, what = (431, "a header field") if self._lines else (414, "the request line")
            found.append((self._line + limit, status, "%s is longer than %d bytes" % (what, limit)))
        if self._lines > limits.fields and stop > self._line:
            found.append((self._line, 431, "there are more than %d header fields" % limits.fields))
        if stop > limits.head_bytes or end + 2 > limits.head_bytes:
            found.append((limits.head_bytes, 431, "the head is longer than %d bytes" % limits.head_bytes))
        if found:
            _position, status, reason = min(found)
            raise ProtocolError(status, reason)
