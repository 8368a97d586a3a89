"""An engine gives the same answer whatever it parsed before: what one request said is forgotten at the next."""

from __future__ import annotations

import itertools

import pytest
from support.serving import ENGINES

HEADS = (
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
)


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_each_head_after_each_other(name: str) -> None:
    alone = {head: ENGINES[name]()(head) for head in HEADS}
    engine = ENGINES[name]()
    for before, head in itertools.product(HEADS, HEADS):
        engine(before)
        assert engine(head) == alone[head], (before, head)
