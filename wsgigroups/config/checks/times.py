"""Times of one group that cannot work together, each with its arithmetic. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wsgigroups.config.units import format_duration as text

if TYPE_CHECKING:
    from wsgigroups.config.models.group import Group
    from wsgigroups.config.models.server import ServerDefaults

STUCK_SHUTDOWN_S = 5.0  # what the manager gives a stuck process where shutdown-timeout is 0 (lifecycle.step)
_EXIT_S = 1.0  # and one second for the exit itself

Found = Iterator[tuple[str, str, str, str | None]]  # code, option, message, hint


def check_queue(group: Group, server: ServerDefaults) -> Found:
    """How long a request may wait before it runs."""
    socket_s, queue_s, connect_s = socket_timeout(group, server), group.queue_timeout, group.connect_timeout
    if queue_s and socket_s and queue_s > socket_s:
        yield (
            "WG0504",
            "queue-timeout",
            (
                f"a request may wait {text(queue_s)} in the queue, but a gateway waits for its answer no longer than "
                f"socket-timeout, {text(socket_s)}: in the last {_difference(queue_s, socket_s)} nobody wants it"
            ),
            f"set queue-timeout below {text(socket_s)}",
        )
    if connect_s and queue_s and connect_s > queue_s:
        yield (
            "WG0517",
            "connect-timeout",
            (
                f"both begin when a request is complete, and queue-timeout is over after {text(queue_s)}: "
                f"{_difference(connect_s, queue_s)} before connect-timeout, {text(connect_s)}, which never decides"
            ),
            "set connect-timeout to queue-timeout or less",
        )


def check_requests(group: Group, server: ServerDefaults) -> Found:
    """How long a request may run."""
    limit_s, threads = group.request_timeout, group.threads
    if group.interrupt_timeout and not limit_s:
        message = (
            f"interrupt-timeout ends {text(group.interrupt_timeout)} after request-timeout, and request-timeout is 0, "
            "off: there is no moment to count from"
        )
        yield "WG0506", "interrupt-timeout", message, "set both"
    if group.is_set("request_timeout_mode") and not limit_s:
        mode = group.request_timeout_mode
        message = f'"{mode}" says what is compared with request-timeout, and request-timeout is 0, off'
        yield "WG0506", "request-timeout-mode", message, "set both"
    if not limit_s or group.request_timeout_mode == "each" or threads == 1:
        return
    socket_s = socket_timeout(group, server)
    if socket_s and limit_s > socket_s:
        yield (
            "WG0505",
            "request-timeout",
            (
                f"the ages of all requests, added and divided by {threads} threads, must exceed {text(limit_s)}: with "
                f"all {threads} stuck after {text(limit_s)}, with one after {threads} × {text(limit_s)} = "
                f"{text(limit_s * threads)}; a gateway has given up before, after socket-timeout, {text(socket_s)}"
            ),
            f'set request-timeout below {text(socket_s)}, or request-timeout-mode = "each"',
        )


def check_endings(group: Group, _server: ServerDefaults) -> Found:
    """How long a process takes to leave, and when it has to."""
    graceful_s, shutdown_s, interval_s = group.graceful_timeout, group.shutdown_timeout, group.restart_interval
    deadlock_s = group.deadlock_timeout
    if not shutdown_s and deadlock_s:
        yield (
            "WG0503",
            "shutdown-timeout",
            (
                "shutdown-timeout 0 is no limit: a process that has to leave takes as long as its longest request, for "
                f"ever if that never ends. Only what deadlock-timeout ({text(deadlock_s)}) or request-timeout finds "
                f"stuck is killed, {text(STUCK_SHUTDOWN_S)} later and {text(_EXIT_S)} for the exit: at "
                f"{text(deadlock_s)} + {text(STUCK_SHUTDOWN_S)} + {text(_EXIT_S)} = "
                f"{text(deadlock_s + STUCK_SHUTDOWN_S + _EXIT_S)}"
            ),
            "give it the time of a usual request, for example 5s",
        )
    recycled = (
        interval_s or group.maximum_requests or group.cpu_time_limit or group.memory_soft_limit or group.request_timeout
    )
    if group.is_set("graceful_timeout") and graceful_s and not recycled and not group.is_set("eviction_timeout"):
        yield (
            "WG0507",
            "graceful-timeout",
            (
                f"nothing of this group ends in a window of {text(graceful_s)} but reload: maximum-requests, "
                "restart-interval, cpu-time-limit, memory-soft-limit and request-timeout are all 0"
            ),
            "eviction-timeout is the window of reload alone",
        )
    if interval_s and interval_s <= graceful_s + shutdown_s:
        leaves = f"{text(graceful_s)} + {text(shutdown_s)} = {text(graceful_s + shutdown_s)}"
        if not shutdown_s:
            leaves = f"{text(graceful_s)} + no limit"
        yield (
            "WG0508",
            "restart-interval",
            (
                f"a process may take graceful-timeout + shutdown-timeout = {leaves} to leave, and its successor is "
                f"due after {text(interval_s)}: the group would do nothing but restart"
            ),
            "hours are usual",
        )
    if 0 < group.maximum_requests < group.threads:
        count, threads = group.maximum_requests, group.threads
        yield (
            "WG0509",
            "maximum-requests",
            (
                f"{threads} threads take {threads} requests at once, more than the {count} a process may serve: by "
                f"{threads} − {count} = {threads - count}"
            ),
            "thousands are usual",
        )


def socket_timeout(group: Group, server: ServerDefaults) -> float:
    """What holds for the group: its own, or that of [server]."""
    return group.socket_timeout if group.is_set("socket_timeout") else server.timeout


def _difference(larger_s: float, smaller_s: float) -> str:
    return f"{text(larger_s)} − {text(smaller_s)} = {text(round(larger_s - smaller_s, 3))}"
