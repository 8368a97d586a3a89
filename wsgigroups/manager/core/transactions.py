"""An apply as a whole: it is done when what it asks for *is*; when a part of it fails, all that it changed returns.

Pure; called by the core. Groups that are not in the configuration any more are removed once the rest is done, so that
nothing that serves has gone when the rest fails. Where nothing that the apply changes served before, there is nothing
to protect: what fails stays, is shown, and is tried again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model, proving, steps
from wsgigroups.manager.core.changes import by_hand
from wsgigroups.manager.core.model import GroupState, LastError, Progress, Transaction
from wsgigroups.manager.core.retargeting import retarget
from wsgigroups.manager.core.returning import can_return, former, give_up, is_protected, serves, take_back
from wsgigroups.plan.planner import needs_replacement
from wsgigroups.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from wsgigroups.manager.core.model import Former
    from wsgigroups.manager.core.turn import Turn
    from wsgigroups.plan.desired import GroupTarget

_READY = Tenancy.READY


_Asked = (
    model.Apply | model.Return | model.Pause | model.Resolved | model.StillUnresolved | model.Rerouted | model.CodeKnown
)


def asked(turn: Turn, event: _Asked) -> tuple[str, ...]:
    """Carry out what concerns a whole configuration; return the groups to reconcile."""
    match event:
        case model.Apply():
            return _begin(turn, event)
        case model.Return():
            return give_up(turn, event.change)
        case model.Pause():
            return _pause(turn, event)
        case model.Resolved() | model.StillUnresolved():
            return _looked_again(turn, event)
        case model.Rerouted():
            return _rerouted(turn, event.target)
        case model.CodeKnown():
            return _code_known(turn, event)


def _begin(turn: Turn, event: model.Apply) -> tuple[str, ...]:
    """Give every group its target; return those that something may follow for: others were looked at when they changed.

    An apply under way is overtaken, what it would return to is not.
    """
    number = turn.state.next_change
    about = {*turn.state.groups, *event.targets, *event.unresolved}
    names = tuple(sorted(about if event.only is None else about & event.only))
    overtaken = turn.state.transaction if turn.state.transaction and turn.state.transaction.returns else None
    # what cannot be had is nothing to return to
    was = {name: group for name in names if not (group := turn.state.groups.get(name)) or _is_something(group)}
    parts, removals, later = _put(turn, names, event)
    changed = _changed(turn, event, {name: group for name, group in was.items() if name in parts})
    returns = any(group and is_protected(group) for name, group in was.items() if name in changed)
    revision = turn.state.revision
    if overtaken:
        changed.update((name, replace(before, given=None)) for name, before in overtaken.former.items())
        returns, revision = True, overtaken.revision
    turn.state = replace(turn.state, revision=event.revision, transaction=None)
    turn.begin_change(event.kind, parts, event.revision)
    if changed and event.kind != model.START_UP:
        transaction = Transaction(number, revision, changed, removals & changed.keys(), returns, later=later)
        turn.state = replace(turn.state, transaction=transaction)
    for name in parts:
        if not turn.state.groups[name].stopped and name not in removals:
            steps.skip_backoff(turn, name)
    for name, found in event.unresolved.items():
        turn.settle(name, Progress("failed", error=LastError(0, 0, found.reason)))
    return tuple(sorted({*parts, *changed, *turn.touched}))


def begin_deploy(turn: Turn, before: model.State, parts: dict[str, Progress], revision: int) -> None:
    """Begin the change of a deploy, whose groups were told to restart. before: the state without that."""
    changed = {}
    for name in parts:
        group = before.groups[name]
        renewed = 0 if group.restart_before else turn.state.groups[name].restart_before
        changed[name] = replace(former(group), renewed=renewed)
    returns = any(is_protected(before.groups[name]) for name in parts)
    transaction = Transaction(turn.state.next_change, before.revision, changed, returns=returns)
    turn.state = replace(turn.state, revision=revision)
    turn.begin_change(model.DEPLOY, parts, revision)
    turn.state = replace(turn.state, transaction=transaction)


def go_on(turn: Turn) -> tuple[str, ...]:
    """Take the next step of the apply under way; return the groups to reconcile for it, none when it has to wait."""
    transaction = turn.state.transaction
    if transaction is None:
        return ()
    change = turn.state.changes.get(transaction.change)
    if change is None or turn.state.stopping:
        turn.state = replace(turn.state, transaction=None)
        return ()
    if not transaction.returning:
        failed = next((name for name in transaction.former if _failed(change.groups.get(name))), None)
        if failed is not None and transaction.returns:
            turn.note(
                "error", f"change {change.id}: {failed} failed, all groups return to revision {transaction.revision}"
            )
            return take_back(turn, transaction, change, None)
        if transaction.paused and not change.finished:
            return ()
        others = {*transaction.removals, *transaction.later}
        first = [part for name, part in change.groups.items() if name not in others]
        if transaction.later and all(part.state != "pending" for part in first):
            return _put_later(turn, transaction)
        rest = [part for name, part in change.groups.items() if name not in transaction.removals]
        if all(part.state != "pending" for part in rest):
            leaving = [name for name in transaction.removals if not _is_leaving(turn, name)]
            for name in leaving:
                turn.put(replace(turn.state.groups[name], removing=True))
            if leaving:
                return tuple(sorted(leaving))
    if change.finished:
        turn.state = replace(turn.state, transaction=None)
    return ()


def _pause(turn: Turn, event: model.Pause) -> tuple[str, ...]:
    """Let the apply under way rest, or go on; return the groups to reconcile."""
    transaction = turn.state.transaction
    if transaction is None or not can_return(turn.state, event.change) or transaction.paused == event.paused:
        return ()
    turn.state = replace(turn.state, transaction=replace(transaction, paused=event.paused))
    turn.note("info", f"change {event.change} {'is paused' if event.paused else 'goes on'}")
    turn.commands.append(model.StoreState())
    return tuple(turn.state.changes[event.change].groups)


def _put_later(turn: Turn, transaction: Transaction) -> tuple[str, ...]:
    """Put targets into force that had to wait for the groups that they lead to."""
    turn.state = replace(turn.state, transaction=replace(transaction, later={}))
    for name, target in transaction.later.items():
        group = turn.state.groups.get(name)
        if group is not None and not group.removing:
            after, given = retarget(turn, group, target), transaction.former[name].given
            turn.put(after if given is None else replace(after, processes_override=by_hand(target, given)))
    turn.commands.append(model.StoreState())
    return tuple(sorted(transaction.later))


def ready_as_asked(group: GroupState) -> int:
    """How many processes are ready that are what the group should be."""
    wanted, before, slots, count = group.target.fingerprint, group.restart_before, group.restart_slots, 0
    for record in group.records:  # no generator: this is asked of every group in turn
        if record.state is _READY and record.fingerprint == wanted:
            count += not 0 < record.life < before or (bool(slots) and record.slot not in slots)
    return count


def _put(
    turn: Turn, names: tuple[str, ...], event: model.Apply
) -> tuple[dict[str, Progress], frozenset[str], dict[str, GroupTarget]]:
    """Put all targets into force but those that have to wait.

    Return the parts of the change, the groups that go when the rest is done, and the targets of those that lead to
    others, which are in force when those are ready.
    """
    parts: dict[str, Progress] = {}
    later: dict[str, GroupTarget] = {}
    leaving = set()
    wanted = {listener.address for target in event.targets.values() for listener in target.listeners}
    for name in names:
        target, group = event.targets.get(name), turn.state.groups.get(name)
        if name in event.unresolved:
            turn.put(_unresolved(group, event.unresolved[name]))
            parts[name] = Progress()
        elif target is None:
            assert group is not None
            if group.unknown and not _in_the_way(group, wanted):
                continue  # nobody asked for its end
            leaving.add(name)
            parts[name] = Progress(goal="gone")
        elif group is None:
            turn.put(GroupState(target))
            parts[name] = Progress()
        elif _changes(group, target) and target.routing is not None and _can_wait(group, event):
            later[name] = target
            parts[name] = Progress()
        elif _changes(group, target) or name in event.renewed:
            turn.put(retarget(turn, group, target, renewed=name in event.renewed))
            parts[name] = Progress(goal="gone" if group.stopped else "settled")
        elif ready_as_asked(group) < group.wanted:
            parts[name] = Progress()
    removals = frozenset(name for name in leaving if not turn.state.groups[name].bare)
    if event.kind == model.START_UP:
        removals = frozenset()  # each group stands for itself: none waits for the rest
    for name in leaving if leaving == parts.keys() else leaving - removals:
        turn.put(replace(turn.state.groups[name], removing=True))
    if not parts.keys() - removals - later.keys():  # nobody to wait for: what leaves does so when it is not led to
        for name, target in later.items():
            turn.put(retarget(turn, turn.state.groups[name], target))
        later = {}
    return parts, removals, later


def _can_wait(group: GroupState, event: model.Apply) -> bool:
    """Whether a group serves on as it is while others come up."""
    whole = not (group.removing or group.unknown or group.unresolved or group.stopped)
    return whole and event.kind != model.START_UP and serves(group)


def _changed(turn: Turn, event: model.Apply, groups: Mapping[str, GroupState | None]) -> dict[str, Former]:
    """Return what there is to return to of those groups that an apply changes. groups: as they were."""
    changed = {}
    for name, group in groups.items():
        before = former(group)
        if group and name in event.renewed and not group.restart_before:
            before = replace(before, renewed=turn.state.groups[name].restart_before)
        differs = before.target != event.targets.get(name) or before.processes_override is not None
        if differs or before.renewed or (group and group.fallback):  # one that may go back by itself
            changed[name] = before
    return changed


def _failed(part: Progress | None) -> bool:
    """Whether a process did not come up; a limit that cannot be kept would not be kept by others either."""
    if part is None or part.state not in ("failed", "rolled-back"):
        return False
    return part.error is None or part.error.life != 0


def _is_something(group: GroupState) -> bool:
    return bool(group.records) if group.unknown else not group.bare


def _is_leaving(turn: Turn, name: str) -> bool:
    group = turn.state.groups.get(name)
    return group is None or group.removing


def _code_known(turn: Turn, event: model.CodeKnown) -> tuple[str, ...]:
    """Take note of the code that processes have."""
    for name in event.code.keys() & turn.state.groups.keys():
        known = turn.state.groups[name]
        turn.put(proving.learned(known, steps.with_code(known.target, event.code)))
    return ()


def _rerouted(turn: Turn, target: GroupTarget) -> tuple[str, ...]:
    """Have a group go by what differs in nothing that takes new processes; while an apply goes on, that one counts."""
    group = turn.state.groups.get(target.name)
    if group is None or group.removing or group.bare or turn.state.transaction is not None:
        return ()
    if needs_replacement(target, group.target.options, group.target.fingerprint):
        return ()
    turn.put(replace(retarget(turn, group, target), processes_override=group.processes_override))
    turn.commands.append(model.StoreState())
    return (target.name,)


def _looked_again(turn: Turn, event: model.Resolved | model.StillUnresolved) -> tuple[str, ...]:
    """What the configuration asks for was tried again on this host."""
    name = event.target.name if isinstance(event, model.Resolved) else event.group
    group = turn.state.groups.get(name)
    if group is None or not group.unresolved or group.removing:
        return ()
    if isinstance(event, model.Resolved):
        turn.put(replace(retarget(turn, group, event.target), processes_override=group.processes_override))
        turn.note("info", f"{name}: what the configuration asks for can be had now", name)
    elif group.unresolved != event.reason:
        turn.put(replace(group, unresolved=event.reason, last_error=LastError(0, 0, event.reason)))
        turn.note("error", f"{name}: {event.reason}", name)
    return (name,)


def _changes(group: GroupState, target: GroupTarget) -> bool:
    differs = group.target != target or group.processes_override is not None
    return differs or group.removing or group.unknown or bool(group.unresolved)


def _unresolved(group: GroupState | None, found: model.Unresolved) -> GroupState:
    """What runs of the group stays as it is until the group can be what is asked for."""
    kept = GroupState(found.described) if group is None or (group.bare and not group.records) else group
    return replace(kept, unresolved=found.reason, last_error=LastError(0, 0, found.reason), removing=False)


def _in_the_way(group: GroupState, wanted: Collection[str]) -> bool:
    """Whether another group asks for an address of this one: the two cannot answer on it side by side."""
    return any(listener.address in wanted for listener in group.target.listeners)
