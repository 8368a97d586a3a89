"""How the logs of groups are written: options of [server]. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from wsgigroups.config.effects import Effect
from wsgigroups.config.kinds import Bytes, Duration, Integer, Kind
from wsgigroups.config.models.base import OptionModel, option

_LOG_WRITER = "told to the log writer"


class LogOptions(OptionModel):
    """What the log writer goes by."""

    log_format: Annotated[Literal["text", "json"], Kind("choice")] = option(
        "text",
        "How the logs of groups look: lines for people, or JSON with the names of OpenTelemetry's log data model.",
        effect=Effect.LIVE,
        reason=_LOG_WRITER,
        example="json",
        choices=("text", "json"),
        extension=True,
        related=("error-log",),
    )
    log_rotate_size: Bytes = option(
        0,
        "How long the log of a group may become; then it is renamed, and log-rotate-keep of its kind are kept.",
        default_text="0 (however long it becomes)",
        effect=Effect.LIVE,
        reason=_LOG_WRITER,
        example="100M",
        extension=True,
        related=("log-rotate-keep", "log-rotate-age"),
    )
    log_rotate_age: Duration = option(
        0.0,
        "How old the log of a group may become; then it is renamed as with log-rotate-size.",
        default_text="0 (however old it becomes)",
        effect=Effect.LIVE,
        reason=_LOG_WRITER,
        example="24h",
        extension=True,
        related=("log-rotate-keep", "log-rotate-size"),
    )
    log_rotate_keep: Integer = option(
        7,
        "How many logs are kept that were renamed: NAME.log.1 is the latest of them. 0: none.",
        effect=Effect.LIVE,
        reason=_LOG_WRITER,
        example=14,
        minimum=0,
        maximum=1000,
        extension=True,
        related=("log-rotate-size", "log-rotate-age"),
    )
    log_rate_limit: Integer = option(
        0,
        "How many records of each process are logged in a second. The log says how many were left out; lines of access "
        "logs do not count.",
        default_text="0 (all)",
        effect=Effect.LIVE,
        reason=_LOG_WRITER,
        example=1000,
        minimum=0,
        maximum=1000000,
        extension=True,
    )
