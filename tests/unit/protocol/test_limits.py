"""How much a head may have is given with each look at it: each limit has its status, whatever its value."""

from __future__ import annotations

from typing import Any

import pytest
from support import corpus
from support.feeding import feed, new_connection, splittings

from wsgigroups.runtime.front.intake import Intake
from wsgigroups.runtime.protocol.errors import ProtocolError
from wsgigroups.runtime.protocol.limits import DEFAULT, HEAD_BYTES, Limits
from wsgigroups.runtime.wire.spec import Serving

TICKET = "Negotiate " + "YII" * 5400  # as Kerberos makes them for members of many groups
SMALL = Limits(request_line_bytes=20, field_bytes=30, fields=3)
LARGE = Limits(request_line_bytes=20_000, field_bytes=24_576, fields=1000)


def fields(count: int) -> bytes:
    """Return so many fields."""
    return corpus.HOST + b"".join(b"X-%d: 1\r\n" % number for number in range(count - 1))


def line(size: int) -> bytes:
    """Return a request line of so many bytes."""
    return b"GET /" + b"x" * (size - 14) + b" HTTP/1.1"


@pytest.mark.parametrize("limits", [SMALL, DEFAULT, LARGE], ids=["small", "default", "large"])
def test_each_limit_has_its_status(limits: Limits) -> None:
    cases = [
        (corpus.get(line=line(limits.request_line_bytes)), None),
        (corpus.get(line=line(limits.request_line_bytes + 1)), 414),
        (corpus.get(corpus.HOST + corpus.field(b"X", limits.field_bytes)), None),
        (corpus.get(corpus.HOST + corpus.field(b"X", limits.field_bytes + 1)), 431),
        (corpus.get(fields(limits.fields)), None),
        (corpus.get(fields(limits.fields + 1)), 431),
    ]
    for data, status in cases:
        for pieces in splittings(data):
            found = feed(pieces, limits=limits)
            assert (found if isinstance(found, int) else None) == status, data[:60]


@pytest.mark.parametrize("limits", [SMALL, DEFAULT, LARGE], ids=["small", "default", "large"])
def test_each_limit_has_its_status_in_a_packet(limits: Limits) -> None:
    overhead = len("GET  HTTP/1.1")
    cases: list[tuple[bytes, Any]] = []
    for more, status in ((0, None), (1, 414)):
        target = "/" + "x" * (limits.request_line_bytes - overhead - 1 + more)
        cases.append((corpus.uwsgi(REQUEST_URI=target), status))
    for more, status in ((0, None), (1, 431)):
        cases.append((corpus.uwsgi(("HTTP_X", "y" * (limits.field_bytes - len("X: ") + more))), status))
        names = (f"HTTP_X{number}" for number in range(limits.fields - 1 + more))
        cases.append((corpus.uwsgi(*((name, "1") for name in names)), status))
    for data, status in cases:
        found = feed([data], limits=limits)
        assert (found if isinstance(found, int) else None) == status, data[:60]


def test_a_ticket_of_16_kib_passes_where_it_may() -> None:
    data = corpus.get(corpus.HOST + b"Authorization: " + TICKET.encode() + b"\r\n")
    packet = corpus.uwsgi(("HTTP_AUTHORIZATION", TICKET))
    assert len(TICKET) > 16_000
    for whole in (data, packet):
        assert feed([whole]) == 431
        for pieces in ([whole], [whole[:9000], whole[9000:]]):
            assert feed(pieces, limits=LARGE)["HTTP_AUTHORIZATION"] == TICKET


def test_a_whole_head_is_bounded_by_what_its_parts_may_have() -> None:
    """64 KiB if that holds a line and four fields at their limits; more for those who allow longer ones."""
    assert SMALL.head_bytes == DEFAULT.head_bytes == HEAD_BYTES
    assert LARGE.head_bytes == 20_000 + 4 * 24_576 + 64 * 1000
    long = b"".join(corpus.field(b"X-%d" % number, LARGE.field_bytes) for number in range(4))
    assert feed([corpus.get(corpus.HOST + long, line(LARGE.request_line_bytes))], limits=LARGE)["HTTP_X_3"]
    assert feed([corpus.get(corpus.HOST + long * 2)], limits=LARGE) == 431


def test_new_limits_hold_for_connections_that_are_open() -> None:
    intake = Intake(SMALL)
    connection = new_connection()
    small = {"limit_request_line": SMALL.request_line_bytes, "limit_request_field_size": SMALL.field_bytes}
    for settings, accepted in ((small, False), ({}, True), (small, False)):
        intake.tune(Serving().tuned(settings))
        connection.data = corpus.get(line=line(SMALL.request_line_bytes + 1))
        if accepted:
            assert intake.advance(connection)
            connection.state = 0
        else:
            with pytest.raises(ProtocolError) as caught:
                intake.advance(connection)
            assert caught.value.status == 414
