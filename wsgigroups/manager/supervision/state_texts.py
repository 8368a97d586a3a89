"""The parts of the stored state as JSON texts, each made anew only when it has changed.

Runs in the manager's only thread. All groups are stored whenever one of them changes: of a thousand, one text is made.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.manager.supervision import kept_changes
from wsgigroups.manager.supervision.remembering import group_to_json

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from wsgigroups.manager.core.model import GroupState, State

_Key = tuple[object, ...]


@dataclass(slots=True)
class StateTexts:
    """What was stored last. All that it is made of is frozen, so that the same objects give the same text."""

    _groups: dict[str, tuple[_Key, str]] = field(default_factory=dict)
    _transaction: tuple[_Key, str] = ((), "null")

    def group(self, name: str, group: GroupState, run_dir: str, counted: Sequence[int]) -> str:
        """One group; run_dir: where it is in force; counted: lives of whose exits a next manager is told again."""
        key = (
            *(group.target, group.proved, group.stopped, group.processes_override, group.restarts, group.ended),
            *(group.automatic, group.last_error, group.deaths, run_dir, tuple(counted)),
        )
        known = self._groups.get(name)
        if known is None or not _same(known[0], key):
            text = json.dumps({**group_to_json(group), "run_dir": run_dir, "counted": list(counted)})
            known = self._groups[name] = key, text
        return known[1]

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


def _same(former: _Key, key: _Key) -> bool:
    """Whether all is the same: by identity, or for the small things by value."""
    if len(former) != len(key):
        return False
    return all(a is b or (isinstance(a, (int, str, tuple)) and a == b) for a, b in zip(former, key, strict=True))
