"""`reconcile`: which lives of one group should begin and which should end now. Pure.

Called by the manager's core after every event, so a step that was lost is simply asked for again. Successor first:
a ready process leaves only when the process that follows it in its slot is ready and has been for long enough. Where
there is no room for a successor and processes may be missing, a ready process leaves first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsgigroups.lifecycle.table import Tenancy

if TYPE_CHECKING:
    from collections.abc import Sequence

LIVE = frozenset(
    {Tenancy.SPAWNING, Tenancy.STARTING, Tenancy.READY, Tenancy.DRAINING, Tenancy.KILLING, Tenancy.ABORTING}
)
LEAVING = frozenset({Tenancy.DRAINING, Tenancy.KILLING})


@dataclass(frozen=True, slots=True)
class Member:
    """One record of the group. outdated: another process should take its slot.

    seasoned: it has been ready for long enough for the process before it in its slot to leave.
    """

    slot: int
    life: int
    state: Tenancy
    outdated: bool = False
    seasoned: bool = True


@dataclass(frozen=True, slots=True)
class Budget:
    """How far a replacement may go at once.

    surge: processes more than wanted. unavailable: slots that may be without a ready process because one left before
    its successor came. slots: how many may have a successor at all, until those are found good; None: all.
    """

    surge: int = 1
    unavailable: int = 0
    slots: int | None = None


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin a tenancy in this slot."""

    slot: int


@dataclass(frozen=True, slots=True)
class End:
    """Drain, or drop when no process exists. followed: a ready successor stands in its slot.

    first: it makes room for its successor.
    """

    life: int
    followed: bool
    first: bool = False


Intent = Begin | End


def reconcile(wanted: int, members: Sequence[Member], budget: Budget) -> tuple[Intent, ...]:
    """Return what to begin and what to end. Members may come in any order."""
    staying = sorted((member for member in members if member.state not in LEAVING), key=lambda m: (m.slot, m.life))
    intents: list[Intent] = [End(member.life, followed=False) for member in staying if member.slot > wanted]
    vacant: list[int] = []
    due: list[int] = []  # slots whose ready process wants a successor
    succeeding = 0
    holders: dict[int, list[Member]] = {}
    for member in staying:
        holders.setdefault(member.slot, []).append(member)
    for slot in range(1, wanted + 1):
        here = holders.get(slot, [])
        if len(here) == 1 and not here[0].outdated:
            continue  # all is as it should be, as mostly
        current = [member for member in here if not member.outdated]
        serving = [member for member in here if member.outdated and member.state is Tenancy.READY]
        followed = any(member.state is Tenancy.READY and member.seasoned for member in current)
        intents += [End(m.life, followed=followed) for m in here if m.outdated and (followed or m not in serving)]
        # At most one of each kind may hold a slot. More come from an adoption, or from a successor that is to be
        # followed itself before it was ready for long enough: the one that has served longest stays.
        intents += [End(member.life, followed=True) for member in (*current[1:], *(() if followed else serving[1:]))]
        if current:
            succeeding += bool(serving) and not followed
        elif serving:
            due.append(slot)
        else:
            vacant.append(slot)
    ended = {intent.life for intent in intents if isinstance(intent, End)}
    # one that waits for its next life takes room as well: nobody asks again before it begins
    held = sum(member.state in LIVE or member.life not in ended for member in members)
    room = wanted + budget.surge - held
    begun = len(vacant[: max(0, room)])
    if budget.slots is not None:
        due = due[: max(0, budget.slots - (wanted - len(due)))]
    successors = due[: max(0, min(room - begun, budget.surge - succeeding))]
    first = _leaving_first(wanted, staying, ended, due[len(successors) :], budget.unavailable)
    return (*intents, *first, *(Begin(slot) for slot in (*vacant[:begun], *successors)))


def _leaving_first(
    wanted: int, staying: Sequence[Member], ended: set[int], due: Sequence[int], unavailable: int
) -> list[Intent]:
    """Which ready processes make room for their successors: as many as may be missing."""
    ready = {m.slot for m in staying if m.state is Tenancy.READY and m.slot <= wanted and m.life not in ended}
    going = due[: max(0, len(ready) - (wanted - unavailable))]
    return [End(m.life, followed=False, first=True) for m in staying if m.slot in going and m.life not in ended]


def settled(wanted: int, members: Sequence[Member]) -> bool:
    """Whether exactly the wanted slots are held by ready, current processes and nothing else stays."""
    staying = [member for member in members if member.state not in LEAVING]
    return (
        len(staying) == wanted
        and {member.slot for member in staying} == set(range(1, wanted + 1))
        and all(member.state is Tenancy.READY and not member.outdated for member in staying)
    )
