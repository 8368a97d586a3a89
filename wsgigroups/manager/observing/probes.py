"""What probes are answered: pure questions about the state of the manager. Each answer is the reasons against.

Alive is who answers at all. Ready is about what should be sent here from now on, serving about what would be answered
if it came: a manager that stops is not ready from the first moment, and serves until its last process has left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.lifecycle.table import Tenancy

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.manager.core.model import GroupState, State

SHOWN = 20  # groups that are named

NO_GROUP = "there is no such group"


def not_ready(state: State, *, begun: bool) -> list[str]:
    """Why no more requests should be sent here. begun: what the manager was started with is under way."""
    if state.stopping:
        return ["everything is being stopped"]
    if not begun:
        return ["the manager is starting"]
    found = [text for _name, group in sorted(state.groups.items()) if group.wanted and (text := _lacks(group))]
    more = len(found) - SHOWN
    return [*found[:SHOWN], *([f"and {more} more groups"] if more > 0 else [])]


def group_not_ready(state: State, name: str) -> list[str]:
    """Why no more requests should be sent to a group; NO_GROUP alone where there is none of this name."""
    group = state.groups.get(name)
    if group is None:
        return [NO_GROUP]
    if state.stopping or group.removing:
        return [f"{name} is being stopped"]
    if group.asleep:
        return []  # who asks for something has a process started
    if not group.wanted:
        return [f"{name} is stopped"]
    text = _lacks(group)
    return [text] if text else []


def _lacks(group: GroupState) -> str:
    if any(record.state is Tenancy.READY for record in group.records):
        return ""
    return f"{group.target.name} has none of {group.wanted} processes ready"


def not_serving(state: State, accepts: Callable[[int], bool]) -> list[str]:
    """Why nobody would be answered. accepts: whether a life that leaves takes connections still."""
    for group in state.groups.values():
        if group.asleep and not state.draining:
            return []
        for record in group.records:
            if record.state is Tenancy.READY or (record.state is Tenancy.DRAINING and accepts(record.life)):
                return []
    return ["no process takes requests"]
