"""Answers that leave together, at the end of the round of events that has led to them.

So the code that answers and the kernel's code that sends do not push each other out of the processor's caches, and a
client is not woken for each answer anew.
"""

from __future__ import annotations

from typing import Callable, List

from .connection import FLUSHING, IDLE, POSTED, Connection
from .connections import Connections
from .output import DONT_WAIT, Output

OUTBOX_NS = 1_000_000  # no answer waits for longer than that, and one call, for those that leave with it


class Outbox:
    """The leader's."""

    __slots__ = ("_clock", "_connections", "posted", "send_by_ns")

    def __init__(self, connections: Connections, clock: Callable[[], int]) -> None:
        self._connections = connections
        self._clock = clock
        self.posted: List[Connection] = []
        self.send_by_ns = 0  # when `send` is to be called, and the board to be told the time, at the next call

    def post(self, connection: Connection) -> None:
        """Take the answer of a connection: behind it the next request may follow, or, of a gateway's, the end."""
        connection.to(POSTED)
        connection.keep = not connection.is_uwsgi  # which has one request for each connection
        self.posted.append(connection)

    def send(self) -> None:
        """Send all answers, and wait for the next requests."""
        posted = self.posted[:]
        self.posted.clear()
        connections = self._connections
        now_ns = self._clock()
        self.send_by_ns = now_ns + OUTBOX_NS
        deadline_ns = now_ns + connections.keep_alive_ns
        for connection in posted:
            answer, head = connection.answer, connection.head
            connection.answer = b""
            connection.head = None  # its environ may hold what an application wants to see go
            connection.deadline_ns = deadline_ns
            try:
                if not connection.watched and connection.keep:
                    connections.watch(connection)
                sent = connection.sock.send(answer, DONT_WAIT)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                connections.lost_answer(connection, head, error)
                continue
            if sent < len(answer):
                connection.output = output = Output()
                output.append(memoryview(answer)[sent:])
                connection.to(FLUSHING)
                connections.watch_output(connection)
                connections.arm_write_timeout(connection)
            elif connection.keep:
                connection.to(IDLE)
            else:
                connections.close(connection)
        next_ns = connections.deadlines.next_ns
        if posted and not 0 < next_ns <= deadline_ns:
            connections.deadlines.expect(deadline_ns)
