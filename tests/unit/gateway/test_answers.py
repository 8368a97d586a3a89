"""Heads of answers: what a daemon may send, what it may not, and that it does not matter in which pieces it comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgigroups.runtime.gateway.answers import HEAD_BYTES, Answer, AnswerError, read

LIMIT = 32768
OK = b"HTTP/1.1 200 OK\r\n"
END = b"\r\n\r\n"


def in_pieces(data: bytes, cuts: list[int], limit: int = LIMIT) -> Answer | None:
    """Read as it arrives, as the gateway does."""
    found = None
    seen = 0
    for cut in sorted({*(cut % (len(data) + 1) for cut in cuts), len(data)}):
        if cut:
            found = read(data[:cut], limit, seen)
            seen = cut
        if found is not None:
            break
    return found


def test_an_answer() -> None:
    head = (
        OK
        + b"Content-Type: text/plain\r\nX-Empty:\r\nSet-Cookie: a=\xe9 \t\r\nset-cookie:\tb\r\nContent-Length: 5"
        + END
    )
    answer = read(head + b"hello", LIMIT)
    assert answer is not None
    assert (answer.status, answer.reason, answer.end) == (200, "OK", len(head))
    assert answer.fields == [
        ("Content-Type", "text/plain"),
        ("X-Empty", ""),
        ("Set-Cookie", "a=\xe9"),
        ("set-cookie", "b"),
    ]
    assert (answer.length, answer.chunked, answer.closes, answer.hop_by_hop) == (5, False, False, [])


@pytest.mark.parametrize(
    ("head", "length", "chunked", "closes"),
    [
        (OK[:-2], None, False, False),
        (OK + b"Content-Length: 0", 0, False, False),
        (OK + b"content-length: 007", 7, False, False),
        (OK + b"Content-Length: 999999999999999999", 10**18 - 1, False, False),
        (OK + b"Transfer-Encoding: chunked", None, True, False),
        (OK + b"transfer-encoding: CHUNKED", None, True, False),
        (OK + b"Connection: close", None, False, True),
        (OK + b"Connection: Close, X\r\nX: 1", None, False, True),
        (OK + b"Connection: keep-alive\r\nConnection: close", None, False, True),
        (b"HTTP/1.0 200 OK", None, False, True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1", 1, False, True),
    ],
)
def test_framing(head: bytes, length: int | None, chunked: bool, closes: bool) -> None:
    answer = read(head + END, LIMIT)
    assert answer is not None
    assert (answer.length, answer.chunked, answer.closes) == (length, chunked, closes)


@pytest.mark.parametrize(
    ("line", "status", "reason"),
    [
        (b"HTTP/1.1 200 OK", 200, "OK"),
        (b"HTTP/1.1 200 ", 200, ""),
        (b"HTTP/1.1 200", 200, ""),
        (b"HTTP/1.1 299 Any \xe9 (thing)", 299, "Any \xe9 (thing)"),
        (b"HTTP/1.1 999 x", 999, "x"),
        (b"HTTP/1.1 100 Continue", 100, "Continue"),
    ],
)
def test_status_lines(line: bytes, status: int, reason: str) -> None:
    answer = read(line + END, LIMIT)
    assert answer is not None
    assert (answer.status, answer.reason) == (status, reason)


MALFORMED = [
    b"\r\n\r\n",
    b"\r\n" + OK + END,
    b"HTTP/1.1200 OK" + END,
    b"HTTP/1.1  200 OK" + END,
    b"HTTP/1.1\t200 OK" + END,
    b"HTTP/1.1 20 OK" + END,
    b"HTTP/1.1 2000 OK" + END,
    b"HTTP/1.1 020 OK" + END,
    b"HTTP/1.1 2x0 OK" + END,
    b"HTTP/1.1 200OK" + END,
    b"HTTP/1.1 200 O\0K" + END,
    b"HTTP/1.1 200 O\x7fK" + END,
    b"HTTP/1.1 200 O\rK" + END,
    b"HTTP/1.2 200 OK" + END,
    b"HTTP/2.0 200 OK" + END,
    b"HTTP/2 200 OK" + END,
    b"http/1.1 200 OK" + END,
    b"ICY 200 OK" + END,
    b"Status: 200 OK" + END,
    b"<html>\r\n\r\n",
    b"hello world",
    b"\0\0\0\0",
    b"HTTQ",
    OK + b"no colon" + END,
    OK + b": no name" + END,
    OK + b"Space : 1" + END,
    OK + b" Leading: 1" + END,
    OK + b"\tLeading: 1" + END,
    OK + b"A: 1\r\n folded" + END,
    OK + b"A: 1\r\n\tfolded" + END,
    OK + b"A\0: 1" + END,
    OK + b"A: \0" + END,
    OK + b"A: 1\n2" + END,
    OK + b"A: 1\rB: 2" + END,
    OK + b"A: 1\r" + END,
    OK + b"A\xe9: 1" + END,
    OK + b"A(b): 1" + END,
    OK + b"A: \x1b[2J" + END,
    OK + b"A: \x7f" + END,
    OK + b"Content-Length: 5\r\nContent-Length: 5" + END,
    OK + b"Content-Length: 5\r\nContent-Length: 6" + END,
    OK + b"Content-Length: 5, 5" + END,
    OK + b"Content-Length:" + END,
    OK + b"Content-Length: -1" + END,
    OK + b"Content-Length: +5" + END,
    OK + b"Content-Length: 0x5" + END,
    OK + b"Content-Length: 5.0" + END,
    OK + b"Content-Length: 5 5" + END,
    OK + b"Content-Length: 1" + b"0" * 18 + END,
    OK + b"Content-Length: \xb2" + END,
    OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked" + END,
    OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5" + END,
    OK + b"Transfer-Encoding: gzip, chunked" + END,
    OK + b"Transfer-Encoding: chunked, chunked" + END,
    OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked" + END,
    OK + b"Transfer-Encoding: identity" + END,
    OK + b"Transfer-Encoding: xchunked" + END,
    OK + b"Transfer-Encoding: chunked;q=1" + END,
    OK + b"Transfer-Encoding:" + END,
    OK + b"Transfer-Encoding: \x0bchunked" + END,
    b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked" + END,
    OK + (b"A: " + b"x" * 1000 + b"\r\n") * (HEAD_BYTES // 1000) + END,
    OK + (b"A: " + b"x" * 1000 + b"\r\n") * (HEAD_BYTES // 1000),
]


@pytest.mark.parametrize("data", MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_no_answer(data: bytes) -> None:
    with pytest.raises(AnswerError) as caught:
        read(data, LIMIT)
    assert caught.value.status == 502
    if len(data) < 1000:
        with pytest.raises(AnswerError) as caught:
            in_pieces(data, list(range(len(data))))
        assert caught.value.status == 502


@pytest.mark.parametrize(
    "data", [b"H", b"HTTP/1.", b"HTTP/1.1 200 OK", OK, OK + b"\r", OK + b"A: 1\r\n", OK + b"A: 1\r\n\r"]
)
def test_what_may_become_one(data: bytes) -> None:
    assert read(data, LIMIT) is None


def test_a_line_as_long_as_is_allowed() -> None:
    line = b"X-Long: " + b"x" * (LIMIT - 8)
    answer = read(OK + line + END, LIMIT)
    assert answer is not None
    assert len(answer.fields[0][1]) == LIMIT - 8
    assert read(OK + line + b"\r", LIMIT) is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            OK + b"X-Long: " + b"x" * (LIMIT - 7) + END,
            "the response header X-Long is 32769 bytes long: header-buffer-size allows 32768",
        ),
        (
            OK + b"X-Long: " + b"x" * LIMIT,
            "the response header X-Long is at least 32776 bytes long: header-buffer-size allows 32768",
        ),
        (OK + b"x" * 40000, "'" + "x" * 100 + "' is at least 40000 bytes"),
        (b"HTTP/1.1 200 " + b"x" * 40000 + END, "the response status line is 40013 bytes"),
        (b"HTTP/1.1 200 " + b"x" * 40000, "the response status line is at least 40013 bytes"),
        (OK + b"\x1b[2J: " + b"x" * 40000, "header '\\x1b[2J' is at least"),
    ],
    ids=range(6),
)
def test_a_line_that_is_too_long(data: bytes, reason: str) -> None:
    with pytest.raises(AnswerError) as caught:
        read(data, LIMIT)
    assert caught.value.status == 500
    assert reason in caught.value.reason


def test_without_a_limit_of_lines_heads_end_somewhere() -> None:
    assert read(OK + b"X: " + b"x" * 500_000 + END, 0) is not None
    with pytest.raises(AnswerError) as caught:
        read(OK + b"X: " + b"x" * 1_100_000, 0)
    assert caught.value.status == 502


def test_what_belongs_to_the_connection_is_told_apart() -> None:
    head = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade, X-Own\r\n"
        b"Keep-Alive: timeout=5\r\nX-Own: 1\r\nX-Other: 2\r\nTrailer: X\r\nTE: trailers\r\n"
        b"Proxy-Connection: x\r\nProxy-Authenticate: Basic"
    )
    answer = read(head + END, LIMIT)
    assert answer is not None
    assert answer.fields == [("X-Other", "2")]
    assert [name for name, _value in answer.hop_by_hop] == [
        *("Upgrade", "Connection", "Keep-Alive", "Trailer", "TE", "Proxy-Connection", "Proxy-Authenticate", "X-Own")
    ]


def test_a_connection_field_cannot_change_the_framing() -> None:
    answer = read(OK + b"Connection: Content-Length, Transfer-Encoding\r\nContent-Length: 5" + END, LIMIT)
    assert answer is not None
    assert answer.length == 5


@pytest.mark.parametrize(
    ("status", "method", "has"),
    [
        (b"200", "GET", True),
        (b"200", "HEAD", False),
        (b"404", "HEAD", False),
        (b"204", "GET", False),
        (b"304", "GET", False),
        (b"205", "GET", True),
        (b"100", "GET", False),
        (b"101", "GET", False),
        (b"500", "POST", True),
    ],
)
def test_bodies(status: bytes, method: str, has: bool) -> None:
    answer = read(b"HTTP/1.1 " + status + b" x" + END, LIMIT)
    assert answer is not None
    assert answer.has_body(method) is has


LINES = st.sampled_from(
    [
        b"A: 1\r\n",
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"B:\r\n",
        b"\r\n",
        b"bad\r\n",
        b"C: \0\r\n",
        b"D: 1\n",
    ]
)


@given(st.lists(LINES, max_size=6), st.lists(st.integers(0, 200), max_size=8))
def test_pieces_change_nothing(lines: list[bytes], cuts: list[int]) -> None:
    data = OK + b"".join(lines)

    def outcome(pieces: list[int]) -> object:
        try:
            answer = in_pieces(data, pieces)
        except AnswerError as error:
            return error.status
        return None if answer is None else (answer.end, answer.fields, answer.length, answer.chunked)

    whole = outcome([])
    assert outcome(cuts) == whole
    assert outcome(list(range(len(data)))) == whole


@given(st.binary(max_size=300))
def test_no_bytes_upset_it(data: bytes) -> None:
    for begin in (b"", OK):
        try:
            read(begin + data, 20)
        except AnswerError as error:
            said = error.status, error.reason
        else:
            continue
        assert said[0] in (500, 502)
        assert said[1].isprintable()
