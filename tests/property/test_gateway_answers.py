"""Heads of answers beside h11: whatever the gateway takes, h11 takes as well, and understands in the same way."""

from __future__ import annotations

import contextlib

import h11
from hypothesis import given, settings
from hypothesis import strategies as st

from wsgigroups.runtime.gateway.answers import Answer, AnswerError, read

LINES = st.sampled_from(
    [
        b"Content-Type: text/plain",
        b"Content-Length: 5",
        b"Content-Length: 05",
        b"content-length: 6",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip",
        b"Connection: close",
        b"Connection: keep-alive, X-Own",
        b"X-Own:\t a \xe9 ",
        b"Set-Cookie: a=b; Path=/",
        b"X:",
        b"Empty: \t",
    ]
)
FIRST = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.0 404 Not Found", b"HTTP/1.1 503 ", b"HTTP/1.1 304", b"HTTP/1.1 204 x"]
)
BYTES = st.sampled_from([bytes([code]) for code in b"\0\t\n\r :;,Aa1\x7f\x80\xff"])


@st.composite
def nearly_answers(draw: st.DrawFn) -> bytes:
    """A head, in which some bytes may be others."""
    data = b"\r\n".join([draw(FIRST), *draw(st.lists(LINES, max_size=5)), b"", b""])
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(data)))
        data = data[:place] + draw(BYTES) + data[place + draw(st.integers(0, 1)) :]
    return data


def by_h11(data: bytes) -> h11.Response | None:
    """What h11 makes of it as a client that has asked with GET; None for a refusal."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    with contextlib.suppress(h11.RemoteProtocolError):
        event = connection.next_event()
        return event if isinstance(event, h11.Response) else None
    return None


def ours(data: bytes) -> Answer | None:
    with contextlib.suppress(AnswerError):
        return read(data, 8192)
    return None


@settings(max_examples=1000)
@given(nearly_answers())
def test_what_is_taken_is_understood_as_by_h11(data: bytes) -> None:
    found = ours(data)
    if found is None or found.status < 200:
        return
    other = by_h11(data[: found.end])
    assert other is not None
    assert (found.status, found.reason) == (other.status_code, other.reason.decode("latin-1"))
    said = [(name.decode().lower(), value.decode("latin-1")) for name, value in other.headers]
    lengths = [value for name, value in said if name == "content-length"]
    assert [int(value) for value in lengths] == ([] if found.length is None else [found.length])
    kept = [(name.lower(), value) for name, value in found.fields + found.hop_by_hop]
    assert sorted(kept) == sorted(field for field in said if field[0] != "content-length")
    assert found.chunked == (("transfer-encoding", "chunked") in said)
    assert found.closes == (other.http_version == b"1.0" or ("connection", "close") in said)
