"""Who operates which groups, by `operators` of the targets in force. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.plan.desired import OperatorsTarget

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from wsgigroups.manager.core.model import GroupState


def operated(groups: Mapping[str, GroupState], uid: int, gids: Collection[int]) -> frozenset[str]:
    """Return the groups that this user, a member of these groups of users, operates."""
    return frozenset(
        name
        for name, group in groups.items()
        if uid in group.target.operators.uids or not group.target.operators.gids.isdisjoint(gids)
    )


def all_operators(groups: Mapping[str, GroupState]) -> OperatorsTarget:
    """Return everybody who operates any group."""
    found = [group.target.operators for group in groups.values()]
    return OperatorsTarget(
        frozenset().union(*(item.uids for item in found)), frozenset().union(*(item.gids for item in found))
    )
