"""Requests that are nearly well-formed, for properties: those of the corpus with bytes changed. Used by hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from support import corpus

SEEDS = [case[1] for case in corpus.CASES if len(case[1]) < 2000]
PARTS = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b" ", b":", b"\0", b"\t", b"0", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"]
)


@st.composite
def nearly_requests(draw: Any) -> bytes:
    """A case of the corpus with some bytes replaced, removed, inserted or repeated."""
    data = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 6)))
        data = data[:start] + draw(st.one_of(PARTS, st.binary(max_size=4))) + data[end:]
    return bytes(data)
