"""Values of one group that cannot work together, each with its arithmetic. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wsgigroups.config.diagnostics import Finding
from wsgigroups.config.units import approximate_bytes, format_bytes, format_duration

if TYPE_CHECKING:
    from wsgigroups.config.models.group import Group
    from wsgigroups.config.models.site import Server
    from wsgigroups.config.source import Path

ADVISED_THREADS = 64
_LATE = {
    "PYTHONHOME": "python-home",
    "PYTHONPATH": "python-path",
    "PYTHONUTF8": "locale",
    "PYTHONIOENCODING": "locale",
    "LANG": "lang",
    "LC_ALL": "locale",
}


def check_arithmetic(path: Path, group: Group, server: Server, findings: list[Finding]) -> None:
    """Add what cannot work, or not as it looks."""
    for check in (_threads, _timeouts, _request_timeout, _windows, _memory, _late_variables, _without_effect):
        findings.extend(
            Finding(code, (*path, *key.split(".")), message, hint) for code, key, message, hint in check(group, server)
        )


_Found = Iterator[tuple[str, str, str, str | None]]


def _duration(seconds: float) -> str:
    return format_duration(seconds)


def _threads(group: Group, _server: Server) -> _Found:
    if group.threads > ADVISED_THREADS:
        yield (
            "WG0501",
            "threads",
            f"{group.threads} threads in one process run Python code one at a time all the same",
            '"Do not get carried away and set this to a very large number" (WSGIDaemonProcess): use more processes',
        )
    if group.chroot is not None:
        yield (
            "WG0502",
            "chroot",
            "chroot is deprecated by its documentation",
            "a container or systemd unit isolates more",
        )


def _socket_timeout(group: Group, server: Server) -> float:
    return group.socket_timeout if group.is_set("socket_timeout") else server.timeout


def _timeouts(group: Group, server: Server) -> _Found:
    socket_s = _socket_timeout(group, server)
    if group.shutdown_timeout == 0 and group.deadlock_timeout:
        yield (
            "WG0503",
            "shutdown-timeout",
            (
                f"shutdown-timeout 0 kills at once: what deadlock-timeout ({_duration(group.deadlock_timeout)}) ends, "
                "and every stop, interrupts running requests and skips exit handlers"
            ),
            "give it the time of a usual request, for example 5s",
        )
    if group.queue_timeout and socket_s and group.queue_timeout > socket_s:
        yield (
            "WG0504",
            "queue-timeout",
            (
                f"a request may wait {_duration(group.queue_timeout)} in the queue, but whoever waits for its answer "
                f"gives up after socket-timeout, {_duration(socket_s)}: queue-timeout never comes first"
            ),
            f"set queue-timeout below {_duration(socket_s)}",
        )
    if group.connect_timeout and group.queue_timeout and group.connect_timeout > group.queue_timeout:
        yield (
            "WG0517",
            "connect-timeout",
            (
                f"connections wait up to {_duration(group.connect_timeout)} for a place in the queue, longer than a "
                f"request may stay in it ({_duration(group.queue_timeout)})"
            ),
            "set connect-timeout to queue-timeout or less",
        )
    if group.response_socket_timeout and socket_s and group.response_socket_timeout > socket_s:
        yield (
            "WG0518",
            "response-socket-timeout",
            (
                f"a write without progress ends after socket-timeout ({_duration(socket_s)}), before "
                f"response-socket-timeout ({_duration(group.response_socket_timeout)})"
            ),
            "raise socket-timeout, or leave response-socket-timeout out",
        )


def _request_timeout(group: Group, server: Server) -> _Found:
    if group.interrupt_timeout and not group.request_timeout:
        yield "WG0506", "interrupt-timeout", "interrupt-timeout begins at request-timeout, which is off", "set both"
    if group.is_set("request_timeout_mode") and not group.request_timeout:
        yield "WG0506", "request-timeout-mode", "request-timeout-mode needs request-timeout, which is off", "set both"
    if not group.request_timeout or group.request_timeout_mode == "each" or group.threads == 1:
        return
    socket_s = _socket_timeout(group, server)
    alone_s = group.request_timeout * group.threads
    if socket_s and group.request_timeout > socket_s:
        yield (
            "WG0505",
            "request-timeout",
            (
                f"the average age of requests over {group.threads} threads must exceed "
                f"{_duration(group.request_timeout)}; with all threads stuck that is after that time"
                f", with one after {group.threads} × {_duration(group.request_timeout)} = {_duration(alone_s)}, and "
                f"whoever waits has given up after socket-timeout, {_duration(socket_s)}"
            ),
            f'set request-timeout below {_duration(socket_s)}, or request-timeout-mode = "each"',
        )


def _windows(group: Group, _server: Server) -> _Found:
    longest_s = max(group.graceful_timeout, group.eviction_timeout)
    ends = group.restart_interval or group.maximum_requests or group.cpu_time_limit or group.request_timeout
    ends = ends or group.memory_soft_limit
    if (
        group.is_set("graceful_timeout")
        and group.graceful_timeout
        and not ends
        and not group.is_set("eviction_timeout")
    ):
        yield (
            "WG0507",
            "graceful-timeout",
            (
                "nothing of this group ends in a graceful window but reload: none of maximum-requests, "
                "restart-interval, cpu-time-limit, memory-soft-limit and request-timeout is set"
            ),
            "eviction-timeout is the window of reload alone",
        )
    if group.restart_interval and group.restart_interval <= longest_s + group.shutdown_timeout:
        yield (
            "WG0508",
            "restart-interval",
            (
                f"a process leaves within graceful-timeout + shutdown-timeout = {_duration(longest_s)} + "
                f"{_duration(group.shutdown_timeout)}, and its successor is due after "
                "{_duration(group.restart_interval)}: the group would do nothing but restart"
            ),
            "hours are usual",
        )
    if 0 < group.maximum_requests < group.threads:
        yield (
            "WG0509",
            "maximum-requests",
            f"{group.threads} threads take more requests at once than the {group.maximum_requests} a process may serve",
            "thousands are usual",
        )


def _memory(group: Group, _server: Server) -> _Found:
    if group.memory_limit and group.memory_soft_limit >= group.memory_limit:
        yield (
            "WG0513",
            "memory-soft-limit",
            (
                f"memory-soft-limit ({format_bytes(group.memory_soft_limit)}) is not below memory-limit "
                f"({format_bytes(group.memory_limit)}): allocations fail before the process is replaced"
            ),
            "set it to three quarters of memory-limit",
        )
    stack = group.stack_size or 8 * 1024**2
    stacks = stack * group.threads
    if group.virtual_memory_limit and stacks >= group.virtual_memory_limit:
        yield (
            "WG0514",
            "virtual-memory-limit",
            (
                f"the stacks of {group.threads} threads alone take {group.threads} × {format_bytes(stack)} = "
                f"{approximate_bytes(stacks)} of address space"
            ),
            "set stack-size, for example 512K, or raise the limit",
        )


def _late_variables(group: Group, _server: Server) -> _Found:
    for name in sorted(_LATE.keys() & group.environment.keys()):
        yield (
            "WG0512",
            f"environment.{name}",
            f"{name} in environment comes too late: the interpreter has read it when it started",
            f"use {_LATE[name]}",
        )


def _without_effect(group: Group, _server: Server) -> _Found:
    for attribute, name in (("server_metrics", "server-metrics"), ("response_flush_delay", "response-flush-delay")):
        if group.is_set(attribute) and getattr(group, attribute):
            yield "WG0516", name, f"{name} is accepted and has no effect here", "leave it out"
