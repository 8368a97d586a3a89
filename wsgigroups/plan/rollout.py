"""`reconcile`: which lives of one group should begin and which should end now. Pure.

Called by the manager's core after every event, so a step that was lost is simply asked for again. Successor first:
a ready process leaves only when the process that follows it in its slot is ready.
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
    """One record of the group. outdated: another process should take its slot."""

    slot: int
    life: int
    state: Tenancy
    outdated: bool = False


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin a tenancy in this slot."""

    slot: int


@dataclass(frozen=True, slots=True)
class End:
    """Drain, or drop when no process exists. followed: a ready successor stands in its slot."""

    life: int
    followed: bool


Intent = Begin | End


def surge(wanted: int) -> int:
    """How many processes more than wanted may exist while some are replaced: a quarter, at least one."""
    return max(1, -(-wanted // 4))


def reconcile(wanted: int, members: Sequence[Member], extra: int) -> tuple[Intent, ...]:
    """Return what to begin and what to end. extra ≥ 1 is the surge; members may come in any order."""
    staying = sorted((member for member in members if member.state not in LEAVING), key=lambda m: (m.slot, m.life))
    intents: list[Intent] = [End(member.life, followed=False) for member in staying if member.slot > wanted]
    vacant: list[int] = []
    due: list[int] = []  # slots whose ready process wants a successor
    succeeding = 0
    for slot in range(1, wanted + 1):
        here = [member for member in staying if member.slot == slot]
        current = [member for member in here if not member.outdated]
        serving = [member for member in here if member.outdated and member.state is Tenancy.READY]
        followed = any(member.state is Tenancy.READY for member in current)
        intents += [End(m.life, followed=followed) for m in here if m.outdated and (followed or m not in serving)]
        # at most one of each kind may hold a slot; more can only come from an adoption
        intents += [End(member.life, followed=True) for member in current[1:]]
        if current:
            succeeding += bool(serving) and not followed
        elif serving:
            due.append(slot)
        else:
            vacant.append(slot)
    ended = {intent.life for intent in intents if isinstance(intent, End)}
    # one that waits for its next life takes room as well: nobody asks again before it begins
    held = sum(member.state in LIVE or member.life not in ended for member in members)
    room = wanted + extra - held
    begin = vacant[: max(0, room)]
    begin += due[: max(0, min(room - len(begin), extra - succeeding))]
    return (*intents, *(Begin(slot) for slot in begin))


def settled(wanted: int, members: Sequence[Member]) -> bool:
    """Whether exactly the wanted slots are held by ready, current processes and nothing else stays."""
    staying = [member for member in members if member.state not in LEAVING]
    return (
        len(staying) == wanted
        and {member.slot for member in staying} == set(range(1, wanted + 1))
        and all(member.state is Tenancy.READY and not member.outdated for member in staying)
    )
