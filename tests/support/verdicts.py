"""Requests of which servers have different opinions: ours, and those of public corpora; and what became of one.

Runs in pytest's process.
"""

from __future__ import annotations

import re

from support import corpora, corpus

CASES = [
    *[(name, data) for name, data, _verdict in corpus.ACCEPTED + corpus.REFUSED if data[:1] != b"\0"],
    *corpora.gunicorn("valid"),
    *corpora.gunicorn("invalid"),
    *[(name, data) for name, data, _completed in corpora.llhttp()],
]


def statuses(answer: bytes) -> list[bytes]:
    """Return the statuses of the answers in a stream."""
    return re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)
