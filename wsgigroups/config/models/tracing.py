"""Options of a group about single requests: how they are told apart, and which are looked at. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from wsgigroups.config.effects import Effect
from wsgigroups.config.kinds import Duration, Kind
from wsgigroups.config.models.base import OptionModel, option

_TOLD = "told to running processes, for the requests that begin from then on"


class TracingOptions(OptionModel):
    """One request among many."""

    request_id: Annotated[Literal["off", "environ", "response"], Kind("choice")] = option(
        "environ",
        "Whether each request has an id. environ: the application finds it as REQUEST_ID, and what the request writes "
        "to the log and to an access log in JSON has it. response: answers bring it as X-Request-ID, too. A trusted "
        "peer (trusted-proxies, the gateway) may say which id it is to be; else one is made.",
        default_text="environ",
        effect=Effect.LIVE,
        reason=_TOLD,
        example="response",
        choices=("off", "environ", "response"),
        related=("trusted-proxies", "access-log", "slow-request"),
        extension=True,
    )
    slow_request: Duration = option(
        0.0,
        "Log each request that has been in the application for this long, at that moment: what was asked, how long it "
        "has waited, and the stack of its thread; and when it ends, what took how long. 0 turns it off.",
        default_text="0: off",
        effect=Effect.LIVE,
        reason=_TOLD,
        example="2s",
        related=("request-timeout", "request-id"),
        extension=True,
    )
    tracing: Annotated[Literal["off", "opentelemetry"], Kind("choice")] = option(
        "off",
        "Spans of OpenTelemetry for each request: the whole of it, its time in the queue, in the application and until "
        "its client took it. The group's environment has to have opentelemetry-sdk, and the application, or the "
        "variables that the SDK reads, say where spans go; spans of its own are below that of its call.",
        default_text="off",
        effect=Effect.REPLACE,
        reason="a process begins with it",
        example="opentelemetry",
        choices=("off", "opentelemetry"),
        related=("request-id", "slow-request"),
        extension=True,
    )
