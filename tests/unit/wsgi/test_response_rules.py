"""What every answer must be, whatever was asked and however the application answers (RFC 9110, RFC 9112).

Each case is judged by rules that look at the bytes alone; the same answer is read by http.client, which is not ours.
"""

from __future__ import annotations

import http.client
import io
import itertools
import re
from collections.abc import Callable
from typing import Any

import pytest
from support.serving import serving

BODY = b"a body of some length"
VERSIONS = {
    "1.1": (b"HTTP/1.1", b""),
    "1.1 close": (b"HTTP/1.1", b"Connection: close\r\n"),
    "1.0": (b"HTTP/1.0", b""),
    "1.0 keep-alive": (b"HTTP/1.0", b"Connection: keep-alive\r\n"),
}
STATUSES = ("200 OK", "204 No Content", "206 Partial Content", "304 Not Modified", "404 Not Found", "299 Mine", "500 ")
LAST = b"GET /?0/one+block HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
Shape = tuple[list[tuple[str, str]], Callable[[], Any]]
SHAPES: dict[str, Shape] = {
    "one block": ([], lambda: [BODY]),
    "two blocks": ([], lambda: [BODY[:5], BODY[5:]]),
    "generator": ([], lambda: (bytes([byte]) for byte in BODY)),
    "length": ([("Content-Length", str(len(BODY)))], lambda: [BODY[:5], BODY[5:]]),
    "nothing": ([], list),
    "empty blocks": ([], lambda: [b"", b""]),
}


def application(environ: Any, start_response: Any) -> Any:
    """Answer as the path asks for: /status/shape."""
    status, shape = environ["QUERY_STRING"].split("/")
    fields, body = SHAPES[shape.replace("+", " ")]
    start_response(STATUSES[int(status)], [("X-A", "b"), *fields])
    return body()


def fields_of(head: bytes) -> list[tuple[str, str]]:
    """Return the fields, names in lower case."""
    lines = head.split(b"\r\n")[1:]
    assert all(re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t -~\x80-\xff]*", line) for line in lines), head
    return [(name.lower(), value) for name, _, value in (line.decode("latin-1").partition(": ") for line in lines)]


def decoded(chunks: bytes) -> bytes:
    """Return what these chunks hold; nothing may follow them."""
    out = b""
    while True:
        size, _, chunks = chunks.partition(b"\r\n")
        assert re.fullmatch(rb"[0-9a-f]+", size)
        if size == b"0":
            assert chunks == b"\r\n"
            return out
        count = int(size, 16)
        assert chunks[count : count + 2] == b"\r\n"
        out, chunks = out + chunks[:count], chunks[count + 2 :]


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_rules(method: str, version: str, unix: bool) -> None:
    protocol, connection = VERSIONS[version]
    with serving(application, unix=unix) as running:
        for number, shape in itertools.product(range(len(STATUSES)), SHAPES):
            target = f"/?{number}/{shape.replace(' ', '+')}".encode()
            request = b"%b %b %b\r\nHost: a\r\n%b\r\n" % (method.encode(), target, protocol, connection)
            answer = running.exchange(request)
            check(answer, method, version, number, shape)
            if b"\r\nConnection: close\r\n" not in answer:
                # Kept means kept, and the next answer begins where this one ends.
                both = running.exchange(request + LAST)
                assert both.count(b"HTTP/1.1 ") == 2
                check(both[both.rindex(b"HTTP/1.1 ") :], "GET", "1.1 close", 0, "one block")


def check(answer: bytes, method: str, version: str, number: int, shape: str) -> None:
    """Judge one answer that ended with the connection."""
    head, end, body = answer.partition(b"\r\n\r\n")
    assert end
    status = STATUSES[number]
    assert head.startswith(b"HTTP/1.1 " + status.encode() + b"\r\n")  # RFC 9112 section 4; ours is 1.1 to 1.0, too
    fields = fields_of(head)
    names = [name for name, _value in fields]
    assert len(names) == len(set(names)), "no field twice"
    assert {"date", "server", "x-a"} <= set(names)  # RFC 9110 section 6.6.1
    values = dict(fields)
    code = int(status[:3])
    expected = b"" if shape in ("nothing", "empty blocks") else BODY
    assert not ("content-length" in values and "transfer-encoding" in values)  # RFC 9112 section 6.2
    assert "transfer-encoding" not in values or version.startswith("1.1")  # section 6.1
    assert values.get("transfer-encoding", "chunked") == "chunked"
    if code == 204:
        assert "content-length" not in values  # RFC 9110 section 8.6
    if code in (204, 304) or method == "HEAD":
        assert body == b""  # RFC 9112 section 6.3
        assert "transfer-encoding" not in values
        assert values.get("content-length", str(len(BODY))) in (str(len(BODY)), "0")
    elif "content-length" in values:
        assert int(values["content-length"]) == len(body)
        assert body == expected
    elif "transfer-encoding" in values:
        assert decoded(body) == expected
    else:
        assert body == expected
        assert values["connection"] == "close"  # only the end of the stream ends it
    persistent = {"1.1": True, "1.1 close": False, "1.0": False, "1.0 keep-alive": True}[version]
    if not persistent:
        assert values["connection"] == "close"  # RFC 9112 section 9.6
    elif version == "1.0 keep-alive":
        assert values["connection"] in ("keep-alive", "close")  # it has to be told
    read_by_another(answer, method, expected, code)


def read_by_another(answer: bytes, method: str, expected: bytes, code: int) -> None:
    """Read the answer with http.client."""

    class Stream:
        def makefile(self, _mode: str) -> io.BytesIO:
            return io.BytesIO(answer)

    response = http.client.HTTPResponse(Stream(), method=method)  # type: ignore[arg-type]
    response.begin()
    assert response.status == code
    assert response.read() == (b"" if method == "HEAD" or code in (204, 304) else expected)
