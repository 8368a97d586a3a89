"""Telling a gateway's processes what a certificate authority will look for, beside the routes that they have.

Runs in the manager's only thread. No target has it, so that neither a plan nor an apply sees anything of it.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from wsgigroups.manager.supervision import live, routing
from wsgigroups.plan.routing import GATEWAY
from wsgigroups.runtime.wire import board

if TYPE_CHECKING:
    from wsgigroups.manager.supervision.processes import Process
    from wsgigroups.manager.supervision.shell import Shell
    from wsgigroups.runtime.wire.routes import Challenges


def all_ready(shell: Shell) -> bool:
    """Whether the gateway has processes, and all of them answer clients."""
    found = [process.snapshot() for process in _processes(shell) if not process.exited]
    return bool(found) and all(item is not None and item["state"] == board.STATE["ready"] for item in found)


async def publish(shell: Shell, challenges: Challenges) -> str:
    """Have all processes of the gateway answer so, also those that are to come; return why one does not, or ""."""
    shell.published.challenges = challenges
    group = shell.state.groups.get(GATEWAY)
    if group is None:
        return "there is no gateway any more"
    for process in _processes(shell):
        why = routing.tell(process, group.target, shell.logs, shell.published)
        if why:
            return why
    return await taken_over(shell)


async def taken_over(shell: Shell) -> str:
    """Wait until all processes of the gateway go by what they were told; return why one does not, or ""."""
    waiting = _processes(shell)
    until = time.monotonic() + live.TAKE_OVER_S
    while waiting := [process for process in waiting if not live.taken_over(process)]:
        if any(routing.refuses(process) for process in waiting):
            return routing.UNUSABLE
        if time.monotonic() >= until:
            return f"the gateway does not go by new routes within {live.TAKE_OVER_S:g} s"
        await asyncio.sleep(live.LOOK_S)
    return ""


def _processes(shell: Shell) -> list[Process]:
    group = shell.state.groups.get(GATEWAY)
    lives = [record.life for record in group.records if record.live] if group else []
    return [shell.processes[life] for life in lives if life in shell.processes]
