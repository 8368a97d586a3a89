"""The access log: one line for each answer, in three formats, that no client can forge."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from support.serving import serving

GET = b"GET /p%20q?a=b HTTP/1.1\r\nHost: h\r\nReferer: http://r/\r\nUser-Agent: agent/1\r\nConnection: close\r\n\r\n"


def application(environ: Any, start_response: Any) -> list[bytes]:
    """Answer five bytes."""
    start_response("200 OK", [])
    return [b"12345"]


def lines_of(form: str, *requests: bytes) -> list[bytes]:
    """Serve the requests and return the log's lines."""
    written: list[bytes] = []
    with serving(application, access=written.append, access_log=form) as running:
        for request in requests:
            running.exchange(request)
    data = b"".join(written)
    assert data.endswith(b"\n")
    return data.splitlines()


@pytest.mark.parametrize("form", ["common", "combined"])
def test_apache_formats(form: str) -> None:
    line, refused = lines_of(form, GET, b"BREW / HTTP/1.1\r\nHost: h\r\n\r\n")
    tail = rb' "http://r/" "agent/1"' if form == "combined" else rb""
    stamp = rb"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\]"
    assert re.fullmatch(rb"127\.0\.0\.1 - - " + stamp + rb' "GET /p%20q\?a=b HTTP/1\.1" 200 \d+' + tail, line)
    assert b'" 501 ' in refused


def test_json() -> None:
    (line,) = lines_of("json", GET)
    record = json.loads(line)
    assert record["method"] == "GET"
    assert record["target"] == "/p%20q?a=b"
    assert record["status"] == 200
    assert record["user_agent"] == "agent/1"
    assert record["sent_bytes"] > 5
    assert record["duration_s"] >= 0
    assert record["time"].endswith("Z")


@pytest.mark.parametrize("form", ["common", "combined", "json"])
def test_nothing_can_be_forged(form: str) -> None:
    evil = b'x" 200 1\\\t\xff\xe4\x85'
    (line,) = lines_of(
        form, b'GET /"\\ HTTP/1.1\r\nHost: h\r\nReferer: ' + evil + b"\r\nUser-Agent: " + evil + b"\r\n\r\n"
    )
    text = line.decode("ascii")
    assert text.isprintable()
    if form == "json":
        record = json.loads(text)
        assert record["user_agent"] == evil.decode("latin-1")
        assert record["target"] == '/"\\'
    else:
        unescaped = re.sub(r"\\.", "", text)
        assert unescaped.count('"') == (6 if form == "combined" else 2)


def test_off_writes_nothing() -> None:
    written: list[bytes] = []
    with serving(application, access=written.append, access_log="off") as running:
        running.exchange(GET)
    assert written == []


def test_lines_come_without_further_requests() -> None:
    written: list[bytes] = []
    with serving(application, access=written.append, access_log="common") as running:
        running.exchange(GET)
        running.wait(lambda: bool(written))
