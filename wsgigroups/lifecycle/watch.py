"""The rules by which the manager judges a ready daemon from outside, reading its board and its age.

Pure: numbers in, a verdict out. A process cannot judge itself when its GIL is held, so the daemon only publishes; see
"Who enforces what" in docs/architecture.md. Each rule cites the option it enforces.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


PERIOD_S = 1.0  # between two looks at a process that does something
QUIET_S = 15.0  # and at one that does nothing, at most
_LATE = 0.05  # of a limit: how much later than at once it may be seen that it is passed


class Verdict(Enum):
    """What should follow."""

    STALLED = "stalled"  # replace it, do not wait for it: drain at once with shutdown-timeout, then SIGKILL
    STUCK = "stuck"  # replace it; its other requests have its graceful window. See Judgement.serves
    RECYCLE = "recycle"  # replace it start-first, in its graceful window
    OVERDUE = "overdue"  # it does not come up: end it, the next attempt waits for its backoff
    INTERRUPT = "interrupt"  # it stays, some of its requests are to end


@dataclass(frozen=True, slots=True)
class Rules:
    """The options that are enforced here. Seconds and bytes; 0 turns a rule off."""

    threads: int = 15
    deadlock_timeout_s: float = 300.0
    request_timeout_s: float = 0.0
    request_timeout_mode: str = "average"
    interrupt_timeout_s: float = 0.0
    inactivity_timeout_s: float = 0.0
    restart_interval_s: float = 0.0
    memory_soft_limit_bytes: int = 0
    startup_timeout_s: float = (
        0.0  # of a load that a request began (load = "lazy"); the way up has a deadline of its own
    )


@dataclass(frozen=True, slots=True)
class Underway:
    """A request in the application; ages in seconds."""

    age_s: float
    thread: int = 0  # the number of its request thread
    interrupted_s: float | None = None  # since it was to be interrupted for the first time


@dataclass(frozen=True, slots=True)
class Vitals:
    """One look at a daemon. Ages in seconds on the monotonic clock; everything a tenant wrote is untrusted."""

    age_s: float  # since it became ready
    heartbeat_age_s: float
    requests: Sequence[Underway]
    requests_started: int
    requests_active: int
    idle_s: float  # since a request last began or ended
    rss_bytes: int
    loading_s: float = 0.0  # since a request first wanted an application that is not loaded; 0: there is none
    damage: str = ""  # what is wrong with the board; then nothing that was read from it is in here
    wish: str = ""  # the option for which it wants a successor; it has said so once, and may not have been heard


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, the option behind it and the arithmetic for the log.

    serves: a thread is left for other requests, so it may wait for its successor; one that is stuck as a whole leaves
    at once.
    """

    verdict: Verdict
    reason: str
    detail: str
    requests: Sequence[Underway] = ()  # which to interrupt
    serves: bool = False


def quiet_s(rules: Rules) -> float:
    """Seconds between two looks at a process that does nothing: fewer where a limit is short. 1 … 15.

    What passes a limit until the next look is noticed late by that much. Memory that a thread of the application takes
    meanwhile has nothing to do with time.
    """
    if rules.memory_soft_limit_bytes:
        return PERIOD_S
    limits = (
        rules.deadlock_timeout_s,
        rules.request_timeout_s,
        rules.interrupt_timeout_s,
        rules.inactivity_timeout_s,
        rules.restart_interval_s,
        rules.startup_timeout_s,
    )
    shortest_s = min((limit for limit in limits if limit > 0), default=QUIET_S / _LATE)
    return min(QUIET_S, max(PERIOD_S, shortest_s * _LATE))


def absence_s(elapsed_s: float, period_s: float, busy_s: float) -> float:
    """Seconds of those between two beats in which a process did not run at all. busy_s: processor time it used.

    A process that is stopped or without a processor uses none. One that computes for long in one piece beats late and
    was there all the time.
    """
    absent_s = elapsed_s - period_s - busy_s
    return absent_s if absent_s > period_s else 0.0


def judge(rules: Rules, vitals: Vitals, jitter: float) -> Judgement | None:
    """Return what should happen to this daemon, or None. jitter is in [0, 1): it spreads restart-interval by 10 %."""
    if vitals.damage:  # a process that blinds its own supervision is as good as one that hangs
        return Judgement(Verdict.STALLED, "board", vitals.damage)
    if 0 < rules.deadlock_timeout_s < vitals.heartbeat_age_s:
        return Judgement(
            Verdict.STALLED,
            "deadlock-timeout",
            f"no heartbeat for {vitals.heartbeat_age_s:.1f} s: something holds the GIL",
        )
    if 0 < rules.startup_timeout_s < vitals.loading_s:
        return Judgement(
            Verdict.OVERDUE,
            "startup-timeout",
            f"not loaded within {rules.startup_timeout_s:g} s of the first request",
        )
    stuck = _request_timeout(rules, vitals.requests)
    if stuck:
        return stuck
    # spread downwards, so that the documented interval stays the longest life
    interval_s = rules.restart_interval_s * (1 - 0.1 * jitter)
    if 0 < interval_s <= vitals.age_s:
        return Judgement(Verdict.RECYCLE, "restart-interval", f"ready for {vitals.age_s:.1f} s")
    if 0 < rules.memory_soft_limit_bytes < vitals.rss_bytes:
        return Judgement(Verdict.RECYCLE, "memory-soft-limit", f"{vitals.rss_bytes} bytes resident")
    armed = rules.inactivity_timeout_s > 0 and vitals.requests_started > 0 and vitals.requests_active == 0
    if armed and vitals.idle_s >= rules.inactivity_timeout_s:
        return Judgement(Verdict.RECYCLE, "inactivity-timeout", f"no request for {vitals.idle_s:.1f} s")
    if vitals.wish:
        return Judgement(Verdict.RECYCLE, vitals.wish, "it has no successor yet")
    return None


def _request_timeout(rules: Rules, requests: Sequence[Underway]) -> Judgement | None:
    """request-timeout as documented: one thread, the request's age; more, the sum of ages over all threads.

    With interrupt-timeout the oldest requests are interrupted, as many as it takes for the others to be within the
    limit, and again at each look for as long as they are there; one that does not end is what it would be without.
    """
    if rules.request_timeout_s <= 0 or not requests:
        return None
    found = _over(rules, requests)
    serves = sum(request.age_s > rules.request_timeout_s for request in requests) < rules.threads
    if rules.interrupt_timeout_s <= 0:
        return Judgement(Verdict.STUCK, "request-timeout", found, serves=serves) if found else None
    interrupted = [request for request in requests if request.interrupted_s is not None]
    for request in interrupted:
        if (request.interrupted_s or 0.0) > rules.interrupt_timeout_s:
            detail = f"a request runs for {request.age_s:.1f} s, interrupt-timeout did not end it"
            return Judgement(Verdict.STUCK, "request-timeout", detail, serves=serves)
    others = sorted(
        (request for request in requests if request.interrupted_s is None),
        key=lambda request: request.age_s,
        reverse=True,
    )
    while others and _over(rules, others):
        interrupted.append(others.pop(0))
    return Judgement(Verdict.INTERRUPT, "request-timeout", found, interrupted) if interrupted else None


def _over(rules: Rules, requests: Sequence[Underway]) -> str:
    """Return the arithmetic if these requests are over request-timeout, else ""."""
    if not requests:
        return ""
    oldest_s = max(request.age_s for request in requests)
    if rules.threads == 1 or rules.request_timeout_mode == "each":
        return f"a request runs for {oldest_s:.1f} s" if oldest_s > rules.request_timeout_s else ""
    sum_s = sum(request.age_s for request in requests)
    average_s = sum_s / rules.threads
    if average_s <= rules.request_timeout_s:
        return ""
    return f"{len(requests)} requests, {sum_s:.1f} s in all over {rules.threads} threads: {average_s:.1f} s"
