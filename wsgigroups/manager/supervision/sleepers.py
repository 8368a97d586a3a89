"""Groups without any process, whose listeners the manager watches: who connects has one started.

Runs in the manager's only thread. The manager accepts nothing: the connection waits in the listener's queue for the
process. Its own epoll is made anew whenever other sockets are to be watched, so that none is that was closed.
"""

from __future__ import annotations

import asyncio
import os
import select
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wsgigroups.manager.core.model import GroupState
    from wsgigroups.manager.supervision.listeners import Listeners

_Socket = tuple[str, int, int]  # group, descriptor, number of the socket


@dataclass(slots=True)
class Sleepers:
    """`look` says which are to be watched; `woken` is called with the name of a group that somebody connects to."""

    listeners: Listeners
    woken: Callable[[str], None]
    _watched: frozenset[_Socket] = frozenset()
    _groups: dict[int, str] = field(default_factory=dict)  # by descriptor
    _epoll: select.epoll | None = None

    def look(self, groups: Mapping[str, GroupState]) -> None:
        """Watch the listeners of these groups that are asleep, and no others."""
        wanted = frozenset(
            (name, held.sock.fileno(), os.fstat(held.sock.fileno()).st_ino)
            for name, group in groups.items()
            if group.asleep and group.follows_load
            for held in self.listeners.of(name).values()
        )
        if wanted == self._watched:
            return
        self.close()
        self._watched = wanted
        self._groups = {fd: name for name, fd, _number in wanted}
        if wanted:
            self._epoll = select.epoll()
            for fd in self._groups:
                self._epoll.register(fd, select.EPOLLIN)
            asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._connected)

    def close(self) -> None:
        """Watch nothing."""
        if self._epoll is not None:
            asyncio.get_running_loop().remove_reader(self._epoll.fileno())
            self._epoll.close()
        self._epoll, self._watched, self._groups = None, frozenset(), {}

    def _connected(self) -> None:
        assert self._epoll is not None
        names = {self._groups[fd] for fd, _events in self._epoll.poll(0)}
        self.close()  # what sleeps on is watched again at the next look
        for name in sorted(names):
            self.woken(name)
