"""How much of anything a client may send before it is refused, each with its reason.

Constants of the sans-I/O protocol code. Every limit is decided as soon as the byte that breaks it has arrived, never
only when a terminator does (RFC 9110 section 15.5.15, RFC 6585 section 5 name the answers).
"""

from __future__ import annotations

REQUEST_LINE_BYTES = 8190  # without CRLF; Apache's LimitRequestLine, so what Apache let through comes through here
FIELD_BYTES = 8190  # one header field line without CRLF; Apache's LimitRequestFieldSize
FIELDS = 100  # Apache's LimitRequestFields; more are an attack on loops over them
HEAD_BYTES = 65536  # all of it: what one connection may make us keep before it has shown a valid request
EMPTY_LINES = 1  # CRLFs before a request line; old clients send one after a body (RFC 9112 section 2.2)
CHUNK_LINE_BYTES = 4096  # size and extensions of one chunk; nobody uses extensions, buffers are not for them
CHUNK_SIZE_DIGITS = 15  # hexadecimal: below 2**60, far beyond any real chunk and no big integer
TRAILER_BYTES = 8192  # the whole trailer section, which is read and dropped
CONTENT_LENGTH_DIGITS = 18  # below 10**18: an exabyte fits, a number of a million digits is never converted
BUFFERED_BODY_BYTES = 65536  # a body up to this size is received by the poller; a longer one is read by its thread
UWSGI_BYTES = 65535  # the packet's size is a 16-bit number
