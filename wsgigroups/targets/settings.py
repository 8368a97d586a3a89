"""What a group's options alone become: rules for its life, limits of the kernel, settings of its server. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from wsgigroups.lifecycle.watch import Rules
from wsgigroups.runtime.wire.spec import Serving

if TYPE_CHECKING:
    from wsgigroups.config import Group
    from wsgigroups.config.models.server import ServerDefaults

_SUCCESSOR_CPU_S = 30  # processor time behind cpu-time-limit in which a process waits for its successor


def rules_of(group: Group) -> Rules:
    """Return what ends or replaces a process of a group."""
    return Rules(
        threads=group.threads,
        deadlock_timeout_s=group.deadlock_timeout,
        request_timeout_s=group.request_timeout,
        request_timeout_mode=group.request_timeout_mode,
        interrupt_timeout_s=group.interrupt_timeout,
        # of a group that may sleep it is the time until the last process goes, which scaling keeps
        inactivity_timeout_s=0.0 if group.processes_min == 0 else group.inactivity_timeout,
        restart_interval_s=group.restart_interval,
        memory_soft_limit_bytes=group.memory_soft_limit,
        startup_timeout_s=group.startup_timeout if group.load == "lazy" else 0.0,
    )


def limits_of(group: Group) -> dict[str, tuple[int, int]]:
    """Return limits of setrlimit(2), soft and hard, by their names without RLIMIT_."""
    limits = {"CORE": (group.limit_core, group.limit_core)}
    for name, value in (("NPROC", group.limit_nproc), ("NOFILE", group.limit_nofile), ("FSIZE", group.limit_fsize)):
        if value:
            limits[name] = (value, value)
    if group.cpu_time_limit:
        soft = int(group.cpu_time_limit)
        behind = math.ceil((group.graceful_timeout + group.shutdown_timeout) * group.threads) + 2 + _SUCCESSOR_CPU_S
        limits["CPU"] = (soft, soft + behind)
    if group.memory_limit:
        limits["DATA"] = (group.memory_limit, group.memory_limit)
    if group.virtual_memory_limit:
        limits["AS"] = (group.virtual_memory_limit, group.virtual_memory_limit)
    return limits


def serving_of(group: Group, server: ServerDefaults) -> Serving:
    """Return the settings of the server in a process of a group."""
    socket_timeout_s = group.socket_timeout if group.is_set("socket_timeout") else server.timeout
    return Serving(
        threads=group.threads,
        multiprocess=group.is_set("processes") or group.is_set("processes_max"),
        run_once=group.threads == 1 and group.maximum_requests == 1,
        stack_size_bytes=group.stack_size,
        listen_backlog=group.listen_backlog,
        connect_timeout_s=group.connect_timeout,
        socket_timeout_s=socket_timeout_s,
        queue_timeout_s=group.queue_timeout,
        # A kept connection is accepted once, and that is when "wait" looks for new code.
        keep_alive_timeout_s=0.0 if group.script_reloading == "wait" else group.keep_alive_timeout,
        response_socket_timeout_s=group.response_socket_timeout or 0.0,
        header_buffer_size_bytes=group.header_buffer_size or 32768,
        response_buffer_size_bytes=group.response_buffer_size or 65536,
        maximum_requests=group.maximum_requests,
        trusted_proxies=tuple(str(item) for item in group.trusted_proxies),
        access_log=group.access_log,
        interruptible=group.interrupt_timeout > 0,
        limit_request_line=group.limit_request_line,
        limit_request_field_size=group.limit_request_field_size,
        limit_request_fields=group.limit_request_fields,
        limit_request_body=group.limit_request_body,
        chunked_bodies=group.chunked_bodies,
        request_id=group.request_id,
        slow_request_s=group.slow_request,
    )
