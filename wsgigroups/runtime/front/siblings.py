"""What the processes that share listening sockets tell each other on the pulses, and what this one makes of it.

Used by the leader; `tell` also by the monitor. No system call is made here but for the time. A process says how many
connections it has, or that no thread is free, and how many requests wait for one. The word is about a moment: whoever
acts on it leaves or sends away a few connections, and looks again.
"""

from __future__ import annotations

from typing import Callable, List, Sequence

from ..originals import time
from ..wire.pulse import FULL, GONE, NO_LANE, Pulse

AHEAD = 4  # connections more than a sibling: it has the next one, if it wants it
_PART = 8  # … but of many connections that is nothing: so many more as this part of the sibling's
_LOOK_NS = 50_000_000  # from one look in vain, whether clients should connect anew, to the next
SETTLE_NS = 400_000_000  # … after some have been told to: those must first have come up elsewhere
_MOVES_NS = 200_000_000  # calls have ended within this time: the process gets on
_PEAK_NS = 20_000_000  # calls that began together end together: how long a queue is shows over a while
_TURNOVER_NS = 50_000_000  # if most connections taken within it have gone, clients connect anew for each request
_TURNOVER = 16  # … and so many have been taken at least
_BUSY = 0.9  # of a core: a process that uses as much can hardly do more


class Siblings:
    """Of one process: `queued` is the most requests that have waited in it of late."""

    def __init__(
        self,
        pulses: Sequence[Pulse],
        slot: int,
        clock: Callable[[], int],
        present: bool,
        cpu: Callable[[], int] = time.process_time_ns,
    ) -> None:
        self._pulses = list(pulses) if present else []
        self._present = present
        self._slot = slot
        self._clock = clock
        self._cpu = cpu
        self._used = (0, 0)  # when it was looked at whether clients should connect anew, and processor time by then
        self._pause_ns = 0  # until the next look
        self.queued = 0
        self._peaks = (0, 0, 0)  # since when the last one counts, it, and the one before
        self._moved_ns = -_MOVES_NS  # when calls were seen to end while no thread was free
        self._turnover = (0, 0, 0)  # when it was looked at, and how many had been taken and had gone by then
        self._fleeting = False

    def tell(self, connections: int, full: bool, no_lane: bool, leaving: bool) -> None:
        """Say how this process is: how many connections it has, whether threads are free, whether it ends."""
        if not self._pulses:
            return
        now_ns = self._clock()
        if leaving or (full and not self.moves(now_ns)):
            said = GONE
        elif full:
            said = min(FULL + self.queued, GONE - 1)
        else:
            said = NO_LANE if no_lane else min(connections, NO_LANE - 1)
        for pulse in self._pulses:
            pulse.tell(self._slot, said, now_ns)

    def count(self, queued: int) -> int:
        """Take note of how many requests wait here now; return the most of late."""
        now_ns = self._clock()
        since_ns, last, before = self._peaks
        if now_ns - since_ns >= _PEAK_NS:
            before = last if now_ns - since_ns < 2 * _PEAK_NS else 0
            since_ns, last = now_ns, 0
        last = max(last, queued)
        self._peaks = since_ns, last, before
        self.queued = max(last, before)
        return self.queued

    def moved(self) -> None:
        """Take note that calls end here although no thread is free."""
        self._moved_ns = self._clock()

    def moves(self, now_ns: int) -> bool:
        """Whether calls have ended here of late."""
        return now_ns - self._moved_ns <= _MOVES_NS

    def alone(self) -> bool:
        """Whether nobody else accepts here: a group of several processes may have but one at the moment."""
        if not self._present:
            return True
        now_ns = self._clock()
        return bool(self._pulses) and all(pulse.alone(self._slot, now_ns) for pulse in self._pulses)

    def take(self) -> bool:
        """Whether one takes connections still, or will again."""
        return any(said < GONE for said in self._fewest())

    def have_lane(self) -> bool:
        """Whether one has a thread for a request that waits long."""
        return any(said < NO_LANE for said in self._fewest())

    def all_longer(self, pulse: Pulse) -> bool:
        """Whether no sibling on this listener has a thread free, or fewer requests that wait for one."""
        return pulse.fewest(self._slot, self._clock()) >= FULL + self.queued

    def want(
        self, pulse: Pulse, connections: int, taken: int, no_lane: bool, waiting: Callable[[], int] = lambda: 0
    ) -> bool:
        """Whether one should rather have the next connection: it has clearly fewer, or a lane.

        connections: those here now; taken: since the start; waiting: tells how many more are to be taken. If so many
        are that they make up for the difference, both should take. If connections end with their first answer, who has
        how many says nothing.
        """
        now_ns = self._clock()
        fewest = pulse.fewest(self._slot, now_ns)
        if no_lane and fewest < NO_LANE:
            return True
        leave, more = self._clients_leave(now_ns, connections, taken), connections - fewest
        return not leave and more >= _clearly_more(fewest) and more >= waiting()

    def _clients_leave(self, now_ns: int, connections: int, taken: int) -> bool:
        since_ns, taken_then, gone_then = self._turnover
        if now_ns - since_ns >= _TURNOVER_NS:
            lately = taken - taken_then
            recent = now_ns - since_ns <= 2 * _TURNOVER_NS  # in a longer time clients may have come and gone at once
            self._fleeting = recent and lately >= _TURNOVER and 2 * (taken - connections - gone_then) >= lately
            self._turnover = now_ns, taken, taken - connections
        return self._fleeting

    def may_send(self, now_ns: int) -> bool:
        """Whether it is time to ask for the `surplus` again."""
        return bool(self._pulses) and now_ns - self._used[0] >= self._pause_ns

    def surplus(self, connections: int, waiting: int, full: bool) -> int:
        """How many clients should connect anew, so that a sibling may have them.

        waiting: requests, for a thread. While a sibling has one free: half of the connections that are more than its,
        if requests wait here or a core is all that this process can use. When nobody has, and nobody is here either:
        half of the requests that wait here more than there, if the difference is not but a wave.
        """
        then_ns, cpu_then_ns = self._used
        self._used = now_ns, cpu_ns = self._clock(), self._cpu()
        self._pause_ns = _LOOK_NS
        if not waiting and cpu_ns - cpu_then_ns < _BUSY * (now_ns - then_ns):
            return 0
        fewest = min(self._fewest(), default=GONE)
        if fewest < FULL:
            more = connections - fewest
            surplus = more // 2 if more >= 2 * _clearly_more(fewest) else 0
        else:
            more = self.queued - (fewest - FULL)
            surplus = more // 2 if full and more > 0 and 8 * more >= self.queued else 0
        if surplus:
            self._pause_ns = SETTLE_NS
        return min(surplus, waiting) if waiting else surplus

    def _fewest(self) -> List[int]:
        now_ns = self._clock()
        return [pulse.fewest(self._slot, now_ns) for pulse in self._pulses]


def _clearly_more(connections: int) -> int:
    """How many more are so many that the next one should go elsewhere: each that does costs a pause."""
    return max(AHEAD, connections // _PART)
