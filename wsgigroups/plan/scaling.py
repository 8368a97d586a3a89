"""How many processes a group should have by its load: one step for each look at it. Pure.

`step` takes what was seen since the last look and returns what it remembers and what it wants. More processes come for
busy threads, for requests that wait, and for interpreters that are the limit while processors are idle. One at a time
goes, when for `scale-down-delay` fewer would have been enough. Requests that wait are the matter of scaling_queue.py,
memory and what all groups share that of scaling_budget.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from wsgigroups.plan import scaling_queue
from wsgigroups.plan.scaling_queue import QueueMemory

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOK_S = 0.25  # between two looks
HURRY_S = LOOK_S / 2  # until the next one at a group that has grown: less has too little in it to judge by
LATELY_S = 2.0  # over which busy threads and processor time are averaged
GIL_CORES = 0.85  # of a process that its interpreter keeps from more
WAITING_CORES = 0.3  # of a process whose threads all wait for something else
IDLE_CORES = 0.25  # less is none
SPARE_CORES = 0.5  # for one process more that computes
FULL = 0.95  # of the threads of all processes
DOWN = 0.8  # of the target that those which stay may have come to
SETTLE_S = 60.0  # after a start nobody leaves
SLEEP_S = 900.0  # without a request, where inactivity-timeout is not set
MOST_DELAY_S = 3600.0
FORGIVEN_S = 4 * 3600.0  # without a process more: the delay is that of the option again
_PARTS = 60  # of the time that is looked back


@dataclass(frozen=True, slots=True)
class ScalingTarget:
    """The limits of a group whose processes follow the load. Seconds and bytes; target_utilisation is in 0 … 1.

    all_processes: the most of all groups together, 0 for no bound; reserve_percent: of all memory, left by every start.
    """

    minimum: int
    maximum: int
    target_utilisation: float = 0.7
    queue_target_s: float = 0.1
    scale_down_delay_s: float = 300.0
    sleep_after_s: float = SLEEP_S
    all_processes: int = 0
    reserve_percent: int = 10

    def within(self, processes: int) -> int:
        """The nearest number that the limits allow."""
        return min(self.maximum, max(self.minimum, processes))

    @property
    def sleeps(self) -> bool:
        """Whether the group may be without any process."""
        return self.minimum == 0


def scaling_from_json(data: Mapping[str, Any] | None) -> ScalingTarget | None:
    """Build what another version may have stored with more or less in it. Raises TypeError for another shape."""
    if data is None:
        return None
    known = {item.name for item in fields(ScalingTarget)}
    return ScalingTarget(**{name: value for name, value in data.items() if name in known})


@dataclass(frozen=True, slots=True)
class LoadSeen:
    """What a look found of one group. passed_s: since the last one; busy_s, cpu_s, waited_s: of all threads in that.

    waited_s: for how long those have waited that were taken; queued: who waits now. largest_bytes: of a process.
    victim: whether the process that would go has no request, or none that its end would cut off.
    """

    wanted: int
    ready: int
    threads: int
    passed_s: float
    busy_s: float = 0.0
    cpu_s: float = 0.0
    taken: int = 0
    waited_s: float = 0.0
    queued: int = 0
    starting: int = 0
    leaving: int = 0
    rolling: bool = False
    victim: bool = True


@dataclass(frozen=True, slots=True)
class Cores:
    """Processors that this machine, or its cgroup, has for us, and how many of them nobody used lately."""

    number: float
    idle: float


Recent = tuple[tuple[float, float, float, int], ...]  # of looks: seconds, busy and processor seconds, taken


class Lately(NamedTuple):
    """The last looks together. busy: threads, used: processors, of all processes, on average; takes_s: 0, not known."""

    busy: float
    used: float
    taken: int
    takes_s: float  # for how long a request had a thread


_NOTHING = Lately(0.0, 0.0, 0, 0.0)


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of a group from look to look. Moments are on the monotonic clock."""

    since: float
    recent: Recent = ()
    waiting: QueueMemory = field(default_factory=QueueMemory)
    needs: tuple[tuple[float, int], ...] = ()  # when a part of the delay began, and the most that was needed in it
    started_at: float | None = None  # a process was last on its way up
    raised_at: float | None = None
    lowered_at: float | None = None
    active_at: float | None = None  # somebody last asked for something
    delay_s: float = 0.0  # scale-down-delay, or what it has grown to


@dataclass(frozen=True, slots=True)
class Want:
    """What a step comes to: so many processes, and why. wait_s: how long requests wait now; held: why not more."""

    processes: int
    reason: str
    wait_s: float = 0.0
    held: str = ""


def step(before: Memory | None, limits: ScalingTarget, look: LoadSeen, cores: Cores, now: float) -> tuple[Memory, Want]:
    """Return what is to be remembered and what is wanted. now: seconds on the monotonic clock."""
    memory = _seen(before or Memory(now), limits, look, now)
    wait_s = _wait_s(look)
    too_long = 0 < limits.queue_target_s < wait_s
    if look.passed_s >= HURRY_S:
        memory = replace(memory, waiting=scaling_queue.looked(memory.waiting, look, too_long=too_long))
    found = lately(memory)
    needed, reason = _needed(memory, found, limits, look, cores, wait_s if too_long else 0.0, now)
    memory = _noted(memory, found, limits, look, needed, now)
    more, held = _bounded(needed, found, limits, look, cores)
    if more > look.wanted:
        if memory.lowered_at is not None and now - memory.lowered_at <= memory.delay_s:
            longest_s = max(MOST_DELAY_S, limits.scale_down_delay_s)
            memory = replace(memory, delay_s=min(longest_s, max(1.0, memory.delay_s * 2)))
        return replace(memory, raised_at=now, lowered_at=None), Want(more, reason, wait_s, held)
    if held:
        return memory, Want(look.wanted, reason, wait_s, held)
    if _sleeps(memory, limits, look, now):
        return memory, Want(0, f"no request for {limits.sleep_after_s:g} s", wait_s)
    if _leaves(memory, limits, look, now):
        memory = replace(memory, lowered_at=now)
        most = max((number for _begin, number in memory.needs), default=0)
        text = f"{max(1, most)} would have been enough for {memory.delay_s:g} s"
        return memory, Want(look.wanted - 1, text, wait_s)
    return memory, Want(limits.within(look.wanted), reason, wait_s)


def woken(before: Memory | None, now: float) -> Memory:
    """Return what is remembered of a group that somebody has asked for something: it does not sleep at once."""
    return replace(before or Memory(now), active_at=now, waiting=QueueMemory(), recent=())


def _seen(memory: Memory, limits: ScalingTarget, look: LoadSeen, now: float) -> Memory:
    """Take in the numbers of a look."""
    active = look.busy_s > 0 or look.queued > 0 or look.taken > 0 or look.starting > 0
    delay_s = max(memory.delay_s, limits.scale_down_delay_s)
    if memory.raised_at is not None and now - memory.raised_at > FORGIVEN_S:
        delay_s = limits.scale_down_delay_s
    return replace(
        memory,
        recent=_recent_with(memory.recent, look),
        started_at=now if look.starting else memory.started_at,
        active_at=now if active or memory.active_at is None else memory.active_at,
        delay_s=delay_s,
    )


def _recent_with(recent: Recent, look: LoadSeen) -> Recent:
    """Return the last looks with this one, those of LATELY_S."""
    if look.passed_s > 0:
        recent = (*recent, (look.passed_s, look.busy_s, look.cpu_s, look.taken))
    seconds = 0.0
    for place in range(len(recent) - 1, 0, -1):
        seconds += recent[place][0]
        if seconds >= LATELY_S:
            return recent[place:]
    return recent


def lately(memory: Memory) -> Lately:
    """Return what is known of the last looks together."""
    seconds = busy_s = cpu_s = 0.0
    taken = 0
    for item in memory.recent:
        seconds += item[0]
        busy_s += item[1]
        cpu_s += item[2]
        taken += item[3]
    if seconds <= 0:
        return _NOTHING
    return Lately(busy_s / seconds, cpu_s / seconds, taken, busy_s / taken if taken else 0.0)


def _wait_s(look: LoadSeen) -> float:
    """How long requests wait: those that were taken, or those that wait now at the pace at which they are taken."""
    taken_s = look.waited_s / look.taken if look.taken else 0.0
    queued_s = look.queued * look.passed_s / max(1, look.taken)
    return max(taken_s, queued_s)


def _computes(found: Lately, threads: int) -> float | None:
    """Processors that a process uses all of whose threads are busy; None where nobody knows what a request takes."""
    return min(1.0, found.used / found.busy * threads) if found.takes_s > 0 else None


def _needed(
    memory: Memory,
    found: Lately,
    limits: ScalingTarget,
    look: LoadSeen,
    cores: Cores,
    wait_s: float,
    now: float,
) -> tuple[int, str]:
    """How many processes the load asks for, whatever there is for them, and why. wait_s: 0 where it is not too long."""
    busy, used = found.busy, found.used
    there = max(1, look.ready) * look.threads
    share = busy / there
    number = math.ceil(round(busy / (look.threads * limits.target_utilisation), 6))
    reason = (
        f"{min(share, 1):.0%} of {max(1, look.ready)} × {look.threads} threads busy, "
        f"target {limits.target_utilisation:.0%}"
    )
    if share >= FULL and look.ready and used / look.ready < WAITING_CORES:
        reason += "; they wait for something else: more threads would do"
    if memory.waiting.too_long and wait_s:
        by_queue = scaling_queue.needed(memory.waiting, look, limits.target_utilisation, found.takes_s)
        if by_queue > number:
            number = by_queue
            reason = f"requests wait {wait_s * 1000:.0f} ms, target {limits.queue_target_s * 1000:.0f} ms"
    settled = not look.starting and (memory.started_at is None or now - memory.started_at >= LATELY_S)
    if settled and look.ready and used / look.ready > GIL_CORES and cores.idle >= SPARE_CORES and number <= look.ready:
        number = look.ready + 1
        reason = f"{used / look.ready:.2f} processors a process, its interpreter is the limit"
    return number, reason


def _bounded(needed: int, found: Lately, limits: ScalingTarget, look: LoadSeen, cores: Cores) -> tuple[int, str]:
    """What of it may be started now, and why not all: at most twice as many at a look.

    More than twice those that are ready only as far as processors are idle for them: one on its way up has used none.
    """
    most = look.ready * 2
    computes = _computes(found, look.threads)
    if computes is not None:
        room = math.floor(cores.idle / computes) if computes > 0 else look.wanted
        most = max(most, min(look.wanted * 2, look.ready + room))
    more = min(limits.within(needed), max(1, most, look.wanted))
    if look.wanted < limits.minimum:
        return max(more, limits.minimum), ""
    if needed <= look.wanted:
        return look.wanted, ""
    if not look.ready:  # nobody has shown that it comes up
        return look.wanted, ""
    if cores.idle < IDLE_CORES:
        return look.wanted, "all processors are busy"
    if needed > limits.maximum <= look.wanted:
        return look.wanted, f"processes-max = {limits.maximum}"
    return more, ""


def _noted(memory: Memory, found: Lately, limits: ScalingTarget, look: LoadSeen, needed: int, now: float) -> Memory:
    """Remember the most that was needed, for as long as nobody may leave because of it."""
    least = max(
        _more_than(found.busy / (look.threads * limits.target_utilisation * DOWN)),
        _more_than(found.used / (GIL_CORES * DOWN)),
    )
    number = max(needed, min(least, look.wanted))
    width_s = memory.delay_s / _PARTS
    needs = tuple(item for item in memory.needs if item[0] + width_s >= now - memory.delay_s)
    if needs and now < needs[-1][0] + width_s:
        needs = (*needs[:-1], (needs[-1][0], max(needs[-1][1], number)))
    else:
        needs = (*needs, (now, number))
    return replace(memory, needs=needs)


def _more_than(number: float) -> int:
    return math.floor(round(number, 6)) + 1 if number > 0 else 0


def _leaves(memory: Memory, limits: ScalingTarget, look: LoadSeen, now: float) -> bool:
    """Whether one process is to go."""
    if look.rolling or look.starting or look.leaving or look.ready < look.wanted or not look.victim:
        return False
    if look.wanted <= max(1, limits.minimum) or now - memory.since < memory.delay_s:
        return False
    if memory.started_at is not None and now - memory.started_at < min(SETTLE_S, limits.scale_down_delay_s):
        return False
    return all(number < look.wanted for _begin, number in memory.needs)


def _sleeps(memory: Memory, limits: ScalingTarget, look: LoadSeen, now: float) -> bool:
    """Whether the last process is to go, with nobody to follow."""
    if not limits.sleeps or look.wanted != 1 or look.rolling or look.leaving or not look.victim:
        return False
    return memory.active_at is not None and now - memory.active_at >= limits.sleep_after_s
