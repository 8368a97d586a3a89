"""What the core is told of replacements: answers of new and old processes, and memory for more of them.

Runs in the manager's only thread: before what replaces processes, when new ones have lasted, and once a second while
processes are replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model, watching
from wsgigroups.manager.supervision import memory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wsgigroups.manager.supervision.processes import Process
    from wsgigroups.manager.supervision.shell import Shell


def look(shell: Shell) -> bool:
    """Tell of every rollout that is under way; return whether there is one."""
    names = [name for name, group in shell.state.groups.items() if group.rolling]
    for name in names:
        group = shell.state.groups.get(name)
        if group is not None and group.rolling:
            shell.dispatch(_counted(group, shell.processes))
    for event in rooms(shell.state, names):
        shell.dispatch(event)
    return bool(names)


def before(state: model.State, event: model.Event, now: float) -> list[model.RoomFound]:
    """What has to be known before an event that has processes replaced is handled. now: on the monotonic clock."""
    return rooms(state, watching.wanting_room(state, event, now))


def due(state: model.State, processes: Mapping[int, Process], event: model.Event, now: float) -> list[model.Event]:
    """Answers of the rollouts that may go on now that new processes have lasted: the first ones decide as they are."""
    if not isinstance(event, model.Tick):
        return []
    groups = [g for g in state.groups.values() if g.look_at is not None and g.look_at <= now and g.rolling]
    return [_counted(group, processes) for group in groups]


def rooms(state: model.State, names: Iterable[str]) -> list[model.RoomFound]:
    """For how many more processes of each group there is memory, where that can be known."""
    groups = [state.groups[name] for name in names if name in state.groups]
    if not any(record.live for group in groups for record in group.records):
        return []
    left_bytes = memory.left()
    found = ((group.target.name, memory.room(group, left_bytes)) for group in groups)
    return [model.RoomFound(name, processes) for name, processes in found if processes is not None]


def _counted(group: model.GroupState, processes: Mapping[int, Process]) -> model.RolloutCounted:
    ready = [record for record in group.records if record.state is Tenancy.READY]
    new = _answers(processes.get(record.life) for record in ready if group.is_new(record))
    old = _answers(processes.get(record.life) for record in ready if not group.is_new(record))
    return model.RolloutCounted(group.target.name, new, old)


def _answers(processes: Iterable[Process | None]) -> model.Answers:
    requests = errors = 0
    for process in processes:
        snapshot = process.snapshot() if process else None
        if snapshot is not None:
            requests += snapshot["requests_total"]
            errors += min(snapshot["status_5xx"], snapshot["requests_total"])
    return model.Answers(requests, errors)
