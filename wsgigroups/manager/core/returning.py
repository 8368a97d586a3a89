"""What an apply returns to when a part of it fails, or somebody wants it undone: all that it changed is what it was.

Pure; called by the core. What it returns to is known from its begin on. Nothing of the apply is left: a group that has
gone meanwhile comes back, one that was added goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.lifecycle import step as lifecycle
from wsgigroups.lifecycle.table import EventKind, Tenancy
from wsgigroups.manager.core import model, proving, steps
from wsgigroups.manager.core.model import Former, GroupState, LastError, Progress
from wsgigroups.manager.core.retargeting import retarget
from wsgigroups.replacing import replace

if TYPE_CHECKING:
    from wsgigroups.manager.core.model import Change, Transaction
    from wsgigroups.manager.core.turn import Turn

_ASKED = "rolled back as asked"


def former(group: GroupState | None) -> Former:
    """Return what there is to return to of a group that a change is about to touch."""
    if group is None or group.removing:
        return Former(None)
    if group.unknown:
        return Former(group.target, found=frozenset(record.life for record in group.records if record.live))
    known = proving.best_known(group)
    return Former(
        *(group.target, group.processes_override, known, group.stopped, group.unresolved), starts=group.starts
    )


def serves(group: GroupState) -> bool:
    """Whether a process of the group is ready."""
    return any(record.state is Tenancy.READY for record in group.records)


def is_protected(group: GroupState) -> bool:
    """Whether a change that fails takes back what it has made of the group: it serves, or has shown that it can."""
    return serves(group) or (group.proved is not None and not group.stopped and not group.removing)


def returns_if_failed(state: model.State, name: str) -> bool:
    """Whether the apply under way takes back what it has made of this group, should that fail."""
    transaction = state.transaction
    return bool(transaction and transaction.returns and not transaction.returning and name in transaction.former)


def can_return(state: model.State, change: int) -> bool:
    """Whether this change is an apply under way that can still be undone as a whole; what has gone comes back."""
    transaction = state.transaction
    return transaction is not None and transaction.change == change and not transaction.returning


def give_up(turn: Turn, change: int) -> tuple[str, ...]:
    """Somebody wants the apply under way undone; return the groups to reconcile."""
    transaction = turn.state.transaction
    if transaction is None or not can_return(turn.state, change):
        return ()
    return take_back(turn, transaction, turn.state.changes[change], LastError(0, 0, _ASKED))


def take_back(turn: Turn, transaction: Transaction, change: Change, why: LastError | None) -> tuple[str, ...]:
    """Have every group that the change touched be what it was; the change is over when they are."""
    undone = replace(transaction, returning=True, later={}, paused=False)
    turn.state = replace(turn.state, revision=transaction.revision, transaction=undone)
    turn.commands.append(model.StoreState())
    for name, part in change.groups.items():
        if name not in transaction.former and part.state == "pending":
            turn.set_part(change.id, name, replace(part, state="rolled-back", error=why))
    for name, was in transaction.former.items():
        group, told = turn.state.groups.get(name), change.groups.get(name)
        if was.found:
            _leave_as_found(turn, change.id, name, was, why)
            continue
        after = _as_it_was(turn, group, was, asked=why is not None)
        if after is None:
            continue
        turn.put(after)
        same = group is not None and _wish(group) == _wish(after)
        if (told is None and not same) or (told is not None and told.state != "overtaken"):
            state = "rolled-back" if same and name in transaction.removals else "pending"
            goal = "gone" if after.removing or after.stopped else "settled"
            error = (told.error if told else None) or why
            turn.set_part(change.id, name, Progress(state, goal, error, "rolled-back"))
    return tuple(sorted(transaction.former))


def _leave_as_found(turn: Turn, change: int, name: str, was: Former, why: LastError | None) -> None:
    """Have a group that was taken over be unknown again, where what was found running of it is all that serves.

    One of which something new serves stays as it is: what has gone cannot be started again.
    """
    group, told = turn.state.groups.get(name), turn.state.changes[change].groups.get(name)
    assert was.target is not None
    if group is None or group.removing or told is None or told.state not in ("pending", "failed", "rolled-back"):
        return
    newcomers = tuple(record for record in group.records if record.life not in was.found)
    serving = {record.life for record in group.records if record.state is Tenancy.READY}
    if not serving or not serving <= was.found:
        if told.goal == "gone" and not group.stopped:  # by the apply that is undone; another had taken it over
            turn.set_part(change, name, Progress("rolled-back", error=told.error or why, ends="rolled-back"))
        return
    kept = tuple(record for record in group.records if record.live)
    turn.put(
        GroupState(was.target, kept, starts=group.starts, restarts=group.restarts, ended=group.ended, unknown=True)
    )
    for record in newcomers:
        if record.live:
            steps.leave(turn, record, lifecycle.Event(EventKind.WANT_DOWN, reason="stop"))
    turn.note("warning", f"{name}: nothing is known of it again, what was found running serves on", name)
    turn.set_part(change, name, Progress("rolled-back", error=told.error or why, ends="rolled-back"))


def _wish(group: GroupState) -> tuple[object, ...]:
    return group.target, group.processes_override, group.removing


def _as_it_was(turn: Turn, group: GroupState | None, was: Former, *, asked: bool) -> GroupState | None:
    """Return a group as it was; None where there is none, and was none. asked: somebody wants it."""
    if was.target is None:
        return group and replace(group, removing=True)
    if group is None:
        return GroupState(
            *(was.target, (), was.proved),
            processes_override=was.processes_override,
            stopped=was.stopped,
            starts={} if asked else was.starts,
            unresolved=was.unresolved,
        )
    if was.renewed and was.renewed == group.restart_before:
        group = group.restarted()  # those that are left have no reason to be replaced any more
    if group.target != was.target:
        back = retarget(turn, group, was.target)
        back = replace(back, proved=was.proved, last_error=group.last_error, watched=False)
        # a failure is nobody's asking: the bound on starts stands
        group = back if asked else replace(back, starts=group.starts)
    return replace(group, processes_override=was.processes_override, unresolved=was.unresolved, removing=False)
