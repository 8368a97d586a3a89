"""Events of slow requests: at most one a minute for a group, with how many there were. In the manager's only thread."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.manager.core.happenings import Happening

if TYPE_CHECKING:
    from collections.abc import Iterator

PAUSE_S = 60.0
_MOST = 10**9  # a tenant's word, which may be any number


@dataclass(slots=True)
class SlowTold:
    """What has been told of each group. Counts are those of the boards, which only grow during a life."""

    _seen: dict[int, int] = field(default_factory=dict)  # by life
    _new: dict[str, int] = field(default_factory=dict)  # by group
    _told_s: dict[str, float] = field(default_factory=dict)

    def note(self, group: str, life: int, count: int) -> None:
        """Take in what the board of a process says."""
        new = count - self._seen.get(life, 0)
        if new > 0:
            self._new[group] = min(_MOST, self._new.get(group, 0) + new)
            self._seen[life] = count

    def forget(self, life: int) -> None:
        """It is over."""
        self._seen.pop(life, None)

    def due(self, now_s: float) -> Iterator[Happening]:
        """Give the events whose time has come. now_s: monotonic."""
        for group, count in list(self._new.items()):
            if now_s - self._told_s.get(group, -PAUSE_S) < PAUSE_S:
                continue
            del self._new[group]
            self._told_s[group] = now_s
            requests = "request" if count == 1 else "requests"
            yield Happening("slow", f"{count} {requests} took longer than slow-request: the log has each", group)
