"""A group is given another target: what is live goes to its processes, the rest to their successors. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.manager.core import haste, model, proving, scaling, steps
from wsgigroups.plan.planner import needs_replacement
from wsgigroups.replacing import replace

if TYPE_CHECKING:
    from wsgigroups.manager.core.model import GroupState
    from wsgigroups.manager.core.turn import Turn
    from wsgigroups.plan.desired import GroupTarget


def retarget(turn: Turn, group: GroupState, target: GroupTarget, *, renewed: bool = False) -> GroupState:
    """Give a group a new target; what is live goes to the running processes, the rest to their successors."""
    live = tuple(record.life for record in group.records if record.live)
    if live:
        turn.commands.append(model.TuneGroup(target, live))
    # of an unknown group only fingerprints are known, and each process that has another one is outdated anyway
    replaced = not group.bare and (renewed or needs_replacement(target, group.target.options, group.target.fingerprint))
    raised = replaced and target.fingerprint == group.target.fingerprint
    proved = None if group.bare else proving.best_known(group)
    if not replaced and not group.bare and not group.unproved:
        proved = model.Proved(target)  # what is live asks nothing of new processes
    after = replace(
        haste.forgiven(group.restarting(turn.state.next_life) if raised else group),
        target=target,
        records=steps.retimed(group.records, target),
        untuned=group.untuned.union(live),
        proved=proved if replaced or group.proved else None,
        processes_override=None,
        automatic=scaling.kept(group, target),
        removing=False,
        unknown=False,
        unresolved="",
        last_error=None,
        starved={},
    )
    return proving.watch(after) if replaced else after
