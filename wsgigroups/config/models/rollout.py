"""Options of a group that say how its processes are replaced, and how a new one shows that it is good. Pure."""

from __future__ import annotations

from wsgigroups.config.effects import Effect
from wsgigroups.config.kinds import Duration, HostName, Integer, Part, Percent, UrlPath
from wsgigroups.config.models.base import OptionModel, option

_NEXT = "the manager reads it at each step of a replacement"
_STARTS = "told to a process when it starts; those that run have passed"


class RolloutOptions(OptionModel):
    """The table `rollout` of a group."""

    max_surge: Part = option(
        "25%",
        "How many processes more than processes may be there while some are replaced: a number, or a part of all, a "
        "part of one being one. With 0 a process leaves before its successor starts, as max-unavailable allows.",
        effect=Effect.LIVE,
        reason=_NEXT,
        example=2,
        related=("max-unavailable",),
        extension=True,
    )
    max_unavailable: Part = option(
        0,
        "How many processes may be missing while some are replaced: a number, or a part of all, a part of one being "
        "none. With 0 a process leaves only when its successor is ready. Where the machine has no memory for one "
        "process more, or max-surge is 0, one at a time leaves first all the same.",
        effect=Effect.LIVE,
        reason=_NEXT,
        example="25%",
        related=("max-surge",),
        extension=True,
    )
    min_ready_time: Duration = option(
        5.0,
        "How long the first processes of what is new (canary says how many) have to be ready, beside those that they "
        "will replace, before anything else happens. If one of them dies or stalls, or if too many of their answers "
        "are errors, nothing else is replaced, and the target before is in force again. The others follow as soon as "
        "they are ready. It holds for apply, restart and reload, not for script-reloading and recycling.",
        effect=Effect.LIVE,
        reason=_NEXT,
        example="30s",
        related=("canary", "canary-time", "abort-error-rate"),
        extension=True,
    )
    canary: Part = option(
        1,
        "How many processes are replaced before all others: a number, or a part of all, at least one.",
        effect=Effect.LIVE,
        reason=_NEXT,
        example="10%",
        related=("canary-time", "min-ready-time"),
        extension=True,
    )
    canary_time: Duration = option(
        0.0,
        "How long these serve in the place of those that they replaced, before the others follow.",
        default_text="0: the others follow at once",
        effect=Effect.LIVE,
        reason=_NEXT,
        example="10m",
        related=("canary", "abort-error-rate"),
        extension=True,
    )
    abort_error_rate: Percent = option(
        50,
        "Give a rollout up when so many per cent of the answers of its new processes have a status of 500 or more, and "
        "more of them than of the processes before. It is compared from abort-minimum-requests requests on, for as "
        "long as the rollout takes. Three are enough where all are errors, and less than one in a hundred times the "
        "processes before would have answered so. Processes with nothing to do take new connections in turn; "
        "requests on kept connections stay where they are. Where hardly anybody asks, health-path says more.",
        effect=Effect.LIVE,
        reason=_NEXT,
        example="10%",
        related=("abort-minimum-requests", "health-path", "min-ready-time", "canary-time"),
        extension=True,
    )
    abort_minimum_requests: Integer = option(
        20,
        "How many requests the new processes have to have answered together before their error rate says anything.",
        effect=Effect.LIVE,
        reason=_NEXT,
        example=100,
        minimum=1,
        maximum=10**6,
        related=("abort-error-rate",),
        extension=True,
    )
    health_path: UrlPath | None = option(
        None,
        "A path that the application of each new process has to answer before the process joins the others: it is "
        "called inside the process, as by a GET of this path, with no connection and no listener. A process that does "
        "not pass ends, and counts as one that did not come up.",
        default_text="none: a process joins when its applications are loaded",
        effect=Effect.LIVE,
        reason=_STARTS,
        example="/health",
        related=("health-status", "health-timeout", "health-host", "startup-timeout"),
        extension=True,
    )
    health_status: Integer = option(
        0,
        "The status that passes.",
        default_text="0: any from 200 to 399",
        effect=Effect.LIVE,
        reason=_STARTS,
        example=204,
        minimum=0,
        maximum=599,
        related=("health-path",),
        extension=True,
    )
    health_timeout: Duration = option(
        10.0,
        "How long the answer to health-path may take.",
        default_text="10s; 0: no limit but startup-timeout",
        effect=Effect.LIVE,
        reason=_STARTS,
        example="3s",
        related=("health-path", "startup-timeout"),
        extension=True,
    )
    health_host: HostName = option(
        "localhost",
        "The host that health-path is asked of (HTTP_HOST and SERVER_NAME), for applications that answer for names "
        "they know only.",
        effect=Effect.LIVE,
        reason=_STARTS,
        example="blog.example.org",
        related=("health-path",),
        extension=True,
    )
