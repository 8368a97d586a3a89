"""The pages on which one gateway process counts the requests of each site (runtime/gateway/site_counts.py).

Runs in the manager's only thread. A page is of the sites of one set of routes; one more is sent with each other set,
and is in use when the process says so on it. What stands there is the word of a process that strangers speak with.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.runtime.wire import board
from wsgigroups.runtime.wire.routes import counts_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class _Page:
    keys: tuple[str, ...]
    fd: int

    def words(self) -> memoryview | None:
        """What stands there, None as long as it is not in use."""
        size = counts_bytes(len(self.keys))
        with contextlib.suppress(OSError):
            found = os.pread(self.fd, size, 0)
            if len(found) == size:
                words = memoryview(found).cast("Q")
                return words if words[0] else None
        return None


@dataclass(slots=True)
class SitePages:
    """Of one process; the descriptors are its own."""

    _pages: list[_Page] = field(default_factory=list)  # the one in use, and one that was sent behind it

    def __bool__(self) -> bool:
        """Whether one was sent."""
        return bool(self._pages)

    def make(self, keys: Sequence[str]) -> int:
        """Return the descriptor of a page for these sites, to be sent, which stays ours. Raises OSError."""
        fd = board.create_sealed("wsgigroups-site-counts", counts_bytes(len(keys)), b"")
        used = self._in_use()[0]
        self._keep(self._pages[used : used + 1])
        self._pages.append(_Page(tuple(keys), fd))
        return fd

    def read(self) -> dict[str, int]:
        """Return the requests of each site that has had any, by its key."""
        used, words = self._in_use()
        if words is None:
            return {}
        self._keep(self._pages[used:])
        return {key: number for key, number in zip(self._pages[0].keys, words[1:], strict=True) if number}

    def close(self) -> None:
        """Close them."""
        self._keep([])

    def _in_use(self) -> tuple[int, memoryview | None]:
        """The place of the last page that is in use, and its words."""
        for place in range(len(self._pages) - 1, -1, -1):
            words = self._pages[place].words()
            if words is not None:
                return place, words
        return 0, None

    def _keep(self, pages: list[_Page]) -> None:
        for page in self._pages:
            if page not in pages:
                os.close(page.fd)
        self._pages = pages
