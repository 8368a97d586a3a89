"""What other parsers make of a stream: how many whole requests each of them would hand to an application.

Runs in pytest's process. Each takes the whole stream at once and stops at the first request that it refuses, that is
not complete, or after which it would close the connection. Limits are those that are in force here, where they can be
set: it is rules that are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import h11
import httptools
from gunicorn.config import Config
from gunicorn.http.parser import RequestParser
from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser

from wsgigroups.runtime.protocol.limits import DEFAULT

MOST = 1000  # requests of one stream: more than any stream of a corpus has


def llhttp(data: bytes) -> int:
    """Count by httptools, in llhttp's strict mode; an upgrade hands the rest of the stream over: it judges no more."""
    count = 0

    class Protocol:
        def on_message_complete(self) -> None:
            nonlocal count
            count += 1

    try:
        httptools.HttpRequestParser(Protocol()).feed_data(data)
    except httptools.HttpParserUpgrade:
        return MOST
    except httptools.HttpParserError:
        pass
    return count


def by_h11(data: bytes) -> int:
    """Count by h11; each request is answered with 200."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=DEFAULT.head_bytes)
    connection.receive_data(data)
    count = 0
    try:
        while connection.their_state is not h11.MUST_CLOSE:
            event: Any = connection.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                break
            if isinstance(event, h11.EndOfMessage):
                count += 1
                connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is h11.MUST_CLOSE:
                    break
                connection.start_next_cycle()
    except h11.ProtocolError:
        pass
    return count


def gunicorn(data: bytes) -> int:
    """Count by gunicorn's own parser."""
    config = Config()
    config.set("limit_request_line", DEFAULT.request_line_bytes)
    config.set("limit_request_field_size", DEFAULT.field_bytes + len("\r\n"))
    config.set("limit_request_fields", DEFAULT.fields)
    count = 0
    try:
        for message in RequestParser(config, iter([data]), ("9.9.9.9", 9)):
            message.body.read()
            count += 1
    except Exception:  # its errors have no base of their own, and a crash is no acceptance either
        pass
    return count


def waitress(data: bytes) -> int:
    """Count by waitress."""
    count = 0
    while data:
        parser = HTTPRequestParser(Adjustments())
        while data and not parser.completed:
            try:
                data = data[parser.received(data) :]
            except ValueError:  # it falls over some targets
                return count
        if not parser.completed or parser.error is not None:
            break
        count += not parser.empty
        parser.close()
    return count


PEERS: dict[str, Callable[[bytes], int]] = {
    "llhttp": llhttp,
    "h11": by_h11,
    "gunicorn": gunicorn,
    "waitress": waitress,
}
