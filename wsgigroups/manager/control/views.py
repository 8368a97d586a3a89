"""What the control API shows: documents from the core's state, boards and /proc. Decides nothing.

Runs in the manager's only thread.
"""

from __future__ import annotations

import os
import time
from types import MappingProxyType
from typing import TYPE_CHECKING

import wsgigroups
from wsgigroups.lifecycle.status import PROCESS_STATE, group_state
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.control import confined, figures, showing_scaling
from wsgigroups.manager.control.documents import (
    ChangedGroupDocument,
    ChangeDocument,
    ChangedProcessDocument,
    GroupDocument,
    LastErrorDocument,
    ManagerDocument,
    MoldDocument,
    ProcessDocument,
    RolloutDocument,
    StatusDocument,
)
from wsgigroups.manager.control.showing_sites import ShownSites
from wsgigroups.manager.core import proving
from wsgigroups.manager.core.transactions import ready_as_asked
from wsgigroups.manager.supervision import reachable
from wsgigroups.manager.supervision.vitals import Usage, usage
from wsgigroups.plan.code import code_of
from wsgigroups.plan.observed import Observed, ObservedGroup, ObservedProcess
from wsgigroups.runtime.wire import identity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wsgigroups.lifecycle.step import Record
    from wsgigroups.manager.core.model import Change, GroupState, LastError
    from wsgigroups.manager.supervision.molds import Mold
    from wsgigroups.manager.supervision.shell import Shell
    from wsgigroups.plan.desired import GroupTarget


def status(
    shell: Shell,
    started_at: float,
    sites: ShownSites | None = None,
    files: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> StatusDocument:
    """The document of `status -o json`.

    started_at: monotonic seconds; sites: what was shown of them last; files: those that groups came from, by group.
    """
    transaction = shell.state.transaction
    return StatusDocument(
        revision=shell.state.revision,
        manager=ManagerDocument(
            pid=os.getpid(),
            version=wsgigroups.__version__,
            uptime_s=round(time.monotonic() - started_at, 1),
            cleanup=shell.remains.way,
            cleanup_reason=shell.remains.reason or None,
            handovers=shell.outside.handovers,
            stopping=shell.state.stopping,
            drains_in_s=_left_s(shell.state.drains_at),
        ),
        groups=[group_view(shell, group, files.get(name, ())) for name, group in sorted(shell.state.groups.items())],
        gateway=(sites or ShownSites()).of(shell.state, shell.processes),
        paused_change=transaction.change if transaction and transaction.paused else None,
    )


def _left_s(at: float | None) -> float | None:
    return None if at is None else round(max(0.0, at - time.monotonic()), 1)


def group_view(shell: Shell, group: GroupState, files: Sequence[str] = ()) -> GroupDocument:
    """One group of the status document. files: those that it came from."""
    target = group.target
    asked = confined.requested(target.spec.confinement, target.options)
    processes = [
        view
        for record in sorted(group.records, key=lambda r: (r.slot, r.life))
        if (view := process_view(shell, record, group.deaths.get(record.slot), _asked_of(record, target, asked)))
    ]
    limited = shell.remains.limited(target.name)
    unreachable = reachable.unreachable(shell, target.name)
    shell.throughput.look(group, shell.processes)
    return GroupDocument(
        name=target.name,
        state=state_of(group, reached=not unreachable),
        processes_wanted=group.wanted,
        processes_ready=sum(record.state is Tenancy.READY for record in group.records),
        threads=target.spec.serving.threads,
        user=target.user,
        group=target.group,
        listen=list(target.spec.listen),
        python=target.spawner.version,
        interpreter=target.spawner.executable,
        spawner=target.spawner.whose,
        **figures.of_group(processes, group.ended).model_dump(),
        requests_per_s=shell.throughput.per_s(target.name),
        application_p99_s=shell.throughput.p99_s(target.name),
        restarts=group.restarts,
        last_error=error_view(group.last_error),
        log=target.log_path,
        files=list(files),
        scaled=group.processes_override is not None,
        scaling=showing_scaling.document(shell.scaler, group),
        cleanup=shell.remains.way_of(record.life for record in group.records),
        strays=shell.remains.left(target.uid),
        not_in_force={**limited.missing, **limited.refused},
        confinement=asked,
        processes=processes,
        molds=[mold_view(mold) for mold in shell.molds.of(target.name)],
        proved=not group.unproved,
        rollout=rollout_view(group, time.monotonic()),
        unknown=group.unknown,
        unreachable=unreachable,
        unresolved=group.unresolved or None,
    )


def mold_view(mold: Mold) -> MoldDocument:
    """A process that forks others of its group."""
    used = usage(mold.pid, pss=True)
    return MoldDocument(pid=mold.pid, started_at=mold.started_at, rss_bytes=used.rss_bytes, pss_bytes=used.pss_bytes)


def rollout_view(group: GroupState, now: float) -> RolloutDocument | None:
    """The replacement that is under way; now: monotonic seconds."""
    if not group.rolling or not group.wanted:
        return None
    ready = [record for record in group.records if record.state is Tenancy.READY]
    old = sum(group.outdated(record) for record in ready)
    budget, look_at = proving.budget(group, now), proving.next_look(group, now)
    return RolloutDocument(
        new_ready=len(ready) - old,
        old_ready=old,
        watched_s=None if look_at is None else round(max(0.0, look_at - now), 1),
        returns=group.fallback is not None,
        surge=budget.surge,
        unavailable=budget.unavailable,
        short_of_memory=budget.surge < group.target.rollout.max_surge.up(group.wanted),
    )


def state_of(group: GroupState, *, reached: bool) -> str:
    """Return the public state of a group. reached: whether all its addresses are bound."""
    if group.bare and group.wanted and not group.records:
        return "failed"  # nothing is on its way up
    states = (r.state for r in group.records)
    state = group_state(states, group.wanted, stopped=group.stopped, asleep=group.asleep)
    return "degraded" if state == "ready" and not reached else state


def error_view(error: LastError | None) -> LastErrorDocument | None:
    """A last error as it is shown."""
    if error is None:
        return None
    return LastErrorDocument(
        slot=error.slot,
        life=error.life,
        message=error.message,
        step=error.step or None,
        traceback=error.traceback or None,
        requests=list(error.requests),
    )


def _asked_of(record: Record, target: GroupTarget, asked: Mapping[str, str]) -> Mapping[str, str]:
    """Options of confinement that a process was started with, as far as they are the group's."""
    return asked if record.fingerprint == target.fingerprint else {}


def process_view(
    shell: Shell, record: Record, death: LastError | None = None, asked: Mapping[str, str] = MappingProxyType({})
) -> ProcessDocument | None:
    """One process of the status document; None for a record without a public state.

    death: of the slot's last life; asked: the options of confinement that the group sets.
    """
    state = PROCESS_STATE[record.state]
    if state is None:
        return None
    process = shell.processes.get(record.life)
    snapshot = process.snapshot() if process and not process.exited else None
    used = usage(process.pid, pss=True) if process and process.pid else Usage()
    uptime_s = time.monotonic() - record.spawned_at if record.spawned_at is not None and process else 0.0
    return ProcessDocument(
        slot=record.slot,
        pid=process.pid if process else None,
        life=record.life,
        state=state,
        started_at=process.info["started_at"] if process else None,
        uptime_s=round(uptime_s, 1),
        **figures.of_process(snapshot.values if snapshot else {}, time.monotonic_ns()).model_dump(),
        rss_bytes=used.rss_bytes,
        pss_bytes=used.pss_bytes,
        cpu_s=round(used.cpu_s, 2),
        failures=record.failures,
        last_exit=str(record.last_exit) if record.last_exit else None,
        retry_in_s=_retry_in_s(record),
        last_death=error_view(death),
        confinement=confined.effective(asked, process.confined if process else None),
        former_runtime=process is not None and process.info.get("runtime") != identity.own().digest,
    )


def _retry_in_s(record: Record) -> float | None:
    if record.state is not Tenancy.COOLING or record.deadline is None:
        return None
    return round(max(0.0, record.deadline - time.monotonic()), 1)


def change_view(shell: Shell, change: Change) -> ChangeDocument:
    """One change with the progress of its groups."""
    groups, transaction = {}, shell.state.transaction
    for name, progress in change.groups.items():
        group = shell.state.groups.get(name)
        members = group.members() if group else ()
        groups[name] = ChangedGroupDocument(
            state=progress.state,
            error=error_view(progress.error),
            wanted=group.wanted if group else 0,
            ready=sum(m.state is Tenancy.READY and not m.outdated for m in members),
            leaving=sum(m.outdated or m.state in (Tenancy.DRAINING, Tenancy.KILLING) for m in members),
            processes=[v for r in group.records if (v := _brief(r))] if group else [],
            # what is left of it would be news each time that somebody asks what is new
            watched_s=proving.watch_s(group, time.monotonic()) if group else None,
        )
    return ChangeDocument(
        id=change.id,
        kind=change.kind,
        outcome=change.outcome,
        finished=change.finished,
        revision=change.revision,
        groups=groups,
        first_life=change.first_life,
        running_revision=shell.state.revision,
        paused=bool(transaction and transaction.change == change.id and transaction.paused),
    )


def _brief(record: Record) -> ChangedProcessDocument | None:
    state = PROCESS_STATE[record.state]
    return ChangedProcessDocument(slot=record.slot, life=record.life, pid=record.pid, state=state) if state else None


def one_of(group: GroupState) -> int | None:
    """The pid of a process of a group, one that is ready where there is one; None: it has none."""
    live = [record for record in group.records if record.live and record.pid]
    ready = [record for record in live if record.state is Tenancy.READY]
    return next((record.pid for record in [*ready, *live]), None)


def observed(shell: Shell) -> Observed:
    """What the planner compares with; memory takes a while, and is left out."""
    found = {}
    for name, group in shell.state.groups.items():
        if group.removing or (group.bare and not group.unknown):
            continue
        members = []
        for record in group.records:
            if not record.live:
                continue
            process = shell.processes.get(record.life)
            start_s = record.ready_at - record.spawned_at if record.ready_at and record.spawned_at else None
            ready = record.state is Tenancy.READY
            members.append(
                ObservedProcess(
                    *(record.slot, record.life, record.fingerprint, ready, start_s),
                    code=code_of(process.info) if process else {},
                )
            )
        override = group.processes_override
        refused = shell.remains.limited(name).refused
        found[name] = ObservedGroup(
            # what was refused is not what it is, so that it is tried again
            options={key: value for key, value in group.target.options.items() if key not in refused}
            if refused
            else group.target.options,
            fingerprint=group.target.fingerprint,
            processes=group.wanted_if_started,
            scaled=override is not None,
            stopped=group.stopped,
            members=tuple(members),
            wanted=group.wanted,
            ready=ready_as_asked(group),
            trouble=group.last_error.message if group.last_error else "",
            unknown=group.unknown,
            listen=tuple(listener.address for listener in group.target.listeners) if group.unknown else (),
            code=group.target.code,
            law=showing_scaling.sentence(shell.scaler, group),
            follows_load=group.target.scaling is not None and override is None,
        )
    return found
