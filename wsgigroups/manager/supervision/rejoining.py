"""A spawner that lives and whose connection was lost: what it tells, reached again, is compared with what is known.

Runs in the manager's only thread. Messages that were on their way are lost with a connection, so that an answer may be
missing on either side.
"""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

from wsgigroups.manager.core import model
from wsgigroups.manager.supervision.connected_spawners import close_all

if TYPE_CHECKING:
    from wsgigroups.manager.supervision.connected_spawners import ConnectedSpawner, Inventory
    from wsgigroups.manager.supervision.shell import Shell


def rejoin(shell: Shell, spawner: ConnectedSpawner, inventory: Inventory) -> None:
    """Take up what a spawner has forked meanwhile, and ask again for what it has not."""
    shell.outside.log(
        "warning", f"spawner {spawner.key} (pid {spawner.pid}) closed the connection and was reached again"
    )
    asked = {
        life: process
        for life, process in shell.processes.items()
        if process.forked_by == spawner.key and not process.exited and process.pid == 0
    }
    for kept, fds in inventory.kept:
        life = int(kept.key) if kept.kind == "process" and kept.key.isdigit() else 0
        process = asked.pop(life, None)
        if process and fds:
            process.watch(int(kept.info["pid"]), fds.pop(0))
            shell.forking.begin(process)
        elif life and life not in shell.processes and kept.info.get("forked_here", True):
            end_unwanted(shell, life, int(kept.info["pid"]), *fds[:1])
        close_all(fds)
    for exited in inventory.exited:
        asked.pop(exited.life, None)
        shell.take_exit(spawner, exited)
    for life in asked:
        not_forked(shell, life, "the spawner did not get the request: its connection was lost")


def not_forked(shell: Shell, life: int, why: str, *, accident: bool = True) -> None:
    """Ask for another process: should there be one that nobody told of, it sees the end of its channel and leaves."""
    shell.processes.pop(life).close()
    shell.dispatch(model.LifeRefused(life, why, accident=accident))


def end_unwanted(shell: Shell, life: int, pid: int, pidfd: int = -1) -> None:
    """SIGKILL a process that nobody waits for any more: it has no specification and will never have one."""
    shell.outside.log("info", f"life={life} pid={pid} was forked when nobody wanted it any more: it is ended")
    if pidfd >= 0:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
