"""New connections on their way into the process, and what siblings on the same listeners hear of that. The leader's."""

from __future__ import annotations

import resource
from typing import Callable, Deque, List, Tuple

from ..originals import select
from ..wire.board import WORD
from . import room
from .connection import BODY, Connection
from .connections import Connections
from .listening import Listening

_ACCEPTS = 4  # at a time, with siblings
_ACCEPTS_ALONE = 64


class Arrivals:
    """Accepts what this process has room and threads for, into `ready`."""

    def __init__(
        self,
        connections: Connections,
        listening: Listening,
        ready: Deque[Tuple[Connection, int]],
        words: memoryview,
        clock: Callable[[], int],
    ) -> None:
        self.most_connections = _most_connections()
        self._connections = connections
        self._listening = listening
        self._ready = ready
        self._words = words
        self._clock = clock
        self._published = 0  # connections, as the board has them
        self._told_occupied = 0
        self._queue_surplus = 0  # of the surplus, that is there because requests wait

    def prepare(self) -> None:
        """Before a poll: tell siblings what has changed, and watch the listeners or leave them to those."""
        listening = self._listening
        open_now = len(self._connections.open)
        self._compare(open_now)
        full = open_now >= self.most_connections and not self._make_room()
        given_up = listening.stopped or listening.over
        if listening.watching != (not full) or listening.occupied or listening.paused_until_ns or given_up:
            listening.adjust(full)

    def _compare(self, open_now: int) -> None:
        """Tell siblings; while requests wait here and one has time, send some kept connections there.

        A kept connection stays where it was accepted, and a process that was the only one free at that moment has them
        all.
        """
        listening, connections = self._listening, self._connections
        siblings, queued = listening.siblings, len(connections.answering.waiting)
        if listening.saturated:
            siblings.count(queued)
        if open_now != self._published or listening.occupied != self._told_occupied or listening.saturated:
            self._published = self._words[WORD["connections"]] = open_now
            self._told_occupied = listening.occupied
            listening.tell(open_now)
        if self._queue_surplus and not queued:
            connections.surplus = self._queue_surplus = 0
        if siblings.may_send(self._clock()):
            connections.surplus = siblings.surplus(open_now, queued, listening.saturated)
            self._queue_surplus = connections.surplus if queued else 0

    def take_in(self, arrivals: List[int]) -> None:
        """Accept from these listeners, or leave that to siblings; look whether anybody waits where nobody is free."""
        listening = self._listening
        if listening.outdated is not None and (arrivals or listening.probing()) and listening.holds():
            return
        for fd in arrivals:
            if not listening.leaves(fd, len(self._connections.open)):
                self.accept(fd)
        if listening.probing():
            for fd, most in listening.probe(self._connections.answering.ended()):
                self.accept(fd, most)

    def accept(self, fd: int, most: int = 0) -> int:
        """Accept at most so many, and return how many; 0: a few, since what is left wakes a sibling, or us again."""
        connections = self._connections
        if not most:
            alone = self._listening.siblings.alone()
            most = _ACCEPTS_ALONE if alone else min(_ACCEPTS, connections.answering.places())
            most = min(most, connections.answering.remaining())
        left = self.most_connections - len(connections.open)
        now_ns = self._clock()
        found = self._listening.accept(fd, connections.trust, max(1, min(most, left)))
        for connection in found:
            connections.open[connection.fd] = connection
            connection.begun_ns = now_ns
            # Most clients send at once: look before epoll is asked to watch.
            self._ready.append((connection, 0 if connection.data else select.EPOLLIN))
        return len(found)

    def _make_room(self) -> bool:
        """If somebody waits while all places are taken, end some connections: see room."""
        if not self._listening.anybody_waits():
            return False
        connections = self._connections
        ended = room.to_end(connections.open.copy().values(), self.most_connections, self._clock())
        for connection in ended:
            if connection.state == BODY:
                connections.abandon(connection)
            else:
                connections.close(connection)
        return bool(ended)


def _most_connections() -> int:
    """As many as descriptors allow, leaving the application half of them up to a reserve of a thousand."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 65536
    return max(8, min(65536, max(soft // 2, soft - 1000)))
