"""What a spawner remembers: processes it forked, exits nobody acknowledged, and things kept for the next manager.

Runs in the spawner's only thread. A registry only: it forks, reaps and signals nothing. Every descriptor in it is
owned by it and closed when its record goes.
"""

from __future__ import annotations

import os
import select
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, List, Optional, Tuple

from ..wire.board import read
from ..wire.messages import Exited

MAXIMUM_EXITS = 4096  # the oldest is forgotten; a manager that never acknowledges must not make us grow


@dataclass
class Child:
    """A live process forked here; descriptors in the order in which a manager gets them."""

    life: int
    pid: int
    info: Dict[str, Any]
    pidfd: int
    channel: int  # the manager's end; -1 where the manager keeps it elsewhere, as the reports
    reports: int  # the read end; nobody reads it here
    board: int

    def descriptors(self) -> List[int]:
        """Return [pidfd, manager's end of the channel, read end of the reports, board]."""
        return [fd for fd in (self.pidfd, self.channel, self.reports, self.board) if fd >= 0]

    @property
    def threads(self) -> int:
        """How many request threads it has, as its Fork said; 0 where it did not."""
        threads = self.info.get("threads", 0)
        return threads if isinstance(threads, int) else 0

    def words(self) -> Dict[str, int]:
        """Return the words of its board, untrusted integers; none for one that was overwritten."""
        try:
            return read(self.board, 0).values
        except (OSError, ValueError):
            return {}


@dataclass
class Item:
    """Something a manager asked to keep."""

    info: Dict[str, Any]
    descriptors: List[int] = field(default_factory=list)


class Registry:
    """Children by pid, kept items by (kind, key), exits by life."""

    def __init__(self) -> None:
        self._children: Dict[int, Child] = {}
        self._items: Dict[Tuple[str, str], Item] = {}
        self._exits: "OrderedDict[int, Exited]" = OrderedDict()

    def __len__(self) -> int:
        return len(self._children)

    def children(self) -> Iterator[Child]:
        """Give the live processes in the order of their forks."""
        return iter(list(self._children.values()))

    def items(self) -> Iterator[Tuple[str, str, Item]]:
        """Give (kind, key, item) of everything kept."""
        return iter([(kind, key, item) for (kind, key), item in self._items.items()])

    def exits(self) -> Iterator[Exited]:
        """Give the exits that no manager has acknowledged, oldest first."""
        return iter(list(self._exits.values()))

    def has_life(self, life: int) -> bool:
        """Tell whether a live process already has this number."""
        return any(child.life == life for child in self._children.values())

    def has_process(self, pid: int) -> bool:
        """Tell whether a process was forked here and not reaped yet."""
        return pid in self._children

    def pids(self) -> List[int]:
        """Return the processes that were forked here and not reaped yet."""
        return list(self._children)

    def dead(self) -> List[Child]:
        """Give the processes that have ended and wait to be reaped (pidfd_open(2): a pidfd becomes readable)."""
        poller = select.poll()
        by_pidfd = {child.pidfd: child for child in self._children.values()}
        for pidfd in by_pidfd:
            poller.register(pidfd, select.POLLIN)
        return [by_pidfd[pidfd] for pidfd, _events in poller.poll(0)]

    def add(self, child: Child) -> None:
        """Remember a process just forked."""
        self._children[child.pid] = child

    def remove(self, pid: int) -> Optional[Child]:
        """Forget a process that is being reaped; None when it was none of ours. The caller closes it."""
        return self._children.pop(pid, None)

    def ended(self, exited: Exited) -> None:
        """Remember an exit until it is acknowledged."""
        self._exits[exited.life] = exited
        while len(self._exits) > MAXIMUM_EXITS:
            self._exits.popitem(last=False)

    def keep(self, kind: str, key: str, item: Item) -> None:
        """Keep an item; the same key again replaces, closing what was there."""
        self.drop(kind, key)
        self._items[kind, key] = item

    def drop(self, kind: str, key: str) -> None:
        """Forget a kept item, or acknowledge the exit of the life `key`; unknown ones are no error."""
        item = self._items.pop((kind, key), None)
        if item is not None:
            close(item.descriptors)
        if kind == "process" and key.isdigit():
            self._exits.pop(int(key), None)


def close(descriptors: List[int]) -> None:
    """Close all of them."""
    for fd in descriptors:
        os.close(fd)
