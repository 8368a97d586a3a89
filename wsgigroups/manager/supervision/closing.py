"""When a group's listeners are closed: those that nobody wants any more, and all at a stop, once what waits is taken.

Runs in the manager's only thread.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import leaving
from wsgigroups.manager.supervision.processes import accepting
from wsgigroups.plan.rollout import LEAVING
from wsgigroups.runtime.wire import messages

if TYPE_CHECKING:
    from wsgigroups.lifecycle.step import Record
    from wsgigroups.manager.supervision.processes import Process
    from wsgigroups.manager.supervision.shell import Shell

REFUSE_S = 0.25  # for the processes of a group that is stopped to take the connections that wait
LET_GO_S = 2.0  # … and so much more where one has not let go: what waits would be reset
_LOOK_S = 0.02


def drain(shell: Shell, process: Process, record: Record) -> None:
    """Have a process leave, and its group's listeners closed when it is time."""
    of = shell.state.groups.get(record.group)
    followed = bool(of and not of.shut)  # else nobody serves its addresses on
    closes = not followed and _closes_behind_it(shell, record)
    process.send(messages.Drain(record.life, record.reason, record.window_s, followed, closes))
    after = partial(release_unwanted, shell) if followed else partial(_refuse, shell)
    process.accepts_for(REFUSE_S + record.window_s, after)


def release_unwanted(shell: Shell, group: str) -> None:
    """Close the listeners that the target in force does not name, once no process has a use for them."""
    state = shell.state.groups.get(group)
    if state is None:
        return
    current = state.target.fingerprint
    former = any(r.live and r.fingerprint != current and accepting(shell.processes, r.life) for r in state.records)
    stopped = state.shut and not state.records  # until it is started, whoever connects is refused
    transaction = shell.state.transaction
    if former or (not stopped and (state.fallback or (transaction and group in transaction.former))):
        return  # it may have to be what it was
    wanted = set() if stopped else {target.address for target in state.target.listeners}
    if unwanted := [address for address in shell.listeners.of(group) if address not in wanted]:
        forget(shell, group, unwanted)


def forget(shell: Shell, group: str, addresses: list[str]) -> None:
    """Close listeners of a group, and have nobody keep them."""
    shell.listeners.release(group, addresses, ending=shell.state.stopping)
    shell.keeping.forget_listeners(group, addresses)


def _closes_behind_it(shell: Shell, record: Record) -> bool:
    """Whether this life takes what waits for its group at the end of everything, and closes the listeners then.

    The manager's own closing, once it sees that all have let go, comes too late for whoever connects meanwhile.
    """
    group = shell.state.groups.get(record.group)
    if group is None or not shell.state.draining or not shell.listeners.has_alone(record.group):
        return False
    served = [r.life for r in group.records if r.state is Tenancy.DRAINING and r.ready_at is not None]
    return bool(served) and record.life == max(served)


def _refuse(shell: Shell, group: str, until: float | None = None) -> None:
    """Close the listeners of a group that takes no requests any more: who connects shall not wait in vain.

    until: for how long to wait for those that have not let go yet, on the monotonic clock.
    """
    state, now = shell.state.groups.get(group), time.monotonic()
    if not (state and state.shut and all(record.state in LEAVING for record in state.records)):
        return
    until = now + LET_GO_S if until is None else until
    if now < until and leaving.may_accept(state, now):
        asyncio.get_running_loop().call_later(_LOOK_S, _refuse, shell, group, until)
        return
    forget(shell, group, list(shell.listeners.of(group)))
