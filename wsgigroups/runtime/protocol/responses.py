"""The head of a response: its lines, and how its body is framed (RFC 9112 section 6).

Sans-I/O; called in request threads. What an application may say is in `preparing`; `compose` decides the framing.
"""

from __future__ import annotations

from typing import List, Optional, Tuple

BODILESS = (204, 304)
DATED, NAMED, CLOSED, DROPPED, IDENTIFIED = 1, 2, 4, 8, 16
SHORT_BYTES = 65536  # a body up to this size is copied behind the head, so that one send takes both

NO_BODY, WITH_LENGTH, CHUNKED, UNTIL_CLOSE = range(4)
# A connection option (RFC 9110 section 7.6.1): no application has answered. A gateway gives its own page instead.
REFUSED = "refused"
_FOR_A_GROUP = (503, 504)  # statuses that say: the group has no room or no time, whoever says it for it
REASONS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    408: "Request Timeout",
    413: "Content Too Large",
    414: "URI Too Long",
    417: "Expectation Failed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
}


class Prepared:
    """A response's status and fields, checked and encoded."""

    __slots__ = ("code", "length", "lines", "own")

    def __init__(self, code: int, lines: List[bytes], length: Optional[int], own: int) -> None:
        self.code = code
        self.lines = lines  # that of the status, then the fields', each with its CRLF; perhaps all of them in one
        self.length = length  # Content-Length
        # Which of our fields the application has set itself: DATED, NAMED, IDENTIFIED; of the connection's: CLOSED,
        # DROPPED.
        self.own = own


UNPREPARED = Prepared(500, [], None, 0)  # of an application that has not called start_response


def compose(
    prepared: Prepared,
    is_http_1_1: bool,
    keep_alive: bool,
    is_head: bool,
    known: Optional[int],
    own: bytes,
    date: bytes,
) -> Tuple[bytes, int, bool]:
    """Return the head with its empty line, the framing and whether the connection may be kept.

    known: length of the body if nothing more will follow what is known already; own: our Server and Date lines; date:
    our Date line alone. Content-Length is added when `known` says it, else HTTP/1.1 clients get chunks (RFC 9112
    section 6).
    """
    framing = WITH_LENGTH
    extra = b""
    if prepared.own & CLOSED:
        keep_alive = False
    if prepared.code in BODILESS:
        framing = NO_BODY
    elif is_head:
        framing = NO_BODY
        if prepared.length is None and known:
            extra = b"Content-Length: %d\r\n" % known
    elif prepared.length is None:
        if known is not None:
            extra = b"Content-Length: %d\r\n" % known
        elif is_http_1_1:
            framing = CHUNKED
            extra = b"Transfer-Encoding: chunked\r\n"
        else:
            framing = UNTIL_CLOSE
            keep_alive = False
    if not keep_alive:
        extra += b"Connection: close\r\n"
    elif not is_http_1_1:
        extra += b"Connection: keep-alive\r\n"
    if prepared.own:
        own = b"" if prepared.own & DATED else date
        if not prepared.own & NAMED:
            own += SERVER_LINE
    return b"".join((*prepared.lines, own, extra, b"\r\n")), framing, keep_alive


SERVER_LINE = b"Server: wsgigroups\r\n"
_REFUSED_LINE = b"Connection: close, " + REFUSED.encode("ascii") + b"\r\n"


def refusal_length(status: int, is_head: bool = False) -> int:
    """Return how long the body of a `refusal` is, in bytes."""
    return 0 if is_head else len(REASONS.get(status, "Error")) + 1


def refusal(
    status: int, own: bytes, keep_alive: bool = False, is_head: bool = False, to_gateway: bool = False
) -> bytes:
    """Return a whole response of the server's own, with a word of text as its body.

    to_gateway: one of ours has asked, which gives its site's page in place of what is said for a group.
    """
    reason = REASONS.get(status, "Error")
    body = b"" if is_head else reason.encode("ascii") + b"\n"
    if to_gateway and status in _FOR_A_GROUP:
        connection = _REFUSED_LINE
    else:
        connection = b"" if keep_alive else b"Connection: close\r\n"
    return (
        b"HTTP/1.1 %d %s\r\n" % (status, reason.encode("ascii"))
        + own
        + b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n" % (len(reason) + 1)
        + connection
        + b"\r\n"
        + body
    )
