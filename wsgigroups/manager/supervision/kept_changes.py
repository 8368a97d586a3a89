"""The apply under way as the store keeps it: the next manager brings it to its end, one way or the other. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from wsgigroups.manager.core import proving
from wsgigroups.manager.core.model import DEPLOY, Change, Former, Progress, Proved, State, Transaction
from wsgigroups.plan.desired import target_from_json

if TYPE_CHECKING:
    from collections.abc import Mapping


def to_json(state: State) -> dict[str, Any] | None:
    """Return the transaction as plain data; None without one."""
    transaction = state.transaction
    change = state.changes.get(transaction.change) if transaction else None
    if transaction is None or change is None:
        return None
    return {
        "change": transaction.change,
        "kind": change.kind,
        "accepted": change.revision,
        "first_life": change.first_life,
        "revision": transaction.revision,
        "former": {name: _former_to_json(was) for name, was in transaction.former.items()},
        "removals": sorted(transaction.removals),
        "returns": transaction.returns,
        "returning": transaction.returning,
        "later": {name: target.to_json() for name, target in transaction.later.items()},
    }


def resumed(state: State, kept: Mapping[str, Any] | None) -> State:
    """Return the state with the change begun again under its number, a part for each of its groups that is there."""
    if not kept:
        return state
    former = {name: _former_from_json(was) for name, was in kept["former"].items()}
    removals, first_life = frozenset(kept["removals"]), int(kept.get("first_life", 0))
    returning = bool(kept["returning"])
    ends = "rolled-back" if returning else "done"
    parts = {}
    groups = dict(state.groups)
    for name, was in former.items():
        group = groups.get(name)
        if group is None:
            continue
        if returning and was.target is None:
            groups[name] = replace(group, removing=True)
        if kept["kind"] == DEPLOY and not returning and first_life:
            groups[name] = proving.watch(group.restarting(first_life))
        gone = group.stopped or (was.target is None if returning else name in removals)
        parts[name] = Progress(goal="gone" if gone else "settled", ends=ends)
        if returning and name in removals:
            parts[name] = Progress("rolled-back")
    number = int(kept["change"])
    change = Change(number, str(kept["kind"]), parts, kept["accepted"], first_life)
    later = {name: target_from_json(target) for name, target in kept.get("later", {}).items()}
    transaction = Transaction(number, int(kept["revision"]), former, removals, bool(kept["returns"]), returning, later)
    return replace(
        state,
        groups=groups,
        changes={**state.changes, number: change},
        next_change=max(state.next_change, number + 1),
        transaction=transaction,
    )


def _former_to_json(was: Former) -> dict[str, Any]:
    """A target that was proved is stored once where it is the group's."""
    proved = None
    if was.proved:
        own = {} if was.proved.target == was.target else {"target": was.proved.target.to_json()}
        proved = {**own, "processes_override": was.proved.processes_override}
    return {
        "target": was.target.to_json() if was.target else None,
        "processes_override": was.processes_override,
        "proved": proved,
        "stopped": was.stopped,
        "unresolved": was.unresolved,
        "given": was.given,
        "renewed": was.renewed,
        "found": sorted(was.found),
    }


def _former_from_json(item: Mapping[str, Any]) -> Former:
    target = target_from_json(item["target"]) if item["target"] else None
    override, proved = item["processes_override"], None
    kept = item.get("proved", {"processes_override": override})  # an earlier version did not write it
    if kept and target:
        before = target_from_json(kept["target"]) if "target" in kept else target
        proved = Proved(before, kept["processes_override"])
    return Former(
        *(target, override, proved, bool(item.get("stopped", False)), str(item.get("unresolved", ""))),
        given=item.get("given"),
        renewed=int(item.get("renewed", 0)),
        found=frozenset(int(life) for life in item.get("found", ())),
    )
