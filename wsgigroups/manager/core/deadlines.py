"""When time alone makes something happen to a group. Pure, but for what is remembered between two looks.

A manager looks after every event, and an event touches one group of a thousand: only what has changed is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.manager.core import haste

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from wsgigroups.manager.core.model import GroupState


def deadline_of(group: GroupState) -> float | None:
    """When a Tick should come for this group at the latest, on the monotonic clock."""
    times = [record.deadline for record in group.records if record.deadline is not None]
    if group.look_at is not None:
        times.append(group.look_at)
    if group.held:
        times += haste.next_wish(group)
    return min(times, default=None)


def earliest(*times: float | None) -> float | None:
    """Return the first of those that there are."""
    return min((time for time in times if time is not None), default=None)


@dataclass(slots=True)
class GroupDeadlines:
    """Those of all groups. Group states are frozen: the same object has the same deadline."""

    _seen: dict[str, GroupState] = field(default_factory=dict)
    _due: dict[str, float] = field(default_factory=dict)  # of groups that have one
    _latest: Mapping[str, GroupState] | None = None  # what was looked at last

    def next(
        self,
        groups: Mapping[str, GroupState],
        before: Mapping[str, GroupState] | None = None,
        touched: Collection[str] = (),
    ) -> float | None:
        """When Tick should be sent at the latest.

        before, touched: what these groups were before some of them were touched; where that was looked at last, only
        those are looked at.
        """
        seen, due = self._seen, self._due
        names = touched if before is not None and before is self._latest else groups
        self._latest = groups
        for name in names:
            group = groups.get(name)
            if group is not None and seen.get(name) is not group:
                seen[name] = group
                deadline = deadline_of(group)
                if deadline is None:
                    due.pop(name, None)
                else:
                    due[name] = deadline
        if len(seen) > len(groups):
            for name in seen.keys() - groups.keys():
                del seen[name]
                due.pop(name, None)
        return min(due.values(), default=None)
