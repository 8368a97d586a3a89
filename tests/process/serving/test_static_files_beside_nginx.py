"""Static files as the gateway answers them and as nginx does: equal in status, body and Content-Range, or listed.

docs/sites.md prints the same list of differences.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from support.nginx import HUNG_S, NGINX, nginx

from wsgigroups.runtime.gateway import files
from wsgigroups.runtime.protocol import heads
from wsgigroups.runtime.protocol.errors import ProtocolError
from wsgigroups.runtime.protocol.limits import DEFAULT
from wsgigroups.runtime.protocol.names import UNTRUSTED

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "sites.md"
BODY = b"body { color: black }\n" * 40
CONFIGURATION = """
    server {
        listen {front};
        location / { root TOP; index index.html; gzip_static on; gzip_vary on; }
    }
"""
THEN = "Sun, 06 Nov 1994 08:49:37 GMT"
THEN_S = 784111777

# Name → method, target, fields; {etag} is the one that the asked server gives the file.
REQUESTS: dict[str, tuple[str, str, str]] = {
    "a file": ("GET", "/site.css", ""),
    "its head": ("HEAD", "/site.css", ""),
    "an empty file": ("GET", "/empty", ""),
    "the index of the directory": ("GET", "/", ""),
    "the index below it": ("GET", "/sub/", ""),
    "no slash": ("GET", "/sub", ""),
    "no slash, with a query": ("GET", "/sub?a=b", ""),
    "a directory without an index": ("GET", "/sub/deep/", ""),
    "missing": ("GET", "/missing", ""),
    "missing directory": ("GET", "/missing/", ""),
    "a slash behind a file": ("GET", "/site.css/", ""),
    "below a file": ("GET", "/site.css/x", ""),
    "an encoded name": ("GET", "/sub/a%20b%26c.txt", ""),
    "letters that need no encoding": ("GET", "/%73ite.css", ""),
    "two slashes": ("GET", "//site.css", ""),
    "a query": ("GET", "/site.css?v=1", ""),
    "PUT": ("PUT", "/site.css", ""),
    "POST": ("POST", "/site.css", ""),
    "POST to nothing": ("POST", "/missing", ""),
    "the first bytes": ("GET", "/site.css", "Range: bytes=0-4"),
    "from the sixth byte on": ("GET", "/site.css", "Range: bytes=5-"),
    "the last bytes": ("GET", "/site.css", "Range: bytes=-5"),
    "more than there is": ("GET", "/site.css", "Range: bytes=0-999999"),
    "behind the end": ("GET", "/site.css", "Range: bytes=999999-"),
    "the last 0 bytes": ("GET", "/site.css", "Range: bytes=-0"),
    "a range backwards": ("GET", "/site.css", "Range: bytes=5-2"),
    "a unit that nobody knows": ("GET", "/site.css", "Range: lines=0-1"),
    "a malformed range": ("GET", "/site.css", "Range: bytes=a-b"),
    "two ranges": ("GET", "/site.css", "Range: bytes=0-1,5-6"),
    "the head of a range": ("HEAD", "/site.css", "Range: bytes=0-4"),
    "a range of the same": ("GET", "/site.css", "Range: bytes=0-4\r\nIf-Range: {etag}"),
    "a range of another": ("GET", "/site.css", 'Range: bytes=0-4\r\nIf-Range: "other"'),
    "a range of the same date": ("GET", "/site.css", f"Range: bytes=0-4\r\nIf-Range: {THEN}"),
    "known by its tag": ("GET", "/site.css", "If-None-Match: {etag}"),
    "known by its weak tag": ("GET", "/site.css", "If-None-Match: W/{etag}"),
    "one of several tags": ("GET", "/site.css", 'If-None-Match: "a", {etag}'),
    "known by another tag": ("GET", "/site.css", 'If-None-Match: "other"'),
    "any tag": ("GET", "/site.css", "If-None-Match: *"),
    "known by its date": ("GET", "/site.css", f"If-Modified-Since: {THEN}"),
    "known by an earlier date": ("GET", "/site.css", "If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT"),
    "known by a later date": ("GET", "/site.css", "If-Modified-Since: Sun, 06 Nov 1994 08:49:38 GMT"),
    "known by no date": ("GET", "/site.css", "If-Modified-Since: yesterday"),
    "tag before date": ("GET", "/site.css", f'If-None-Match: "other"\r\nIf-Modified-Since: {THEN}'),
    "on condition": ("GET", "/site.css", "If-Match: {etag}"),
    "on another condition": ("GET", "/site.css", 'If-Match: "other"'),
    "unless it changed": ("GET", "/site.css", "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT"),
    "compressed": ("GET", "/site.css", "Accept-Encoding: gzip"),
    "compressed, but not": ("GET", "/site.css", "Accept-Encoding: gzip;q=0"),
    "a part, compressed": ("GET", "/site.css", "Accept-Encoding: gzip\r\nRange: bytes=1-2"),
    "a dot file": ("GET", "/.env", ""),
    "a link out": ("GET", "/out", ""),
    "a link inside": ("GET", "/inside", ""),
    "a FIFO": ("GET", "/fifo", ""),
    "above": ("GET", "/../secret", ""),
    "above, encoded": ("GET", "/..%2fsecret", ""),
    "around": ("GET", "/sub/%2e%2e/site.css", ""),
    "NUL": ("GET", "/site.css%00", ""),
}

DIFFERENCES: dict[str, set[str]] = {
    "Names that begin with a dot are not served.": {"a dot file"},
    "A link that leads out of the directory is not followed.": {"a link out"},
    "`..` is no name, even if it stays inside; what leads above the directory is 404 as everything that is not there, "
    "where nginx says 400.": {"above", "above, encoded", "around"},
    "NUL in a name is 404, where nginx says 400.": {"NUL"},
    "A directory without an index is 404, where nginx says 403.": {"a directory without an index"},
    "A method other than GET and HEAD is 405 whether or not there is a file.": {"POST to nothing"},
    "Several ranges are answered with the whole file.": {"two ranges"},
    "A part of a compressed copy can be had, where nginx sends all of it.": {"a part, compressed"},
    "HEAD with a range is answered as without (RFC 9110 section 14.2).": {"the head of a range"},
    "A range that is no range is ignored, where nginx says 416.": {"a range backwards", "a malformed range"},
    "A file is not sent to a client that has it from a later date (RFC 9110 section 13.1.3), where nginx wants the "
    "same date.": {"known by a later date"},
}


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    around = tmp_path_factory.mktemp("files")
    (around / "secret").write_bytes(b"secret")
    top = around / "top"
    (top / "sub" / "deep").mkdir(parents=True)
    (top / "site.css").write_bytes(BODY)
    (top / "site.css.gz").write_bytes(b"as if compressed")
    (top / "empty").write_bytes(b"")
    (top / "index.html").write_bytes(b"top")
    (top / "sub" / "index.html").write_bytes(b"sub")
    (top / "sub" / "a b&c.txt").write_bytes(b"text")
    (top / ".env").write_bytes(b"SECRET=1")
    (top / "out").symlink_to("../secret")
    (top / "inside").symlink_to("site.css")
    os.mkfifo(top / "fifo")
    for path in (around, top, *top.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
            os.utime(path, (THEN_S, THEN_S))
    return top


Outcome = tuple[int, bytes, str, str]  # status, body of 200 and 206, Content-Range, ETag


def ours(directory: int, method: str, target: str, fields: str) -> Outcome:
    """What the gateway answers; a head that it refuses before is an answer, too."""
    head = f"{method} {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n" + ("\r\n" if fields else "")
    try:
        environ = heads.parse(head.encode(), {"SCRIPT_NAME": ""}, UNTRUSTED, DEFAULT).environ
    except ProtocolError as error:
        return error.status, b"", "", ""
    answer = files.answer(directory, environ["PATH_INFO"], environ, "index.html")
    body = b""
    if answer.fd >= 0:
        body = os.pread(answer.fd, answer.length, answer.offset)
        os.close(answer.fd)
    said = dict(answer.fields)
    return answer.status, body, said.get("Content-Range", ""), said.get("ETag", "")


def theirs(front: Path, method: str, target: str, fields: str) -> Outcome:
    """What nginx answers."""
    head = f"{method} {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n" + ("\r\n" if fields else "")
    data = b""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(HUNG_S)
        sock.connect(str(front))
        sock.sendall(head.encode())
        while more := sock.recv(65536):
            data += more
    lines, _, body = data.partition(b"\r\n\r\n")
    first, *rest = lines.decode("latin-1").split("\r\n")
    said = {name: value.strip() for name, _, value in (line.partition(":") for line in rest)}
    status = int(first.split()[1])
    return status, body if status in (200, 206) else b"", said.get("Content-Range", ""), said.get("ETag", "")


@pytest.mark.needs(NGINX)
def test_answers_are_those_of_nginx_or_listed(tmp_path: Path, top: Path) -> None:
    tmp_path.chmod(0o755)
    different = {}
    directory = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with nginx(tmp_path, CONFIGURATION.replace("TOP", str(top))) as front:
            our_tag, their_tag = ours(directory, "GET", "/site.css", "")[3], theirs(front, "GET", "/site.css", "")[3]
            for name, (method, target, fields) in REQUESTS.items():
                here = ours(directory, method, target, fields.replace("{etag}", our_tag))[:3]
                there = theirs(front, method, target, fields.replace("{etag}", their_tag))[:3]
                if here != there:
                    different[name] = here, there
    finally:
        os.close(directory)
    listed = set().union(*DIFFERENCES.values())
    assert {name: found for name, found in different.items() if name not in listed} == {}


def test_the_page_has_the_list() -> None:
    text = " ".join(DOCUMENT.read_text().split())
    assert [sentence for sentence in DIFFERENCES if sentence not in text] == []
    assert set().union(*DIFFERENCES.values()) <= REQUESTS.keys()
    assert len(REQUESTS) > 50
