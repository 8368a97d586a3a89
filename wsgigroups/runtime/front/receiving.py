"""Requests on their way in: what a connection's client has sent, until a request is complete, and in what time.

Called by the leader, and by a request thread for the connection that it owns.
"""

from __future__ import annotations

from typing import Callable

from ..originals import socket
from ..protocol.errors import ProtocolError
from .connection import BODY, CLOSED, HEAD, LINGERING, QUEUED, RECEIVE_BYTES, Connection
from .connections import Connections
from .intake import Intake
from .timing import BODY_GRACE_NS, BODY_RATE_BYTES, HEAD_TIMEOUT_NS, SECOND_NS


class Receiving:
    """Reads, and refuses what is no request."""

    __slots__ = ("_clock", "_connections", "intake")

    def __init__(self, connections: Connections, intake: Intake, clock: Callable[[], int]) -> None:
        self._connections = connections
        self.intake = intake
        self._clock = clock

    def resume(self, connection: Connection) -> bool:
        """Go on with what was received before, else with what the socket has.

        If that makes a complete request, the connection is the caller's. It may be refused or closed.
        """
        return (bool(connection.data) and self._advance(connection)) or (connection.more and self._receive(connection))

    def receive(self, connection: Connection) -> bool:
        """As `resume`, but the socket is looked at in any case."""
        connection.more = True
        return self._receive(connection)

    def _receive(self, connection: Connection) -> bool:
        while connection.more and connection.state not in (CLOSED, LINGERING):
            try:
                data = connection.sock.recv(RECEIVE_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                connection.more = False
                self._connections.watch(connection)
                return False
            except OSError:
                data = b""
            if not data:
                self.lost(connection)
                return False
            connection.more = len(data) == RECEIVE_BYTES or connection.gone
            connection.data = connection.data + data if connection.data else data
            if self._advance(connection):
                return True
        return False

    def _advance(self, connection: Connection) -> bool:
        while True:
            try:
                if self.intake.advance(connection):
                    connection.deadline_ns = 0
                    connection.owned = True
                    return True
                break
            except ProtocolError as error:
                if not self._connections.refuse(connection, error.status, error.reason, error.keep):
                    return False
        self._expect(connection)
        self._connections.watch(connection)
        return False

    def _expect(self, connection: Connection) -> None:
        """Set the time for the rest of a head or body."""
        now_ns = self._clock()
        if connection.state == BODY:
            connection.since_ns = since_ns = connection.since_ns or now_ns
            needed_ns = connection.received_bytes * SECOND_NS // BODY_RATE_BYTES
            deadline_ns = since_ns + max(BODY_GRACE_NS, needed_ns)
        elif connection.data:
            if connection.state != HEAD:
                connection.to(HEAD)
                connection.begun_ns = now_ns
            deadline_ns = connection.begun_ns + HEAD_TIMEOUT_NS
        else:
            return
        timeout_s = self._connections.settings.socket_timeout_s
        if timeout_s:
            deadline_ns = min(deadline_ns, now_ns + int(timeout_s * SECOND_NS))
        self._connections.deadlines.set(connection, deadline_ns)

    def lost(self, connection: Connection) -> None:
        """Close: the client has closed or reset the connection before a request was complete."""
        if connection.state in (BODY, QUEUED):
            self._connections.abandon(connection)
        else:
            self._connections.close(connection)
