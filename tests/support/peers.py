"""What other parsers make of a stream: how many whole requests each of them would hand to an application.

Runs in pytest's process. Each takes the whole stream at once and stops at the first request that it refuses, that is
not complete, or after which it would close the connection. Limits are those that are in force here, where they can be
set: it is rules that are compared.
"""

from __future__ import annotations

import re
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


# Where we are laxer than one of them, on purpose: what is said of it, and a request that says the same within their
# rules. docs/request-path.md prints the same list.
_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!-~]+) HTTP/1\.([0-9])\r\n")
KNOWN_METHODS = frozenset(
    b"ACL BIND CHECKOUT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY OPTIONS PATCH "
    b"POST PROPFIND PROPPATCH PURGE PUT REBIND REPORT SEARCH SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE".split()
) | {b"M-SEARCH", b"CONNECT", b"PRI"}


def _without_empty_line(data: bytes) -> bytes:
    return data.removeprefix(b"\r\n")


def _with_known_method(data: bytes) -> bytes:
    line = _LINE.match(data)
    return data if line is None or line[1] in KNOWN_METHODS else b"POST" + data[len(line[1]) :]


def _with_known_version(data: bytes) -> bytes:
    line = _LINE.match(data)
    return data if line is None or line[3] in b"01" else data[: line.start(3)] + b"1" + data[line.end(3) :]


def _without_such_trailers(data: bytes) -> bytes:
    head, end, body = data.partition(b"\r\n\r\n")
    if re.search(rb"(?i)transfer-encoding:[ \t]*chunked", head) is None:
        return data
    return head + end + re.sub(rb"(?im)^(?:te|trailer)(?=:)", lambda name: b"X" * len(name[0]), body)


LAXER: dict[str, Callable[[bytes], bytes]] = {
    "One empty line before a request is skipped, as RFC 9112 section 2.2 wants it; h11 does not.": _without_empty_line,
    "Any method that is a token is the application's to judge; llhttp has a list, gunicorn and waitress want capital "
    "letters.": _with_known_method,
    "A later version of HTTP/1 is served as HTTP/1.1 (RFC 9110 section 2.5); llhttp knows none.": _with_known_version,
    "A trailer is dropped whatever it is called, but for the four names above; gunicorn refuses TE and Trailer, too.": (
        _without_such_trailers
    ),
}


def as_others_would_have_it(data: bytes) -> tuple[bytes, list[str]]:
    """Return a stream whose first request is without what we alone take, and which that was."""
    found = []
    for reason, change in LAXER.items():
        changed = change(data)
        if changed != data:
            data = changed
            found.append(reason)
    return data, found
