"""What a stream may cost in processor time, however it is cut: by counting, not by hoping for a quiet machine."""

from __future__ import annotations

import time

import pytest
from support import corpus
from support.feeding import converse

from wsgigroups.runtime.protocol import limits
from wsgigroups.runtime.protocol.chunked import ChunkedDecoder
from wsgigroups.runtime.protocol.errors import ProtocolError
from wsgigroups.runtime.protocol.limits import DEFAULT

TENS = b"".join(b"1\r\nx\r\n" for _ in range(10_000)) + b"0\r\n\r\n"


def least_s(pieces: list[bytes]) -> float:
    """Return the processor time that the fastest of three runs takes."""
    taken = []
    for _ in range(3):
        before = time.process_time()
        converse(pieces)
        taken.append(time.process_time() - before)
    return min(taken)


@pytest.mark.measured
@pytest.mark.parametrize("size", [6, 7, 1000, 100_000])
def test_ten_thousand_chunks_of_a_byte(size: int) -> None:
    data = corpus.chunked(TENS)
    found = converse([data])
    assert len(found[0]["body"]) == 10_000
    assert least_s([data[start : start + size] for start in range(0, len(data), size)]) < 0.5


@pytest.mark.measured
@pytest.mark.parametrize(
    "data",
    [
        corpus.chunked(b"3;" + b"a" * limits.CHUNK_LINE_BYTES),
        corpus.chunked(b"0\r\nX: " + b"y" * limits.TRAILER_BYTES),
        b"GET /" + b"x" * DEFAULT.request_line_bytes,
        b"GET / HTTP/1.1\r\nX: " + b"y" * DEFAULT.field_bytes,
        corpus.get(corpus.HOST + b"".join(b"X-%d: 1\r\n" % number for number in range(200))),
    ],
    ids=["chunk line", "trailer", "line", "field", "fields"],
)
def test_what_is_refused_costs_little_byte_by_byte(data: bytes) -> None:
    pieces = [data[index : index + 1] for index in range(len(data))]
    assert converse(pieces)[-1] in (400, 414, 431)
    assert least_s(pieces) < 0.25


@pytest.mark.measured
@pytest.mark.parametrize("extension", [b"3;", b"3;a=", b'3;a="', b"3" + b" \t" * 8 + b";"])
def test_an_endless_chunk_line_is_refused_before_its_end(extension: bytes) -> None:
    decoder = ChunkedDecoder()
    with pytest.raises(ProtocolError) as caught:
        decoder.feed(extension + b"a" * 5000)
    assert caught.value.status == 400
    decoder = ChunkedDecoder()
    line = extension + b"a" * 5000
    last = limits.CHUNK_LINE_BYTES + len("\r")
    for byte in line[:last]:
        assert decoder.feed(bytes([byte])) == b""
    with pytest.raises(ProtocolError):
        decoder.feed(line[last : last + 1])
