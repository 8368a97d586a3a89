"""One turn of the core: the state as it is being built, and what is to be done about it. Pure; for the core alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from wsgigroups.manager.core import model
from wsgigroups.manager.core.model import APPLYING, START_UP, Change, GroupState, LastError, Note, Progress, State
from wsgigroups.replacing import replace

KEPT_CHANGES = 50  # and all that are not over: somebody waits for them, and an apply has more to do


@dataclass(slots=True)
class Turn:
    """One call of handle: the state being built and the commands so far."""

    state: State
    now: float
    commands: list[model.Command] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)  # groups that were put or dropped

    def put(self, group: GroupState) -> None:
        """Take over a group."""
        name = group.target.name
        self.touched.add(name)
        self.state.settle(name, group)
        self.state = replace(self.state, groups={**self.state.groups, name: group})

    def drop(self, name: str) -> None:
        """Forget a group."""
        self.touched.add(name)
        self.state = replace(self.state, groups={k: v for k, v in self.state.groups.items() if k != name})

    def note(self, level: str, text: str, group: str = "") -> None:
        """Write a line to the log; group: whose processes caused it."""
        self.commands.append(Note(level, text, group))

    def new_life(self) -> int:
        """Return a number that no life has had."""
        life = self.state.next_life
        self.state = replace(self.state, next_life=life + 1)
        return life

    def begin_change(self, kind: str, groups: dict[str, Progress], revision: int | None = None) -> None:
        """Begin a change with a part for each of these groups."""
        change = Change(self.state.next_change, kind, groups, revision, self.state.next_life)
        latest = set(list(self.state.changes)[-KEPT_CHANGES + 1 :])
        kept = {key: other for key, other in self.state.changes.items() if key in latest or not other.finished}
        error = LastError(0, 0, f"overtaken by change {change.id} ({kind})")
        for key, other in kept.items():
            overtaken = {
                name: replace(progress, state="overtaken", error=error)
                for name, progress in other.groups.items()
                if progress.state == "pending" and _overtakes(change, other, name)
            }
            if overtaken:
                kept[key] = replace(other, groups={**other.groups, **overtaken})
        self.state = replace(self.state, changes={**kept, change.id: change}, next_change=change.id + 1)

    def settle(self, name: str, progress: Progress) -> None:
        """Set the outcome of a group's part in the changes that are pending for it; one that is to go cannot fail."""
        for change in self.state.changes.values():
            part = change.groups.get(name)
            if part is not None and part.state == "pending" and (part.goal == "settled" or progress.state == "done"):
                self.set_part(change.id, name, _ended(part, self._for(change, name, progress)))

    def _for(self, change: Change, name: str, progress: Progress) -> Progress:
        """Return what a group has come to as a part of this change: an apply takes back what it has changed alone."""
        transaction = self.state.transaction
        changed = transaction is not None and transaction.change == change.id and name in transaction.former
        if progress.state != "rolled-back" or change.kind not in APPLYING or change.kind == START_UP or changed:
            return progress
        return replace(progress, state="failed")

    def set_part(self, change: int, name: str, progress: Progress) -> None:
        """Set how one group's part of one change went."""
        before = self.state.changes[change]
        after = replace(before, groups={**before.groups, name: progress})
        self.state = replace(self.state, changes={**self.state.changes, change: after})

    def finish(self, before: State) -> None:
        """Tell of every change that is over and was not before this turn, and of the groups that are others."""
        self.state = replace(self.state, touched=frozenset(self.touched))
        for key, change in self.state.changes.items():
            former = before.changes.get(key)
            if change is not former and change.finished and (former is None or not former.finished):
                self.commands.append(model.FinishChange(change))

    def pending(self, name: str) -> Progress | None:
        """Return the group's part in the change that is pending for it."""
        for change in self.state.changes.values():
            progress = change.groups.get(name)
            if progress is not None and progress.state == "pending":
                return progress
        return None


def _overtakes(change: Change, other: Change, name: str) -> bool:
    """Whether a change takes a group's part in an older one over, because both cannot come true.

    A restart while an apply goes on does not: both end when the group's new processes are ready.
    """
    if change.kind in APPLYING and other.kind in (*APPLYING, "scale"):
        return True
    part = change.groups.get(name)
    return part is not None and (part.goal != other.groups[name].goal or change.kind == other.kind)


def _ended(part: Progress, progress: Progress) -> Progress:
    if progress.state == "done" and part.ends != "done":
        return replace(part, state=part.ends)
    return replace(progress, ends=part.ends)
