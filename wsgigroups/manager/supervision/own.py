"""Which processes are the manager's own: spawners, helpers, and the lives that it knows.

Runs in the manager's only thread, whenever somebody looks for what is left of a life.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wsgigroups.manager.supervision.cgroups.strays import Spared, adopted, below, look

if TYPE_CHECKING:
    from wsgigroups.manager.supervision.shell import Shell


def movable(shell: Shell) -> set[int]:
    """Spawners, and what they and this manager have just started: helpers, daemons that are not in place yet."""
    ours = _spawner_pids(shell)
    return ours | below({os.getpid(), *ours}, look())


def spared(shell: Shell) -> Spared:
    """Who is no stray, whatever it looks like."""
    return Spared(
        manager=os.getpid(),
        lives=frozenset(process.pid for process in shell.processes.values() if process.pid > 0),
        spawners=frozenset(_spawner_pids(shell)),
        adopted=adopted(),
        molds=frozenset(shell.molds.pids().values()),
    )


def _spawner_pids(shell: Shell) -> set[int]:
    kept = {spawner.pid for spawner in shell.pool.all()}
    users = {spawner.pid for spawner in shell.pool.users()}
    return kept | users | shell.pool.child_pids() | shell.unserved.child_pids() | shell.logs.writer.child_pids()
