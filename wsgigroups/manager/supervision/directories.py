"""Directories with socket files: whether a name in one may have changed since the last look. In the only thread.

One look at a directory takes the place of two at each file in it. A change of a name changes the time of its directory
(st_ctime, inode(7)), which nobody can set. A clock that has ticked since is what proves that nothing came after a look,
so a directory that was changed just now is looked into once more.
"""

from __future__ import annotations

import os
import time

_SETTLED_NS = 2_000_000_000  # far more than a tick of the kernel's clock
_Mark = tuple[int, int, int]


class Directories:
    """What was seen of them."""

    def __init__(self) -> None:
        self._seen: dict[str, _Mark] = {}
        self._answers: dict[str, bool] = {}

    def begin(self) -> None:
        """Begin a round: each directory is looked at once in it."""
        for path in self._seen.keys() - self._answers:
            del self._seen[path]  # nobody has asked for it in the last one
        self._answers = {}

    def may_have_changed(self, path: str) -> bool:
        """Whether it is another one, or a name in it may have come or gone since the former round."""
        known = self._answers.get(path)
        if known is None:
            known = self._answers[path] = self._look(path)
        return known

    def _look(self, path: str) -> bool:
        before = self._seen.pop(path, None)
        try:
            found = os.stat(path)
        except OSError:
            return True
        mark = found.st_dev, found.st_ino, found.st_ctime_ns
        if abs(time.time_ns() - found.st_ctime_ns) > _SETTLED_NS:
            self._seen[path] = mark
        return mark != before
