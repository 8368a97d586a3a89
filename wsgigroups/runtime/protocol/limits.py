"""How much of anything a client may send before it is refused, each with its reason.

Those of a head are values that an operator may change (`Limits`); the others are constants. Every limit is decided as
soon as the byte that breaks it has arrived, never only when a terminator does (RFC 9110 section 15.5.15, RFC 6585
section 5 name the answers).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import List

HEAD_BYTES = 65536  # what one connection may make us keep before it has shown a valid request, if nobody wants more
EMPTY_LINES = 1  # CRLFs before a request line; old clients send one after a body (RFC 9112 section 2.2)
CHUNK_LINE_BYTES = 4096  # size and extensions of one chunk; nobody uses extensions, buffers are not for them
CHUNK_SIZE_DIGITS = 15  # hexadecimal: below 2**60, far beyond any real chunk and no big integer
TRAILER_BYTES = 8192  # the whole trailer section, which is read and dropped
TRAILERS = 100  # fields in it
CONTENT_LENGTH_DIGITS = 18  # below 10**18: an exabyte fits, a number of a million digits is never converted
BUFFERED_BODY_BYTES = 65536  # a body up to this size is received by the poller; a longer one is read by its thread
UWSGI_BYTES = 65535  # the packet's size is a 16-bit number
_LONG_FIELDS = 4  # of one head, at their limit: a ticket, cookies, a referer and one more
_USUAL_FIELD_BYTES = 64


@dataclass(frozen=True)
class Limits:
    """Of a head, in bytes without CRLF and in field lines. The defaults are Apache's: what it let through comes in."""

    request_line_bytes: int = 8190  # beyond: 414; Apache's LimitRequestLine
    field_bytes: int = 8190  # of one field line; beyond: 431; LimitRequestFieldSize
    fields: int = 100  # beyond: 431; LimitRequestFields: more are an attack on loops over them
    # All of it; beyond: 431. 64 KiB, and no less than a request line and four fields at their limits take together
    # with 64 bytes for each field there may be.
    head_bytes: int = field(init=False)
    short_bytes: int = field(init=False)  # no line of a head up to this size is too long

    def __post_init__(self) -> None:
        needed = self.request_line_bytes + _LONG_FIELDS * self.field_bytes + _USUAL_FIELD_BYTES * self.fields
        head_bytes = max(HEAD_BYTES, needed)
        object.__setattr__(self, "head_bytes", head_bytes)
        object.__setattr__(self, "short_bytes", min(self.request_line_bytes, self.field_bytes, head_bytes))

    def hold(self, lines: List[str], size: int) -> bool:
        """Tell whether a head of this size, which has these lines, is within the limits of bytes."""
        return (
            size <= self.head_bytes
            and len(lines[0]) <= self.request_line_bytes
            and max(map(len, lines[1:])) <= self.field_bytes
        )


DEFAULT = Limits()
