"""The parts of the stored state as JSON texts, each made anew only when it has changed.

Runs in the manager's only thread. All groups are stored whenever one of them changes: of a thousand, one text is made.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.manager.supervision import kept_changes
from wsgigroups.manager.supervision.remembering import rest_to_json

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from wsgigroups.manager.core.model import GroupState, State
    from wsgigroups.plan.desired import GroupTarget

_Key = tuple[object, ...]
_Kept = tuple["GroupTarget", str]  # a target, and its text


@dataclass(slots=True)
class StateTexts:
    """What was stored last. All that it is made of is frozen, so that the same objects give the same text."""

    _groups: dict[str, tuple[_Key, str]] = field(default_factory=dict)  # without the targets, which are most of it
    _whole: dict[str, tuple[_Key, tuple[str, ...]]] = field(default_factory=dict)  # of the very group that it was
    _targets: dict[str, tuple[_Kept, ...]] = field(default_factory=dict)  # by group: its own, and the one to return to
    _transaction: tuple[_Key, str] = ((), "null")

    def group(self, name: str, group: GroupState, run_dir: str, counted: Sequence[int]) -> tuple[str, ...]:
        """One group, in pieces; run_dir: where it is in force; counted: lives of whose exits a next manager is told."""
        asked = group, run_dir, tuple(counted)
        known = self._whole.get(name)
        if known is None or known[0][0] is not group or known[0][1:] != asked[1:]:
            known = self._whole[name] = asked, self._group(name, group, run_dir, counted)
        return known[1]

    def _group(self, name: str, group: GroupState, run_dir: str, counted: Sequence[int]) -> tuple[str, ...]:
        key = (
            *(group.target, group.stopped, group.processes_override, group.restarts, group.ended),
            *(group.automatic, group.last_error, group.deaths, run_dir, tuple(counted)),
        )
        known = self._groups.get(name)
        if known is None or not _same(known[0], key):
            rest = json.dumps({**rest_to_json(group), "run_dir": run_dir, "counted": list(counted)})
            known = self._groups[name] = key, rest[1:]
        return '{"target": ', *self._targets_of(name, group), ", ", known[1]

    def _targets_of(self, name: str, group: GroupState) -> tuple[str, ...]:
        """The text of its target, and then of what was proved: without a target where that is the same."""
        before = self._targets.get(name, ())
        used = [_kept(group.target, before)]
        proved: tuple[str, ...] = ("null",)
        if group.proved is not None:
            proved = ('{"processes_override": ', json.dumps(group.proved.processes_override))
            if group.unproved:
                used.append(_kept(group.proved.target, before))
                proved += (', "target": ', used[1][1])
            proved += ("}",)
        self._targets[name] = tuple(used)
        return used[0][1], ', "proved": ', *proved

    def transaction(self, state: State) -> str:
        """The apply under way."""
        change = state.changes.get(state.transaction.change) if state.transaction else None
        key = (state.transaction, change and change.kind, change and change.revision)
        if not _same(self._transaction[0], key):
            self._transaction = key, json.dumps(kept_changes.to_json(state))
        return self._transaction[1]

    def forget_others(self, names: Collection[str]) -> None:
        """Forget groups that are not among these."""
        for name in self._groups.keys() - names:
            del self._groups[name]
            self._targets.pop(name, None)
            self._whole.pop(name, None)


def _same(former: _Key, key: _Key) -> bool:
    """Whether all is the same: by identity, or for the small things by value."""
    if len(former) != len(key):
        return False
    return all(a is b or (isinstance(a, (int, str, tuple)) and a == b) for a, b in zip(former, key, strict=True))


def _kept(target: GroupTarget, before: Iterable[_Kept]) -> _Kept:
    """A target with its text, which is made anew where it is another object."""
    return next((kept for kept in before if kept[0] is target), None) or (target, json.dumps(target.to_json()))
