"""Options of a group that say how large a request may be, and how its body reaches the application. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from wsgigroups.config.effects import Effect
from wsgigroups.config.kinds import Bytes, Integer, Kind
from wsgigroups.config.models.base import OptionModel, option

_TOLD = "told to running processes, for the requests that they read from then on"
_LEAST_BYTES, _MOST_BYTES = 512, 2**20


class RequestOptions(OptionModel):
    """The request itself."""

    limit_request_line: Bytes = option(
        8190,
        "The longest request line (method, target and version), without its line end. A longer one is answered 414. "
        "Apache calls it LimitRequestLine. Through the uwsgi protocol a request has 64K at most for its line and "
        "fields together, whatever is set here.",
        effect=Effect.LIVE,
        reason=_TOLD,
        example="16K",
        minimum=_LEAST_BYTES,
        maximum=_MOST_BYTES,
        related=("limit-request-field-size", "limit-request-fields"),
        extension=True,
    )
    limit_request_field_size: Bytes = option(
        8190,
        "The longest header field, name and value. A longer one is answered 431. Kerberos tickets take 12K to 16K, and "
        "cookies of some sign-on services are beyond 8K. Apache calls it LimitRequestFieldSize.",
        effect=Effect.LIVE,
        reason=_TOLD,
        example="32K",
        minimum=_LEAST_BYTES,
        maximum=_MOST_BYTES,
        related=("limit-request-fields", "limit-request-line"),
        extension=True,
    )
    limit_request_fields: Integer = option(
        100,
        "How many header fields a request may have. With more it is answered 431. Apache calls it LimitRequestFields.",
        effect=Effect.LIVE,
        reason=_TOLD,
        example=200,
        minimum=1,
        maximum=10_000,
        related=("limit-request-field-size", "limit-request-line"),
        extension=True,
    )
    limit_request_body: Bytes = option(
        0,
        "The largest body of a request, with Content-Length or chunked. A larger one is answered 413: before it is "
        "read where its length is announced, else as soon as it is larger. Apache calls it LimitRequestBody.",
        default_text="0: none",
        effect=Effect.LIVE,
        reason=_TOLD,
        example="10M",
        related=("chunked-bodies", "socket-timeout"),
        extension=True,
    )
    chunked_bodies: Annotated[Literal["collect", "stream"], Kind("choice")] = option(
        "collect",
        "What becomes of a body without a length (Transfer-Encoding: chunked). collect: it is received whole before "
        "the application is called, which then gets CONTENT_LENGTH; what is more than 64K is in a temporary file "
        "meanwhile. stream: the application reads it as it comes, without CONTENT_LENGTH and with "
        "wsgi.input_terminated; for those that can.",
        effect=Effect.LIVE,
        reason=_TOLD,
        example="stream",
        choices=("collect", "stream"),
        related=("limit-request-body",),
        extension=True,
    )
