"""Directories with socket files: whether a name in one may have changed since the last look. In the only thread.

One look at a directory takes the place of two at each file in it. A change of a name changes the time of its directory
(st_ctime, inode(7)), which nobody can set. A clock that has ticked since is what proves that nothing came after a look,
so a directory that was changed just now is looked into once more.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_SETTLED_NS = 2_000_000_000  # far more than a tick of the kernel's clock
_Mark = tuple[int, int, int]


class Directories:
    """What was seen of them, and whose files they have."""

    def __init__(self) -> None:
        self._seen: dict[str, _Mark] = {}
        self._groups: Mapping[str, object] = {}
        self._users: dict[str, list[str]] = {}
        self.waiting: set[str] = set()  # groups whose lost files could not be made again yet

    def follow(self, groups: Mapping[str, object], directories_of: Callable[[str], Iterable[str]]) -> None:
        """Go by these groups from now on; the very same ones have files where they had."""
        if groups is self._groups:
            return
        self._groups, self._users = groups, {}
        for name in groups:
            for path in directories_of(name):
                self._users.setdefault(path, []).append(name)
        self._seen = {path: mark for path, mark in self._seen.items() if path in self._users}

    def changed(self) -> set[str]:
        """Return the groups with a file in a directory that is another one, or where a name may have come or gone."""
        return {name for path, names in self._users.items() if self._may_have_changed(path) for name in names}

    def _may_have_changed(self, path: str) -> bool:
        before = self._seen.pop(path, None)
        try:
            found = os.stat(path)
        except OSError:
            return True
        mark = found.st_dev, found.st_ino, found.st_ctime_ns
        if abs(time.time_ns() - found.st_ctime_ns) > _SETTLED_NS:
            self._seen[path] = mark
        return mark != before
