"""Changes: what people asked for, how far each group is, and what an apply can return to. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.plan.desired import GroupTarget

START_UP = "start-up"  # the kind of change that a manager begins with: each group stands for itself
DEPLOY = "deploy"  # new code of one group, its configuration as before
APPLYING = ("apply", "rollback", DEPLOY, START_UP)  # kinds of changes that are a revision


@dataclass(frozen=True, slots=True)
class LastError:
    """Why a life of the group did not come up, or ended without being asked to."""

    slot: int
    life: int
    message: str
    traceback: str = ""
    step: str = ""  # of runtime.wire.exits, where the daemon could still say it
    requests: tuple[str, ...] = ()  # in the application when it was judged


@dataclass(frozen=True, slots=True)
class Progress:
    """How one group's part of a change went: pending, done, failed, rolled-back, overtaken.

    ends: what it comes to when the goal is reached; rolled-back while a group returns to what it was.
    """

    state: str = "pending"
    goal: str = "settled"  # or "gone": no process left
    error: LastError | None = None
    ends: str = "done"


@dataclass(frozen=True, slots=True)
class Change:
    """A plan being carried out, with an id to wait for. first_life: lives from this one on began since it did."""

    id: int
    kind: str
    groups: Mapping[str, Progress]
    revision: int | None = None
    first_life: int = 0

    @property
    def finished(self) -> bool:
        """Whether no group's part is pending."""
        return all(progress.state != "pending" for progress in self.groups.values())

    @property
    def outcome(self) -> str:
        """pending, done, failed, rolled-back or overtaken; the first of these that a part has, done the last."""
        states = {progress.state for progress in self.groups.values()}
        for outcome in ("pending", "failed", "rolled-back", "overtaken"):
            if outcome in states:
                return outcome
        return "done"


def by_hand(target: GroupTarget, processes: int) -> int | None:
    """Return what to keep of a number of processes that was given: None where the target says the same.

    Where the number follows the load any number that somebody gives is one that stays.
    """
    return processes if target.scaling or processes != target.processes else None


@dataclass(frozen=True, slots=True)
class Proved:
    """A target that came up and lasted, with the number of processes that was given by hand."""

    target: GroupTarget
    processes_override: int | None = None

    def scaled(self, processes: int) -> Proved:
        """Return it with another number of processes, given by hand."""
        return replace(self, processes_override=by_hand(self.target, processes))


@dataclass(frozen=True, slots=True)
class Former:
    """What a group was before a change. target None: there was no such group.

    proved: what it could return to by itself. given: the number of processes that was given by hand since. renewed: the
    GroupState.restart_before by which the change has its processes replaced for new code; 0: it does not. found: the
    lives of a group that was unknown; its target only describes it.
    """

    target: GroupTarget | None
    processes_override: int | None = None
    proved: Proved | None = None
    stopped: bool = False
    unresolved: str = ""
    given: int | None = None
    renewed: int = 0
    found: frozenset[int] = frozenset()
    starts: Mapping[int, tuple[float, ...]] = field(default_factory=dict, compare=False)  # as GroupState's; not stored

    def scaled(self, processes: int) -> Former:
        """Return it with another number of processes, given by hand: no failure of the change takes that back."""
        if self.target is None or self.found:
            return self
        proved = self.proved and self.proved.scaled(processes)
        override = by_hand(self.target, processes)
        return replace(self, processes_override=override, proved=proved, given=processes)


@dataclass(frozen=True, slots=True)
class Transaction:
    """What an apply has to do as a whole, and what it returns to when a part of it fails: returning.py."""

    change: int
    revision: int  # whose configuration ran before
    former: Mapping[str, Former]  # of the groups that it changes
    removals: frozenset[str] = frozenset()  # to be removed once the rest is done
    returns: bool = True  # something served before
    returning: bool = False
    later: Mapping[str, GroupTarget] = field(default_factory=dict)  # in force once those are ready that they lead to
    paused: bool = False  # no further process is replaced, and no group removed

    def scaled(self, name: str, processes: int) -> Transaction:
        """Return it with what a group returns to having another number of processes."""
        if name not in self.former:
            return self
        return replace(self, former={**self.former, name: self.former[name].scaled(processes)})
