"""Options of a group that say how long processes live and how they end. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from wsgigroups.config.effects import Effect
from wsgigroups.config.kinds import Bytes, Duration, Integer, Kind
from wsgigroups.config.models.base import OptionModel, option

_WATCHED = "the manager keeps this time"
_OFF = "0: off"


class RecyclingOptions(OptionModel):
    """When a process is replaced though nothing is wrong."""

    restart_interval: Duration = option(
        0.0,
        "Replace each process after this time. One process of the group at a time, spread by up to 10 %, the successor "
        "ready before the old one goes.",
        default_text=_OFF,
        effect=Effect.LIVE,
        reason=_WATCHED,
        example="12h",
        related=("graceful-timeout", "maximum-requests"),
    )
    maximum_requests: Integer = option(
        0,
        "Replace a process after this many requests that reached the application; the last answer is complete. With "
        "one thread it is the last: no connection is taken after it has begun. Spread by up to 10 %, so that a group "
        "never goes cold at once. For memory that leaks.",
        default_text=_OFF,
        effect=Effect.LIVE,
        reason="running processes count against the new number",
        example=10000,
        minimum=0,
        maximum=2**53,
        related=("graceful-timeout", "restart-interval", "memory-soft-limit"),
    )
    inactivity_timeout: Duration = option(
        0.0,
        "Replace a process that has had no request for this long, which brings its memory back to the start size. "
        "Counts from the first request on: a process that never served is left alone.",
        default_text=_OFF,
        effect=Effect.LIVE,
        reason=_WATCHED,
        example="30m",
        related=("restart-interval",),
    )
    memory_soft_limit: Bytes = option(
        0,
        "Replace a process whose resident memory exceeds this, successor first. Below the size that a process has when "
        "it is ready nothing helps: successors come ever later then, and status names that size.",
        default_text=_OFF,
        effect=Effect.LIVE,
        reason="the manager compares it with what processes use",
        example="400M",
        zero_allowed=True,
        minimum=1048576,
        related=("memory-limit", "maximum-requests"),
        extension=True,
    )


class StuckOptions(OptionModel):
    """When something is wrong with a process."""

    request_timeout: Duration = option(
        0.0,
        "Recover from requests that do not end. With one thread the process is restarted when its request is this old. "
        "With more, the ages of all running requests are added and divided by threads; the restart comes when that "
        "average exceeds this time, so one stuck request alone takes request-timeout × threads. Its "
        "successor starts at once. A process with a thread left for other requests serves on until that is ready; one "
        "with a request of this age in each of its threads is told to leave at once. Stacks and the requests in flight "
        "go to the log first.",
        default_text=_OFF,
        effect=Effect.LIVE,
        reason=_WATCHED,
        example="60s",
        related=("request-timeout-mode", "interrupt-timeout", "threads", "graceful-timeout"),
    )
    request_timeout_mode: Annotated[Literal["average", "each"], Kind("choice")] = option(
        "average",
        "average: request-timeout is compared with the average over all threads, as documented for mod_wsgi. each: "
        "with the age of every single request.",
        effect=Effect.LIVE,
        reason=_WATCHED,
        example="each",
        choices=("average", "each"),
        related=("request-timeout",),
        extension=True,
    )
    interrupt_timeout: Duration = option(
        0.0,
        "At request-timeout raise RequestTimeout in the thread of the request first: of the oldest ones, as many as it "
        "takes for the others to be within the limit. If that unwinds it, its client gets 504 and the process lives; "
        "if the request is still there after this time, the process is restarted. A call of C that waits is not "
        "interrupted before it ends.",
        default_text="0: restart at request-timeout",
        effect=Effect.LIVE,
        reason=_WATCHED,
        example="5s",
        related=("request-timeout",),
        extension=True,
    )
    deadlock_timeout: Duration = option(
        300.0,
        "Restart a process in which no Python code has run for this long because an extension holds the interpreter. "
        "Its stacks go to the log first. 0 switches off this check and nothing else.",
        default_text="5m",
        effect=Effect.LIVE,
        reason=_WATCHED,
        example="60s",
        related=("shutdown-timeout",),
    )
    startup_timeout: Duration = option(
        0.0,
        'The time a process may take from its start until its applications are loaded; with load = "lazy", from the '
        "first request, whether the load hangs or fails each time. A process that takes longer tells where it is, is "
        "ended, and started again, later each time.",
        default_text=_OFF,
        effect=Effect.LIVE,
        reason=_WATCHED,
        example="30s",
        related=("load",),
    )


class EndingOptions(OptionModel):
    """How a process ends."""

    graceful_timeout: Duration = option(
        0.0,
        "When maximum-requests, restart-interval, cpu-time-limit or request-timeout end a process: how long it keeps "
        "accepting while it waits for a moment without requests. The time is never extended.",
        default_text="0: no such window",
        effect=Effect.LIVE,
        reason="told to running processes",
        example="15s",
        related=("eviction-timeout", "shutdown-timeout"),
    )
    eviction_timeout: Duration = option(
        0.0,
        "The same window for `wsgigroups reload` and SIGUSR1. It begins when the successor is ready. SIGTERM and a "
        "stop end any window at once; nothing makes one longer.",
        default_text="graceful-timeout",
        effect=Effect.LIVE,
        reason="told to running processes",
        example="60s",
        related=("graceful-timeout", "shutdown-timeout"),
    )
    shutdown_timeout: Duration = option(
        5.0,
        "After any window: how long running requests and exit handlers may take, with no new requests. Then the "
        "process is killed. It holds for a stop of the manager too. 0 sets no limit: the process leaves when its last "
        "request is over, whenever that is; one that deadlock-timeout or request-timeout found stuck is killed after "
        "5 s all the same.",
        default_text="5s",
        effect=Effect.LIVE,
        reason="told to running processes",
        example="30s",
        related=("graceful-timeout", "eviction-timeout"),
    )
