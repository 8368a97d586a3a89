"""The facts that metrics are made of: read from boards, /proc and the core's state. Decides nothing.

Runs in the manager's only thread. Each group is read in one go, so that a process that ends is counted once: as one
that runs, or among those that have ended. Between groups others have their turn.
"""

from __future__ import annotations

import os
import platform
import time
from typing import TYPE_CHECKING

import wsgigroups
from wsgigroups.lifecycle.status import PROCESS_STATE
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.control.views import state_of
from wsgigroups.manager.supervision import reachable
from wsgigroups.manager.supervision.vitals import Usage, usage
from wsgigroups.metrics.facts import GroupFacts, ManagerFacts, ProcessFacts
from wsgigroups.plan.routing import GATEWAY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.lifecycle.step import Record
    from wsgigroups.manager.core.model import GroupState
    from wsgigroups.manager.supervision.shell import Shell


def group_facts(shell: Shell, group: GroupState) -> GroupFacts:
    """Read one group."""
    return GroupFacts(
        name=group.target.name,
        state=state_of(group, reached=not reachable.unreachable(shell, group.target.name)),
        processes_wanted=group.wanted,
        processes_ready=sum(record.state is Tenancy.READY for record in group.records),
        threads=group.target.spec.serving.threads,
        restarts=group.restarts,
        rolling=group.rolling and bool(group.wanted),
        proved=not group.unproved,
        ended=group.ended,
        processes=tuple(_process_facts(shell, r) for r in group.records if r.live and PROCESS_STATE[r.state]),
        molds_rss_bytes=sum(usage(mold.pid, pss=False).rss_bytes for mold in shell.molds.of(group.target.name)),
        molds_pss_bytes=sum(shell.weighing.of(mold.number, mold.pid) for mold in shell.molds.of(group.target.name)),
    )


def _process_facts(shell: Shell, record: Record) -> ProcessFacts:
    process = shell.processes.get(record.life)
    if process is None:
        return ProcessFacts(record.slot, record.life)
    snapshot = None if process.exited else process.snapshot()
    used = usage(process.pid, pss=False) if process.pid else Usage()
    return ProcessFacts(
        slot=record.slot,
        life=record.life,
        words=snapshot.values if snapshot else {},
        cpu_s=used.cpu_s,
        rss_bytes=used.rss_bytes,
        pss_bytes=shell.weighing.of(record.life, process.pid) if process.pid else 0,
        utilisation=shell.utilisation.of(record.life),
        uptime_s=round(time.monotonic() - record.spawned_at, 1) if record.spawned_at is not None else 0.0,
    )


def manager_facts(shell: Shell, started_at: float) -> ManagerFacts:
    """Read the manager itself. started_at: monotonic seconds."""
    used = usage(os.getpid(), pss=False)
    return ManagerFacts(
        version=wsgigroups.__version__,
        python=platform.python_version(),
        revision=shell.state.revision,
        uptime_s=round(time.monotonic() - started_at, 1),
        handovers=shell.outside.handovers,
        stopping=shell.state.stopping,
        cpu_s=used.cpu_s,
        rss_bytes=used.rss_bytes,
    )


def certificates(shell: Shell, now_s: float) -> Mapping[str, float]:
    """Seconds that are left of each certificate in use, by its file. now_s: since the epoch."""
    group = shell.state.groups.get(GATEWAY)
    routing = group.target.routing if group else None
    if routing is None:
        return {}
    return {item.certificate: round(item.expires_at - now_s, 1) for item in routing.certificates}
