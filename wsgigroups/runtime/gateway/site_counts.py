"""How many requests each site has had, in a page that the manager made: it reads what a process writes there.

Words of 64 bits, of this machine. The first one says that the page is in use; behind it each site has one, in the
order of the routes that it was made for. The loop's, but for `__init__`. Counts are of the process: a page that takes
the place of another goes on with its numbers.
"""

from __future__ import annotations

import mmap
from typing import Dict, Iterable, Optional

from ..originals import os
from ..wire.routes import counts_bytes


class SiteTally:
    """Counts by the keys that sites have in the routes."""

    __slots__ = ("_map", "_places", "_words")

    def __init__(self, keys: Iterable[str], fd: int = -1) -> None:
        """fd: of the page, the caller's; -1: nobody reads it. Raises OSError, ValueError for one that is too short."""
        self._places: Dict[str, int] = {key: number for number, key in enumerate(keys, 1)}
        size = counts_bytes(len(self._places))
        self._map: Optional[mmap.mmap] = None
        if fd >= 0:
            if os.fstat(fd).st_size < size:
                raise ValueError("the page for counts of %d sites is too short" % len(self._places))
            self._map = mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._words = memoryview(bytearray(size) if self._map is None else self._map).cast("Q")

    def count(self, key: str) -> None:
        """Add a request of a site. One that is not among them any more is not counted."""
        place = self._places.get(key)
        if place is not None:
            self._words[place] += 1

    def take_over(self, before: "SiteTally") -> None:
        """Go on with the numbers of another page, from now on in the place of that."""
        for key, place in before._places.items():
            number = before._words[place]
            if number and key in self._places:
                self._words[self._places[key]] = number
        self._words[0] = 1

    def of(self, key: str) -> int:
        """Return how many requests a site has had."""
        place = self._places.get(key)
        return 0 if place is None else self._words[place]

    def close(self) -> None:
        """Let go of the page."""
        self._words.release()
        if self._map is not None:
            self._map.close()
