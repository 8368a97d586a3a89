"""What becomes of a request whose application fails, or breaks PEP 3333: nothing that an application raises goes on.

Used by the request thread, whatever the exception is, SystemExit included.
"""

from __future__ import annotations

from typing import Any

from .. import tracebacks
from ..protocol import request_ids, responses
from .delivery import ClientGoneError
from .exchange import UNSENT, Exchange
from .interrupted import RequestTimeout


def answer_failure(exchange: Exchange, error: BaseException) -> bool:
    """Answer for the application, if that is possible still; True when the client gets a whole answer.

    A 500 or 504 keeps the connection if the request was read whole.
    """
    body, front = exchange.body, exchange.front
    if exchange.gone or isinstance(error, ClientGoneError):
        exchange.gone = True
        exchange.log("info", str(error) if isinstance(error, ClientGoneError) else "the client is gone")
        return False
    status = 500
    if isinstance(error, RequestTimeout):
        status = 504
        exchange.log("warning", "the request was interrupted: it ran for longer than request-timeout")
    elif body is not None and body.error is not None:
        status = body.error.status
        exchange.log("info", "the request's body broke off: %s" % body.error.reason)
    else:
        exchange.log("error", "the application failed\n" + tracebacks.of_error(error))
    if exchange.framing != UNSENT or not status:
        return False
    exchange.keep = (
        exchange.head.keep_alive and exchange.head.is_http_1_1 and front.keeps and (body is None or body.whole)
    )
    exchange.prepared = responses.Prepared(status, [], None, 0)
    is_head = exchange.head.method == "HEAD"
    own = front.dates.lines[0]
    if front.tells_ids:
        own += request_ids.line_of(exchange.head)
    to_gateway = exchange.connection.is_to_our_gateway(exchange.head)
    data = responses.refusal(status, own, exchange.keep, is_head, to_gateway)
    exchange.framed_bytes += len(data) - responses.refusal_length(status, is_head)
    try:
        exchange.send(data)
    except ClientGoneError:
        return False
    return True


def log_shortfall(exchange: Exchange) -> None:
    """Log why an answer is not whole that nothing was raised for."""
    if exchange.gone:  # the application has kept the exception to itself
        exchange.log("info", "the client is gone")
    else:
        text = "the body is %d bytes shorter than its Content-Length: the connection was closed"
        exchange.log("error", text % exchange.left)


def close(exchange: Exchange, result: Any) -> None:
    """Call close() of the iterable, which PEP 3333 promises in every case."""
    try:
        found = getattr(result, "close", None)
        if found is not None:
            found()
    except BaseException as error:  # noqa: BLE001 — as in `Caller.answer`
        exchange.log("error", "close() of the answer's iterable failed\n" + tracebacks.of_error(error))
