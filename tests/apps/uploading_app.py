"""Reads request bodies and answers what arrived: `{"size": …, "sha256": …, "error": …}`.

Tests use the paths `/read` (read() of everything), `/blocks` (read(65536)), `/lines` (readline), `/iterate` (for line
in input), `/ignore` (the body is left unread), `/early` (answers before it reads). A body cut short must show up as
`error`, never as a smaller size without one; the status stays 200 so that the test sees what the application saw.
"""

import hashlib
import json


def blocks_of(stream, path):
    """Yield what arrives, read in the way the path asks for."""
    if path == "/read":
        yield stream.read()
    elif path == "/lines":
        yield from iter(lambda: stream.readline(65536), b"")
    elif path == "/iterate":
        yield from stream
    elif path != "/ignore":
        yield from iter(lambda: stream.read(65536), b"")


def limited(environ):
    """Return the input, kept to Content-Length where the server does not end the input by itself."""
    if environ.get("wsgi.input_terminated"):
        return environ["wsgi.input"]
    return Limited(environ["wsgi.input"], int(environ.get("CONTENT_LENGTH") or 0))


class Limited:
    """A reader of at most `left` bytes."""

    def __init__(self, stream, left):
        self.stream = stream
        self.left = left

    def _take(self, method, size):
        size = self.left if size is None or size < 0 else min(size, self.left)
        data = method(size) if size else b""
        self.left -= len(data)
        return data

    def read(self, size=-1):
        """Read as a file does."""
        return self._take(self.stream.read, size)

    def readline(self, size=-1):
        """Read a line."""
        return self._take(self.stream.readline, size)

    def __iter__(self):
        return iter(lambda: self.readline(65536), b"")


def application(environ, start_response):
    """Hash the body."""
    path = environ.get("PATH_INFO", "/")
    digest, size, error = hashlib.sha256(), 0, None
    write = None
    if path == "/early":
        write = start_response("200 OK", [("Content-Type", "application/json")])
        write(b" ")
    try:
        for block in blocks_of(limited(environ), path):
            digest.update(block)
            size += len(block)
    except Exception as failure:
        error = f"{type(failure).__name__}: {failure}"
    body = json.dumps({"size": size, "sha256": digest.hexdigest(), "error": error}).encode()
    if write is None:
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
