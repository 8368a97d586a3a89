"""One turn of the core: the state as it is being built, and what is to be done about it. Pure; for the core alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from wsgigroups.manager.core import model
from wsgigroups.manager.core.model import Change, GroupState, LastError, Note, Progress, State

KEPT_CHANGES = 50


@dataclass(slots=True)
class Turn:
    """One call of handle: the state being built and the commands so far."""

    state: State
    now: float
    commands: list[model.Command] = field(default_factory=list)

    def put(self, group: GroupState) -> None:
        """Take over a group."""
        self.state = replace(self.state, groups={**self.state.groups, group.target.name: group})

    def drop(self, name: str) -> None:
        """Forget a group."""
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
        change = Change(self.state.next_change, kind, groups, revision)
        kept = dict(list(self.state.changes.items())[-KEPT_CHANGES + 1 :])
        # a group's part of an older change is superseded, else two changes would wait for different ends
        for key, other in kept.items():
            overtaken = {
                name: replace(p, state="failed", error=LastError(0, 0, f"overtaken by change {change.id}"))
                for name, p in other.groups.items()
                if p.state == "pending" and name in groups
            }
            if overtaken:
                kept[key] = replace(other, groups={**other.groups, **overtaken})
                if kept[key].finished:
                    self.commands.append(model.FinishChange(kept[key]))
        self.state = replace(self.state, changes={**kept, change.id: change}, next_change=change.id + 1)

    def settle(self, name: str, progress: Progress) -> None:
        """Set the outcome of a group's part in the change that is pending for it."""
        for change in self.state.changes.values():
            if change.groups.get(name, progress).state == "pending" and name in change.groups:
                after = replace(change, groups={**change.groups, name: progress})
                self.state = replace(self.state, changes={**self.state.changes, change.id: after})
                if after.finished:
                    self.commands.append(model.FinishChange(after))

    def pending(self, name: str) -> Progress | None:
        """Return the group's part in the change that is pending for it."""
        for change in self.state.changes.values():
            progress = change.groups.get(name)
            if progress is not None and progress.state == "pending":
                return progress
        return None
