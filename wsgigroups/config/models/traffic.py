"""Options of a group that say how requests reach it and answers leave it. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from wsgigroups.config.effects import Effect, When
from wsgigroups.config.kinds import Boolean, Bytes, Duration, Integer, Kind, LogPath, Networks
from wsgigroups.config.models.base import OptionModel, option

_TOLD = "told to running processes"
_SOCKET = "set on the listening socket"
_LOWERED = "a lower limit is set on running processes; a higher one, or none, takes new ones: hard limits only go down"


class QueueOptions(OptionModel):
    """Before a request runs."""

    connect_timeout: Duration = option(
        15.0,
        "How long a connection may wait for a place when listen-backlog requests wait already; then the answer is 503.",
        default_text="15s",
        effect=Effect.LIVE,
        reason=_TOLD,
        example="5s",
        related=("listen-backlog", "queue-timeout"),
    )
    queue_timeout: Duration = option(
        0.0,
        "How long a request may wait for a thread. When that time is over it is answered 504 at once and the "
        "application never sees it, so a transient backlog goes away quickly.",
        default_text="0: off",
        effect=Effect.LIVE,
        reason=_TOLD,
        example="45s",
        related=("listen-backlog", "connect-timeout", "socket-timeout"),
    )
    listen_backlog: Integer = option(
        100,
        "How many requests may wait for a thread, and the depth of the socket's own queue (listen(2)), which the "
        "system limits to net.core.somaxconn.",
        effect=Effect.REBIND,
        reason=_SOCKET,
        example=256,
        minimum=1,
        maximum=65535,
        related=("connect-timeout", "queue-timeout"),
    )
    trusted_proxies: Networks = option(
        (),
        'Peers whose X-Forwarded-* and X-Request-Start headers are believed: networks in CIDR notation, or "unix" '
        "for peers on UNIX sockets that run as root or as the owner of the socket's file (socket-user).",
        default_text="none",
        effect=Effect.LIVE,
        reason=_TOLD,
        example=["127.0.0.1/32", "unix"],
        related=("listen",),
        extension=True,
    )


class ConnectionOptions(OptionModel):
    """The connection itself."""

    socket_timeout: Duration = option(
        60.0,
        "The time for each single read from or write to the connection: request head, request body, and the link to "
        "a gateway.",
        default_text="timeout of [server], which is 60s",
        effect=Effect.LIVE,
        reason=_TOLD,
        example="30s",
        related=("response-socket-timeout", "queue-timeout"),
    )
    keep_alive_timeout: Duration = option(
        5.0,
        "How long a connection without a request is kept. 0 closes it after each answer.",
        default_text="5s",
        effect=Effect.LIVE,
        reason=_TOLD,
        example="15s",
        related=("socket-timeout",),
        extension=True,
    )
    response_socket_timeout: Duration = option(
        0.0,
        "How long a write to the client may make no progress once response-buffer-size is full; then the connection is "
        "aborted and the thread is free again.",
        default_text="0: the same as socket-timeout",
        effect=Effect.LIVE,
        reason=_TOLD,
        example="10s",
        related=("socket-timeout", "response-buffer-size"),
    )
    receive_buffer_size: Bytes = option(
        0,
        "SO_RCVBUF of the listening socket; the system doubles it for its own use and has a maximum.",
        default_text="0: the system's",
        effect=Effect.REBIND,
        reason=_SOCKET,
        example="64K",
        minimum=512,
        zero_allowed=True,
        related=("send-buffer-size",),
    )
    send_buffer_size: Bytes = option(
        0,
        "SO_SNDBUF of the listening socket; the system doubles it for its own use and has a maximum.",
        default_text="0: the system's",
        effect=Effect.REBIND,
        reason=_SOCKET,
        example="64K",
        minimum=512,
        zero_allowed=True,
        related=("receive-buffer-size",),
    )
    header_buffer_size: Bytes = option(
        32768,
        "The largest single header line that an application may send; a larger one makes the answer 500, and the log "
        "names the header and its size.",
        default_text="32K",
        effect=Effect.LIVE,
        reason=_TOLD,
        example="64K",
        minimum=8192,
        zero_allowed=True,
        related=("response-buffer-size",),
    )
    response_buffer_size: Bytes = option(
        65536,
        "How much of an answer is held for a slow client before the thread that produces it has to wait.",
        default_text="64K",
        effect=Effect.LIVE,
        reason=_TOLD,
        example="1M",
        minimum=65536,
        zero_allowed=True,
        related=("response-socket-timeout",),
    )
    response_flush_delay: Duration = option(
        0.0,
        "Accepted so that configurations of mod_wsgi 6 can be read; answers are sent as soon as the application yields "
        "them, as PEP 3333 asks.",
        default_text="0: nothing waits",
        effect=Effect.NONE,
        reason="nothing depends on it",
        example="5ms",
        extension=True,
    )


class ObservationOptions(OptionModel):
    """What is written down."""

    access_log: Annotated[Literal["off", "common", "combined", "json"], Kind("choice")] = option(
        "off",
        "Log each request to the group's log, in the common or combined format of web servers or as JSON lines.",
        effect=Effect.LIVE,
        reason=_TOLD,
        example="combined",
        choices=("off", "common", "combined", "json"),
        related=("error-log",),
        extension=True,
    )
    application_metrics: Boolean = option(
        False,
        "Give the processes PROMETHEUS_MULTIPROC_DIR, a directory of the group's own, so that what they count with "
        "prometheus_client is added up over all of them, and over those that have ended: /metrics/GROUP of "
        "health-listen, metrics-listen and the control API.",
        effect=Effect.REPLACE,
        reason="a process has its environment from the start",
        example=True,
        extension=True,
    )
    error_log: LogPath | None = option(
        None,
        "The log of the group: what its processes print and what happens to them. A file, /dev/stdout or /dev/stderr "
        '("-" is stdout), which are the manager\'s own, for containers and journald; /dev/log is syslog. '
        "docs/logs.md has what that costs.",
        default_text="error-log of the group's site, then of [server]; else NAME.log in the log directory",
        effect=Effect.LIVE,
        reason="running processes are given it",
        example="/var/log/blog/error.log",
        related=("access-log",),
        extension=True,
    )
    server_metrics: Boolean = option(
        False,
        "Accepted so that configurations of mod_wsgi 6 can be read; `wsgigroups status` has the numbers of every "
        "process without it.",
        effect=Effect.LIVE,
        reason="nothing depends on it",
        example=True,
        extension=True,
    )


class LimitOptions(OptionModel):
    """What a process may use."""

    cpu_time_limit: Duration = option(
        0.0,
        "Processor time that a process may use in its life (RLIMIT_CPU), in whole seconds. At the limit it is "
        "recycled: it serves on until its successor is ready, for 30 s of processor time at most, and leaves with "
        "graceful-timeout and shutdown-timeout. Every process reaches it in the end.",
        default_text="0: off",
        effect=Effect.REPLACE,
        reason="a resource limit is set when a process starts",
        example="1h",
        minimum=1,
        zero_allowed=True,
        related=("graceful-timeout", "cpu-priority"),
    )
    cpu_priority: Integer = option(
        0,
        "The nice value, -20 to 20; lower is favoured. Negative values need a manager that runs as root. The system "
        "takes 20 for 19.",
        effect=Effect.LIVE,
        reason="set on running processes",
        example=10,
        minimum=-20,
        maximum=20,
        related=("cpu-time-limit",),
    )
    memory_limit: Bytes = option(
        0,
        "Memory that a process may allocate (RLIMIT_DATA). Beyond it allocations fail and the application sees "
        "MemoryError; the process is not killed.",
        default_text="0: off",
        effect=Effect.LIVE,
        otherwise={When.RAISED: Effect.REPLACE},
        reason=_LOWERED,
        example="512M",
        minimum=1048576,
        zero_allowed=True,
        related=("memory-soft-limit", "virtual-memory-limit"),
    )
    virtual_memory_limit: Bytes = option(
        0,
        "Address space that a process may map (RLIMIT_AS), thread stacks and shared libraries included.",
        default_text="0: off",
        effect=Effect.LIVE,
        otherwise={When.RAISED: Effect.REPLACE},
        reason=_LOWERED,
        example="2G",
        minimum=1048576,
        zero_allowed=True,
        related=("memory-limit", "stack-size"),
    )
    stack_size: Bytes = option(
        0,
        "The stack of each request thread, rounded up to a page.",
        default_text="0: the system's, usually 8M of address space",
        effect=Effect.REPLACE,
        reason="threads get their stack when they start",
        example="512K",
        minimum=32768,
        maximum=2**32,
        zero_allowed=True,
        related=("threads", "virtual-memory-limit"),
    )
