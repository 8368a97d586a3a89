"""How long clients may take, in monotonic nanoseconds, and at what rates they must send, in bytes a second."""

from __future__ import annotations

SECOND_NS = 1_000_000_000
HEAD_TIMEOUT_NS = 10 * SECOND_NS  # from a request's first byte to the end of its head; then 408
BODY_GRACE_NS = 15 * SECOND_NS  # after that a body must have come at BODY_RATE on average; then 408
BODY_RATE_BYTES = 500
DRAIN_IDLE_NS = 2 * SECOND_NS  # when nobody follows: a kept connection's next request may be on its way for this long
LINGER_NS = 30 * SECOND_NS  # how long we read on after our last word, so that the client can read it (RFC 9112, 9.6)
LINGER_IDLE_NS = 2 * SECOND_NS  # … from a client that sends nothing
LINGER_RATE_BYTES = 16384  # … that sends less than that on average, after those 2 s
