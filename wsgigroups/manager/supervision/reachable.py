"""Socket files that somebody has removed or replaced while their groups serve: bound again, and given to successors.

A UNIX socket cannot get another name, so what is bound again is another socket, which the processes in place do not
have. They serve on what has connected to the former one until their successors are ready. Runs in the manager's only
thread, every few seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.core import model

if TYPE_CHECKING:
    from wsgigroups.manager.supervision.shell import Shell


def look(shell: Shell) -> None:
    """Bind again what is lost; what cannot be is told once, shown in `status`, and tried again the next time."""
    if shell.state.draining:
        return
    shell.directories.follow(shell.state.groups, shell.listeners.directories)
    waiting, shell.directories.waiting = shell.directories.waiting, set()
    for name in sorted(shell.directories.changed() | waiting | {name for name, _address in shell.unreachable}):
        group = shell.state.groups.get(name)
        lost = shell.listeners.lost(name)
        if group is None or not lost:
            continue
        if group.bare or group.shut:
            shell.directories.waiting.add(name)
            continue
        renewed = []
        for address in lost:
            try:
                shell.listeners.bind_again(name, address)
            except WsgigroupsError as error:
                if shell.unreachable.get((name, address)) != error.message:
                    shell.outside.log("error", f"{address} of {name} was lost: {error.message}; it is tried again")
                shell.unreachable[name, address] = error.message
            else:
                shell.unreachable.pop((name, address), None)
                renewed.append(address)
        if renewed:
            text = (
                f"{name}: the file of {', '.join(renewed)} was lost: it is made again, and the processes are replaced"
            )
            shell.outside.log("warning", text)
            shell.dispatch(model.ListenersRenewed(name))


def unreachable(shell: Shell, name: str) -> dict[str, str]:
    """The addresses at which nobody can connect to a group that should serve, each with the reason."""
    group = shell.state.groups[name]
    if group.shut:
        return {}
    found = shell.listeners.unreachable(name, group.target.spec.listen)
    return {address: shell.unreachable.get((name, address), why) for address, why in found.items()}
