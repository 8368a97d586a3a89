"""Any bytes, in any pieces: the verdict depends on the bytes alone, and is the same on all ways through `heads`."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st
from support.feeding import feed, ways
from support.mutations import nearly_requests

from wsgigroups.runtime.protocol.chunked import ChunkedDecoder
from wsgigroups.runtime.protocol.errors import ProtocolError


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """Cut at these offsets."""
    bounds = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(bounds)]


@settings(max_examples=2000)
@given(nearly_requests(), st.lists(st.integers(0, 10_000), max_size=8))
def test_splits_change_nothing(data: bytes, cuts: list[int]) -> None:
    whole = feed([data])
    assert feed(pieces(data, cuts)) == whole
    assert feed([data[index : index + 1] for index in range(len(data))]) == whole


@settings(max_examples=2000)
@given(nearly_requests(), st.booleans())
def test_all_ways_lead_to_the_same(data: bytes, trusted: bool) -> None:
    found = ways(data, trusted)
    assert found[1:] == found[:1] * len(found[1:])


@settings(max_examples=1000)
@given(st.lists(st.binary(max_size=300), max_size=20), st.lists(st.integers(0, 10_000), max_size=8))
def test_chunks_decode_to_what_was_encoded(blocks: list[bytes], cuts: list[int]) -> None:
    encoded = b"".join(b"%x\r\n%b\r\n" % (len(block), block) for block in blocks if block) + b"0\r\n\r\nrest"
    decoder = ChunkedDecoder()
    body, rest = b"", b""
    for piece in pieces(encoded, cuts):
        if decoder.complete:
            rest += piece
        else:
            body += decoder.feed(piece)
            rest = decoder.rest
    assert decoder.complete
    assert body == b"".join(blocks)
    assert rest == b"rest"


@settings(max_examples=2000)
@given(st.one_of(st.binary(max_size=200), st.text('0123456789abcdefABCDEFxX+-_;=" \t\r\n', max_size=80)))
def test_no_bytes_upset_the_decoder(data: bytes | str) -> None:
    raw = data.encode() if isinstance(data, str) else data
    found = []
    for parts in ([raw], [raw[index : index + 1] for index in range(len(raw))]):
        decoder = ChunkedDecoder()
        try:
            out = b""
            for part in parts:
                if decoder.complete:
                    break
                out += decoder.feed(part)
            found.append(("ok", out, decoder.complete))
        except ProtocolError as error:
            found.append(("refused", b"", bool(error.status)))
    assert found[0] == found[1]
