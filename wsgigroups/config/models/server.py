"""[server]: what holds for all groups, and what the manager itself does. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from wsgigroups.config.counted_kinds import MOST_PROCESSES
from wsgigroups.config.effects import Effect
from wsgigroups.config.kinds import (
    Boolean,
    Duration,
    Integer,
    Kind,
    LogPath,
    OrdinaryUser,
    Percent,
    SingleAddress,
)
from wsgigroups.config.models.base import option
from wsgigroups.config.models.logs import LogOptions
from wsgigroups.config.service_kinds import DatagramSocket, ServiceUrl, UdpAddress

_IDENTITY = "a process takes its identity when it starts"
_SCALES = "the manager reads it at each look at groups whose processes follow the load"
_MANAGER_LISTENS = "the manager listens there from then on"


class ServerDefaults(LogOptions):
    """`[server]`: what Apache's server configuration gave its daemons."""

    user: OrdinaryUser | None = option(
        None,
        "The user of groups that name none. Only used when the manager runs as root.",
        default_text="www-data, else nobody",
        effect=Effect.REPLACE,
        reason=_IDENTITY,
        example="www-data",
    )
    group: OrdinaryUser | None = option(
        None,
        "The primary group of groups that name none. Only used when the manager runs as root.",
        default_text="the primary group of the user",
        effect=Effect.REPLACE,
        reason=_IDENTITY,
        example="www-data",
    )
    timeout: Duration = option(
        60.0,
        "The socket-timeout of groups that set none.",
        default_text="60s",
        effect=Effect.LIVE,
        reason="told to running processes",
        example="30s",
    )
    error_log: LogPath | None = option(
        None,
        "One log for all groups that have no error-log of their own or their site: a file, "
        "/dev/stdout or /dev/stderr, or /dev/log.",
        default_text="one NAME.log per group in the log directory",
        effect=Effect.LIVE,
        reason="the manager writes it",
        example="/var/log/wsgigroups/error.log",
    )
    spawners: Annotated[Literal["shared", "per-user"], Kind("choice")] = option(
        "shared",
        "Whether groups of different users may have one spawner, and so one address layout and one seed of string "
        "hashes. Only used when the manager runs as root; an interpreter that is not root's has one per user anyway.",
        effect=Effect.REPLACE,
        reason="processes are forked by their spawner",
        example="per-user",
        choices=("shared", "per-user"),
        extension=True,
    )
    processes_max: Integer | None = option(
        None,
        "The most processes of all groups together, where the load would have groups have more (processes-max of a "
        "group). Those whose requests wait longest get more first; what the file asks for of itself is started anyway.",
        default_text="none: memory alone",
        effect=Effect.LIVE,
        reason=_SCALES,
        example=40,
        minimum=1,
        maximum=MOST_PROCESSES,
        related=("memory-reserve",),
        extension=True,
    )
    memory_reserve: Percent = option(
        10,
        "The part of the memory, of the machine or of the manager's cgroup, that is left when the load has a group "
        "have more processes: none is started for which there is no memory beside it.",
        effect=Effect.LIVE,
        reason=_SCALES,
        example="20%",
        minimum=0,
        maximum=90,
        related=("processes-max",),
        extension=True,
    )
    drain_delay: Duration = option(
        0.0,
        "For how long everything serves on when the manager is asked to end, by SIGTERM, SIGINT or `shutdown`: /readyz "
        "says 503 at once, answers carry `Connection: close`, and connections are accepted, so that whoever sends "
        "requests here can see it and send them elsewhere. Then everything drains. A second signal, and `shutdown "
        "--now`, do not wait.",
        default_text="0: everything drains at once",
        effect=Effect.LIVE,
        reason="the manager waits for so long when it is to end",
        example="10s",
        related=("shutdown-timeout", "health-listen"),
        extension=True,
    )
    telemetry_service: DatagramSocket | None = option(
        None,
        "The socket of mod_wsgi's telemetry service (`mod_wsgi-telemetry serve`, a package of PyPI): each second the "
        "manager sends it a sample of each process, for its web page and its terminal monitor. Nothing waits for it.",
        default_text="none",
        effect=Effect.LIVE,
        reason="the manager sends to it from then on",
        example="unix:/run/mod_wsgi-telemetry.sock",
        related=("slow-request",),
        extension=True,
    )
    statsd_service: UdpAddress | None = option(
        None,
        "A StatsD server that the manager tells of its metrics each ten seconds, by UDP. It takes the extra "
        "wsgigroups[statsd].",
        default_text="none",
        effect=Effect.LIVE,
        reason="the manager sends to it from then on",
        example="127.0.0.1:8125",
        extension=True,
    )
    otlp_service: ServiceUrl | None = option(
        None,
        "A collector of OpenTelemetry that the manager tells of its metrics each ten seconds, by OTLP over HTTP: the "
        "URL for metrics. OTEL_EXPORTER_OTLP_HEADERS in the manager's environment is heeded. It takes the extra "
        "wsgigroups[opentelemetry].",
        default_text="none",
        effect=Effect.LIVE,
        reason="the manager sends to it from then on",
        example="http://127.0.0.1:4318/v1/metrics",
        extension=True,
    )
    health_listen: SingleAddress | None = option(
        None,
        "Where the manager answers /livez, /readyz, /readyz/GROUP, /servingz and /metrics over HTTP: an address of the "
        "loopback interface, or a UNIX socket that every user may connect to.",
        default_text="nowhere",
        effect=Effect.LIVE,
        reason=_MANAGER_LISTENS,
        example="127.0.0.1:9180",
        related=("metrics-listen", "health-public"),
        extension=True,
    )
    metrics_listen: SingleAddress | None = option(
        None,
        "Where the manager answers /metrics over HTTP, and nothing else: an address of the loopback interface, or a "
        "UNIX socket that every user may connect to.",
        default_text="nowhere",
        effect=Effect.LIVE,
        reason=_MANAGER_LISTENS,
        example="127.0.0.1:9181",
        related=("health-listen", "health-public"),
        extension=True,
    )
    dashboard: SingleAddress | None = option(
        None,
        "Where the manager shows what runs as a page for a browser: a port of the loopback interface. It shows and "
        "changes nothing; `wsgigroups web --link` prints an address that opens it once.",
        default_text="nowhere",
        effect=Effect.LIVE,
        reason=_MANAGER_LISTENS,
        example="127.0.0.1:9000",
        related=("health-listen",),
        extension=True,
    )
    health_public: Boolean = option(
        False,
        "Whether health-listen and metrics-listen may be addresses that other machines reach, as those of a container "
        "have to be. Whoever reaches them reads names of groups, their state and their figures.",
        effect=Effect.LIVE,
        reason=_MANAGER_LISTENS,
        example=True,
        related=("health-listen", "metrics-listen"),
        extension=True,
    )
