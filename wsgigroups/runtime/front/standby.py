"""Whether a process stands by while an elder sibling serves, because there are fewer cores than would be busy.

If more processes are busy than there are cores, they push each other and their local clients off them, find cold caches
when they come back, and all together answer less than one of them alone. If what they use together is about one core,
one is enough. What the kernel counts tells: how long the leader has waited for a core (the second number of schedstat:
Documentation/scheduler/sched-stats.rst of the kernel), and, while this process stands by, whether that has left cores
idle (proc_uptime(5)). If it has, or if fewer requests are answered than before, the process serves again and does not
try for a while, each time twice as long.

Used by the leader. Only what the two readers say is not its own.
"""

from __future__ import annotations

import os
import threading
from typing import Callable, Tuple

SECOND_NS = 1_000_000_000
LOOK_NS = SECOND_NS // 20
LOOK_STANDING_BY_S = 0.2  # idle time is counted in hundredths of a second
_LOOK_STANDING_BY_NS = int(LOOK_STANDING_BY_S * SECOND_NS)
_STALE_NS = 4 * LOOK_NS  # what was counted over a longer time says nothing of now
_CROWDED = 0.1  # of the time the leader waits for a core
_SPARE = 0.5  # of a core is idle
_SHORTEST_NS, _LONGEST_NS = SECOND_NS, 64 * SECOND_NS  # from one try in vain to the next
_PROVEN_NS = SECOND_NS  # … unless it has been right for so long
_ENOUGH = 1.35  # cores that all processes use: what is more than one of them is lost to the crowd
_WORTH = 0.9  # as many answers as before, but for what short times differ by chance
_NEVER = 1 << 62


def waited_ns() -> Tuple[int, int]:
    """Return which thread this is, and how long it has waited for a core so far. Raises OSError."""
    return threading.get_ident(), int(_read("/proc/thread-self/schedstat").split()[1])


def idle_ns() -> int:
    """Return for how long cores have been idle, all together, since the machine has started. Raises OSError."""
    return int(float(_read("/proc/uptime").split()[1]) * SECOND_NS)


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 256)
    finally:
        os.close(fd)


class Standby:
    """`active`: what comes is for an elder sibling."""

    __slots__ = (
        "_again_ns",
        "_before",
        "_idle",
        "_idle_ns",
        "_looked_ns",
        "_rest_ns",
        "_since_ns",
        "_waited",
        "_was",
        "active",
    )

    def __init__(self, waited: Callable[[], Tuple[int, int]] = waited_ns, idle: Callable[[], int] = idle_ns) -> None:
        self.active = False
        self._waited = waited
        self._idle = idle
        self._looked_ns = -_STALE_NS
        self._was = (0, 0)  # what `waited` said then
        self._idle_ns = 0  # … and `idle`
        self._since_ns = 0  # when the process began to stand by
        self._before = 0.0  # calls a second by then, of all processes; 0: that has been compared
        self._again_ns = -_NEVER  # when it may
        self._rest_ns = _SHORTEST_NS

    def look(self, now_ns: int, enough: bool, cores: float, calls: float) -> None:
        """Decide; to be called every LOOK_NS.

        enough: whether an elder sibling takes connections, and its calls and ours are short; cores: that all processes
        use; calls: a second, of all.
        """
        elapsed_ns = now_ns - self._looked_ns
        if now_ns < self._again_ns or (self.active and elapsed_ns < _LOOK_STANDING_BY_NS and enough):
            return
        self._looked_ns = now_ns
        try:
            if self.active:
                self._go_on(now_ns, elapsed_ns, enough, calls)
            else:
                self._begin(now_ns, elapsed_ns, enough and cores <= _ENOUGH, calls)
        except (OSError, ValueError, IndexError):  # no /proc, or a kernel that does not count
            self.active = False
            self._again_ns = _NEVER

    def _begin(self, now_ns: int, elapsed_ns: int, enough: bool, calls: float) -> None:
        if not enough:
            self._looked_ns = -_STALE_NS
            return
        was, self._was = self._was, self._waited()
        crowded = self._was[0] == was[0] and self._was[1] - was[1] >= _CROWDED * elapsed_ns
        if crowded and elapsed_ns <= _STALE_NS:
            self._idle_ns = self._idle()
            self._since_ns = now_ns
            self._before = calls
            self.active = True

    def _go_on(self, now_ns: int, elapsed_ns: int, enough: bool, calls: float) -> None:
        idle_ns, self._idle_ns = self._idle_ns, self._idle()
        if now_ns - self._since_ns >= _PROVEN_NS:
            self._rest_ns = _SHORTEST_NS
        before, self._before = self._before, 0.0
        if not enough:
            self.active = False  # there is nothing to do any more, or work of another kind
        elif self._idle_ns - idle_ns > _SPARE * elapsed_ns or calls < _WORTH * before:
            self.active = False
            self._again_ns = now_ns + self._rest_ns
            self._rest_ns = min(2 * self._rest_ns, _LONGEST_NS)
