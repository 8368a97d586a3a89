"""The times of a pod, each longer than what it has to wait for. Pure; seconds.

Terms: Kubernetes documentation, Pod Lifecycle (termination, probes) and Deployments (progressDeadlineSeconds).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgigroups.config import Group, ServerDefaults

DRAIN_DELAY_S = 10.0  # for proxies of all nodes to hear that a pod leaves
_EXIT_S = 1  # of a process, after shutdown-timeout
_MARGIN_S = 2  # for the manager's own end
_STARTUP_S = 300  # where startup-timeout sets no limit
_PROGRESS_S = 600  # the default of a Deployment
_PROGRESS_MARGIN_S = 60  # to pull an image, beside the start


@dataclass(frozen=True, slots=True)
class ProbeTimes:
    """When the kubelet asks, how long it waits, and how often in a row it has to be disappointed."""

    period_s: int
    timeout_s: int
    failures: int
    delay_s: int = 0

    @property
    def window_s(self) -> int:
        """From the start of the container, or the last good answer, until something is done about it."""
        return self.delay_s + self.period_s * self.failures


READINESS = ProbeTimes(period_s=5, timeout_s=3, failures=2)
LIVENESS = ProbeTimes(period_s=10, timeout_s=5, failures=6)


@dataclass(frozen=True, slots=True)
class PodDeadlines:
    """Of one group. stop_s: what a stop takes at most, by our own clocks; grace_s: when the kubelet kills."""

    stop_s: float
    grace_s: int
    startup: ProbeTimes
    progress_s: int


def drain_delay_s(server: ServerDefaults) -> float:
    """How long connections are still taken when the pod is told to end: what [server] says, else ten seconds."""
    written = server.model_dump(by_alias=True, exclude_unset=True)
    return float(written.get("drain-delay", DRAIN_DELAY_S))


def deadlines_of(group: Group, server: ServerDefaults) -> PodDeadlines:
    """Return the times of a group's pods. Its shutdown-timeout is no 0: that would be no limit."""
    stop_s = drain_delay_s(server) + group.shutdown_timeout + _EXIT_S
    failures = math.ceil((group.startup_timeout or _STARTUP_S) / 2)
    startup = ProbeTimes(period_s=2, timeout_s=1, failures=failures, delay_s=1)
    return PodDeadlines(
        stop_s=stop_s,
        grace_s=math.ceil(stop_s + _MARGIN_S),
        startup=startup,
        progress_s=max(_PROGRESS_S, startup.window_s + _PROGRESS_MARGIN_S),
    )
