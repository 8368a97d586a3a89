"""The lingering close: after our last word, what the client still sends is read and dropped (RFC 9112 section 9.6).

A close with unread bytes is a reset, which takes from the client what it has not read yet: the answer to an upload that
nobody wants would be lost. What ends it is time, not size: a client that sends at a fair rate is read from for up to
LINGER_NS, one that does not for LINGER_IDLE_NS.
"""

from __future__ import annotations

from typing import Callable

from ..originals import socket
from .connection import Connection
from .deadlines import Deadlines
from .timing import LINGER_IDLE_NS, LINGER_NS, LINGER_RATE_BYTES, SECOND_NS

_READS = 16  # at a time: others wait meanwhile
_DROPPED = bytearray(65536)  # whatever threads read into it, nobody looks


class Lingering:
    """For a connection in that state, by the thread that owns it, or the leader."""

    __slots__ = ("_clock", "_deadlines")

    def __init__(self, deadlines: Deadlines, clock: Callable[[], int]) -> None:
        self._deadlines = deadlines
        self._clock = clock

    def begin(self, connection: Connection) -> None:
        """End our side. Raises OSError when there is nobody to end it for."""
        connection.received_bytes = 0
        connection.since_ns = self._clock()
        connection.sock.shutdown(socket.SHUT_WR)

    def drop(self, connection: Connection) -> bool:
        """Drop what has come; False when there will be no more. `more` of it says whether there may be more now."""
        connection.more = True
        for _ in range(_READS):
            try:
                count = connection.sock.recv_into(_DROPPED, 0, socket.MSG_DONTWAIT)
            except BlockingIOError:
                connection.more = False
                break
            except OSError:  # a reset ends the wait as well
                return False
            if not count:
                return False
            connection.received_bytes += count
        began_ns = connection.since_ns
        credit_ns = connection.received_bytes * SECOND_NS // LINGER_RATE_BYTES
        fair_ns = began_ns + LINGER_IDLE_NS + min(credit_ns, LINGER_NS - LINGER_IDLE_NS)
        self._deadlines.set(connection, min(fair_ns, self._clock() + LINGER_IDLE_NS))
        return True
