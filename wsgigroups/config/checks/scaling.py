"""Options of processes that follow the load against each other. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config.counted_kinds import AUTO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsgigroups.config.models.group import Group
    from wsgigroups.config.models.server import ServerDefaults

_RULES = ("target-utilisation", "queue-target", "scale-down-delay")


def follows_load(group: Group) -> bool:
    """Whether the number of the group's processes changes by itself."""
    return group.processes_min is not None or group.processes_max is not None


def check_scaling(group: Group, _server: ServerDefaults) -> Iterator[tuple[str, str, str, str | None]]:
    """Yield code, option, message and hint."""
    least, most = group.processes_min, group.processes_max
    if not follows_load(group):
        for option in _RULES:
            if group.is_set(option):
                message = f"{option} decides nothing: without processes-min and processes-max their number is fixed"
                yield "WG0533", option, message, "set processes-max, or leave it out"
        return
    if least is not None and most is not None and least > most:
        message = f"processes-min is {least}, processes-max is {most}: no number is both"
        yield "WG0532", "processes-min", message, f"set processes-min to {most} or less"
    elif group.processes != AUTO and (group.is_set("processes") or most is None):
        if least is not None and least > group.processes:
            message = f"the group begins with {group.processes} processes, and processes-min is {least}"
            yield "WG0532", "processes-min", message, "set processes-max, and processes between the two"
        if most is not None and most < group.processes:
            message = f"the group begins with processes = {group.processes}, and processes-max is {most}"
            yield "WG0532", "processes-max", message, f"set processes to {most} or less, or leave it out"
