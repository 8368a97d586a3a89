"""What is a line of an access log, and what only looks like one: the log writer writes such lines without an author."""

from __future__ import annotations

import pytest
from support.serving import serving

from wsgigroups.runtime.records.lines import is_line

EVIL = b'x" 200 1\\\t\xff\xe4\x85'
REQUESTS = (
    b"GET /p%20q?a=b HTTP/1.1\r\nHost: h\r\nReferer: http://r/\r\nUser-Agent: agent/1\r\nConnection: close\r\n\r\n",
    b"PRI / HTTP/1.1\r\nHost: h\r\n\r\n",
    b'GET /"\\ HTTP/1.1\r\nHost: h\r\nReferer: ' + EVIL + b"\r\nUser-Agent: " + EVIL + b"\r\n\r\n",
)


@pytest.mark.parametrize("form", ["common", "combined", "json"])
def test_what_is_written_is_one(form: str) -> None:
    written: list[bytes] = []
    with serving(lambda _environ, start: start("200 OK", []) and [b"x"], access=written.append, access_log=form) as run:
        for request in REQUESTS:
            run.exchange(request)
    lines = b"".join(written).decode("ascii").splitlines()
    assert len(lines) == len(REQUESTS)
    assert all(map(is_line, lines)), lines
    if form == "json":
        assert not any(is_line(line.replace('"referer"', '"Resource"')) for line in lines), "whose record it would be"
        assert not any(is_line(line + ',"Resource":{}') for line in lines)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "    further",
        "2026-01-31T09:00:00.000Z b/1 life=1 pid=1 error: gone",
        "2026-01-31T09:00:00.000Z - b/1",
        '{"Timestamp":"2026-01-31T09:00:00.000Z","Body":"gone"}',
        "{} - x",
    ],
)
def test_what_is_none(text: str) -> None:
    assert not is_line(text)
