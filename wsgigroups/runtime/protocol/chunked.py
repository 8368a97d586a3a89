"""The chunked coding of a request's body (RFC 9112 section 7.1), decoded as it arrives.

Sans-I/O, one decoder per body, used by the thread that owns the connection. Strict to the byte: anything another
reader of the stream could take for a different length is refused (CRLF in full, hexadecimal digits only, extensions
by the grammar). Trailers are checked and dropped whatever their names: merging them into the head would let a body
change a request.
"""

from __future__ import annotations

import re
from typing import List

from . import limits
from .errors import ProtocolError

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t !-~\x80-\xff])*"'
_LINE = re.compile(
    rb"([0-9A-Fa-f]{1,%d})((?:[ \t]*;[ \t]*" % limits.CHUNK_SIZE_DIGITS
    + _TOKEN
    + rb"(?:[ \t]*=[ \t]*(?:"
    + _TOKEN
    + rb"|"
    + _QUOTED
    + rb"))?)*)\r\n"
)
_DIGITS = re.compile(rb"[0-9A-Fa-f]{1,%d}" % limits.CHUNK_SIZE_DIGITS)
_TRAILER = re.compile(rb"(" + _TOKEN + rb"):[\t -~\x80-\xff]*")
# RFC 9110 section 6.5.1: what frames, routes or authenticates may not come after the body. Others are dropped anyway.
_FORBIDDEN = frozenset((b"authorization", b"content-length", b"host", b"transfer-encoding"))
_SIZE, _DATA, _DATA_END, _TRAILERS, _COMPLETE = range(5)


class ChunkedDecoder:
    """`feed` bytes, get decoded ones; when `complete`, `rest` is what follows the body."""

    __slots__ = ("_left", "_pending", "_state", "_trailer_bytes", "_trailers", "rest")

    def __init__(self) -> None:
        self._state = _SIZE
        self._left = 0  # of the current chunk
        self._pending = b""  # an unfinished line
        self._trailers = 0
        self._trailer_bytes = 0
        self.rest = b""

    @property
    def complete(self) -> bool:
        """Whether the last chunk and the trailer section have been read."""
        return self._state == _COMPLETE

    def feed(self, data: bytes) -> bytes:
        """Return what these bytes add to the body. Raises ProtocolError(400)."""
        if self._pending:
            data = self._pending + data
            self._pending = b""
        out: List[bytes] = []
        position = 0
        while position < len(data) and self._state != _COMPLETE:
            if self._state == _DATA:
                block = data[position : position + self._left]
                out.append(block)
                position += len(block)
                self._left -= len(block)
                if not self._left:
                    self._state = _DATA_END
            elif self._state == _DATA_END:
                end = data[position : position + 2]
                if end != b"\r\n"[: len(end)]:
                    raise ProtocolError(400, "a chunk does not end with CRLF")
                if len(end) < 2:
                    break
                position += 2
                self._state = _SIZE
            else:
                after = self._line(data, position) if self._state == _SIZE else self._trailer(data, position)
                if after == position:
                    break
                position = after
        if self._state == _COMPLETE:
            self.rest = data[position:]
        else:
            self._pending = data[position:]
        return out[0] if len(out) == 1 else b"".join(out)

    def _line(self, data: bytes, position: int) -> int:
        """Read a chunk's size; the offset after the line, or `position` while it is not whole."""
        if data.find(b"\n", position) < 0:  # the grammar is looked at once, not again for each byte that comes
            self._check_unfinished(data[position:])
            return position
        match = _LINE.match(data, position)
        if match is None:
            raise ProtocolError(400, "a chunk's line is malformed")
        if match.end() - position - 2 > limits.CHUNK_LINE_BYTES:
            raise ProtocolError(400, "a chunk's line is longer than %d bytes" % limits.CHUNK_LINE_BYTES)
        self._left = int(match.group(1), 16)
        self._state = _DATA if self._left else _TRAILERS
        return match.end()

    @staticmethod
    def _check_unfinished(line: bytes) -> None:
        """Raise unless the line may still become a good one."""
        if len(line) > limits.CHUNK_LINE_BYTES + 1:
            raise ProtocolError(400, "a chunk's line is longer than %d bytes" % limits.CHUNK_LINE_BYTES)
        digits = _DIGITS.match(line)
        after = line[digits.end() : digits.end() + 1] if digits else line[:1]
        if (after and (digits is None or after not in b"; \t\r")) or b"\r" in line[:-1]:
            raise ProtocolError(400, "a chunk's size is malformed")

    def _trailer(self, data: bytes, position: int) -> int:
        end = data.find(b"\r\n", position)
        line = data[position:] if end < 0 else data[position:end]
        if self._trailer_bytes + len(line) > limits.TRAILER_BYTES:
            raise ProtocolError(400, "the trailer section is longer than %d bytes" % limits.TRAILER_BYTES)
        if end < 0:
            if b"\n" in line or b"\r" in line[:-1]:
                raise ProtocolError(400, "a trailer field is malformed")
            return position
        if not line:
            self._state = _COMPLETE
            return end + 2
        match = _TRAILER.fullmatch(line)
        if match is None or match.group(1).lower() in _FORBIDDEN:
            raise ProtocolError(400, "a trailer field is malformed or not allowed there")
        self._trailer_bytes += len(line) + 2
        self._trailers += 1
        if self._trailers > limits.TRAILERS:
            raise ProtocolError(400, "there are more than %d trailer fields" % limits.TRAILERS)
        return end + 2
