"""How a crew goes about its calls: inline, eager, or single. Pure: times are told, in monotonic nanoseconds.

*Inline*, the leader calls the application itself, and somebody else leads when a call outlasts a tick. *Eager*, leaders
hand over before they call, since calls wait for something. *Single* is for calls that compute: threads that compute
gain nothing from one another where there is a GIL, they only take it away from each other, so requests are put in line
and the leader calls them one by one. That calls compute is not guessed: when an eager crew uses a core, single is tried
for two windows, and kept unless it answers fewer requests than the crew did before.

| mode   | a call outlasts a tick               | calls in a row are short     | a window is over                     |
|--------|--------------------------------------|------------------------------|--------------------------------------|
| inline | eager                                |                              |                                      |
| eager  |                                      | QUICK_ROW below 3 ms: inline | a core is used: single, for a trial  |
| single | the second one that waits: eager;    | BRIEF_ROW below 0.3 ms:      | idle: inline; the trial failed:      |
|        | one that computes has PATIENT_TICKS  | inline                       | eager, for a while                   |

Written by the monitor and, as to short calls, by request threads; a lost update moves a switch by a few requests.
"""

from __future__ import annotations

import sys

TICK_S = 0.005  # a call that outlasts one to two ticks costs the caller its leadership
PATIENT_TICKS = 5  # … unless it computes in single mode
QUICK_NS = 3_000_000
QUICK_ROW = 200
WINDOW_NS = 50_000_000
LONGEST_WINDOW_NS = 400_000_000  # a window lasts until it has seen a FEW calls, but no longer
FEW = 8
BUSY_SHARE = 0.6  # of a core, from which threads may be in each other's way
IDLE_SHARE = 0.4
_TRIAL_WINDOWS = 2  # calls under way end in the first, the second is judged
_WORTH = 0.8  # as many requests as before, but for what windows differ by chance
_WAITS = 2
_PAUSE_NS = 250_000_000  # after a trial that failed; twice as long each time
_LONGEST_PAUSE_NS = 8_000_000_000
_PROVEN_NS = 2_000_000_000  # single for so long: the next pause is a short one again


class Pace:
    """The mode, and what it is decided by."""

    __slots__ = (
        "_before",
        "_began_ns",
        "_calls",
        "_cpu_ns",
        "_not_before_ns",
        "_pause_ns",
        "_row",
        "_since_ns",
        "_threads_compete",
        "_trial",
        "_waits",
        "eager",
        "single",
    )

    def __init__(self, threads_compete: bool = True) -> None:
        """threads_compete: whether only one thread at a time runs Python code."""
        self._threads_compete = threads_compete
        self.eager = False
        self.single = False
        self._row = 0  # calls in a row that took less than QUICK_NS, counted while eager
        self._since_ns = 0  # when the window began, and what had been used and done by then; 0: none has begun
        self._cpu_ns = 0
        self._calls = 0
        self._waits = 0  # calls of this window that lost the lead while they waited
        self._trial = 0  # windows left of it
        self._before = 0.0  # calls per nanosecond before it
        self._began_ns = 0  # when single mode did
        self._not_before_ns = 0
        self._pause_ns = _PAUSE_NS

    def ended(self, took_ns: int) -> None:
        """Take note of a call that ended while somebody else led."""
        if took_ns < QUICK_NS:
            self._row += 1
            if self._row == QUICK_ROW:
                self.eager = False
        else:
            self._row = 0

    def may_go_on(self, ticks: int, computing: bool) -> bool:
        """Whether a call that has lasted for so many ticks keeps the lead."""
        return self.single and computing and ticks < PATIENT_TICKS

    def overran(self, now_ns: int, computing: bool) -> None:
        """Take note of a call that lost the lead."""
        self._row = 0
        if self.single:
            self._waits += not computing
            if self._waits < _WAITS:
                return  # now and then a machine is late
            self._end_single(now_ns)
        if not self.eager:
            self._since_ns = 0
        self.eager = True

    def brief(self) -> None:
        """Take note of calls in a row so short that to put requests in line would cost more than it gives."""
        self.single = False

    def due(self, now_ns: int) -> bool:
        """Whether `weigh` would do anything."""
        return now_ns - self._since_ns >= WINDOW_NS

    def weigh(self, now_ns: int, cpu_ns: int, calls: int) -> bool:
        """Weigh what has been done since the last window; whether single mode begins.

        cpu_ns: processor time of the process; calls: how many have ended. Both since whenever.
        """
        wall_ns = now_ns - self._since_ns
        done = calls - self._calls
        if not self._since_ns:
            self._since_ns, self._cpu_ns, self._calls, self._waits = now_ns, cpu_ns, calls, 0
            return False
        if wall_ns < WINDOW_NS or (done < FEW and wall_ns < LONGEST_WINDOW_NS):
            return False
        share, rate = (cpu_ns - self._cpu_ns) / wall_ns, done / wall_ns
        self._since_ns, self._cpu_ns, self._calls, self._waits = now_ns, cpu_ns, calls, 0
        if self.single:
            if share < IDLE_SHARE:
                self.single = False
            elif self._trial:
                self._trial -= 1
                if not self._trial and rate < _WORTH * self._before:
                    self._end_single(now_ns)
                    self.eager = True
            return False
        if not (self._threads_compete and self.eager and share >= BUSY_SHARE and done >= FEW):
            return False
        if now_ns < self._not_before_ns:
            return False
        self.eager, self.single = False, True
        self._trial, self._before, self._began_ns = _TRIAL_WINDOWS, rate, now_ns
        return True

    def _end_single(self, now_ns: int) -> None:
        self.single = False
        if now_ns - self._began_ns >= _PROVEN_NS:
            self._pause_ns = _PAUSE_NS
        self._not_before_ns = now_ns + self._pause_ns
        self._pause_ns = min(2 * self._pause_ns, _LONGEST_PAUSE_NS)


def threads_compete() -> bool:
    """Whether there is a GIL; Python 3.13 can be built without and can switch it on and off."""
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())
