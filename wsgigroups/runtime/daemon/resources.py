"""Resource limits, CPU priority and the memory killer's preference of a daemon.

Runs in the forked child while it may still raise limits and priority.
"""

from __future__ import annotations

import math
import resource
from typing import Dict, Optional, Tuple

from ..log import Log
from ..originals import os, time
from .failure import StepError, step

_DEFAULTS = {"CORE": (0, 0)}  # a core file would hold every secret of the environment
_LOWEST_PRIORITY = 19  # setpriority(2) takes 20 and sets 19


def set_limits(limits: Dict[str, Tuple[int, int]]) -> None:
    """Apply each of "NOFILE" → (soft, hard), -1 for unlimited, and prove it. Raises StepError("limits")."""
    for name, pair in dict(_DEFAULTS, **limits).items():
        number = getattr(resource, "RLIMIT_" + name, None)
        if number is None:
            raise StepError("limits", "cannot set the limit %s: this interpreter does not know it" % name)
        with step("limits", "set the limit %s to %d:%d" % (name, pair[0], pair[1])):
            resource.setrlimit(number, pair)
            present = resource.getrlimit(number)
        if present != pair:
            raise StepError("limits", "cannot set the limit %s: it is %r" % (name, present))


def cpu_left_s() -> float:
    """Return for how long this process may still use the processor before the kernel kills it: seconds, inf."""
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    return math.inf if hard == resource.RLIM_INFINITY else hard - time.process_time()


def set_cpu_priority(priority: int, *, is_root: bool, log: Log) -> None:
    """Set the nice value. Raises StepError("priority").

    An ordinary user cannot go back to 0 from a manager started with nice(1); nobody asked for more than the default
    there, so that is said and not fatal.
    """
    wanted = min(priority, _LOWEST_PRIORITY)
    present = os.getpriority(os.PRIO_PROCESS, 0)
    if present == wanted:
        return
    if not is_root and priority == 0:
        log("notice", "keeping the manager's cpu-priority %d" % present)
        return
    with step("priority", "set cpu-priority %d" % priority):
        os.setpriority(os.PRIO_PROCESS, 0, wanted)
    if os.getpriority(os.PRIO_PROCESS, 0) != wanted:
        raise StepError("priority", "cannot set cpu-priority %d: it is still %d" % (priority, present))


def set_oom_score(adjustment: Optional[int]) -> None:
    """Write oom_score_adj (proc(5)), -1000 … 1000; None leaves it. Raises StepError("priority")."""
    if adjustment is None:
        return
    with step("priority", "set oom_score_adj %d" % adjustment), open("/proc/self/oom_score_adj", "w") as file:
        file.write(str(adjustment))
