"""Answers in every shape that PEP 3333 allows; the expected body is always LINES.

Tests compare the body with LINES and the framing with what the path promises:
`/list` with a length, `/generator` without one, `/one` a single block, `/write` by the write() callable,
`/file` by wsgi.file_wrapper, `/empty-blocks` with empty blocks between, `/none` 204 without a body,
`/endless` never ends (for clients that leave), `/close` counts calls of close() and tells them at `/closed`.
"""

import os
import tempfile
import threading

LINES = [b"line %04d %s\n" % (number, b"x" * 80) for number in range(1000)]
TEXT = ("Content-Type", "text/plain")
_closed = 0
_counting = threading.Lock()


class Closing:
    """An iterable whose close() is counted."""

    def __init__(self, blocks):
        self.blocks = iter(blocks)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.blocks)

    def close(self):
        """Count the call."""
        global _closed
        with _counting:
            _closed += 1


def endless():
    """Yield blocks until the server closes the generator."""
    while True:
        yield b"y" * 65536


def application(environ, start_response):
    """Dispatch on the path."""
    path = environ.get("PATH_INFO", "/")
    sized = [TEXT, ("Content-Length", str(sum(map(len, LINES))))]
    if path == "/none":
        start_response("204 No Content", [])
        return []
    if path == "/closed":
        body = str(_closed).encode()
        start_response("200 OK", [TEXT, ("Content-Length", str(len(body)))])
        return [body]
    if path == "/write":
        write = start_response("200 OK", [TEXT])
        for line in LINES[:500]:
            write(line)
        return LINES[500:]
    if path == "/file":
        start_response("200 OK", sized)
        return wrapped_file(environ)
    answers = {
        "/one": lambda: [b"".join(LINES)],
        "/generator": lambda: (line for line in LINES),
        "/empty-blocks": lambda: (block for line in LINES for block in (b"", line)),
        "/endless": endless,
        "/close": lambda: Closing(LINES),
    }
    start_response("200 OK", [TEXT] if path in answers and path != "/one" else sized)
    return answers.get(path, lambda: list(LINES))()


def wrapped_file(environ):
    """Return a temporary file with the lines, in the server's own wrapper where it offers one."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 — the server closes it, when the answer is out
    file.write(b"".join(LINES))
    file.seek(0, os.SEEK_SET)
    wrapper = environ.get("wsgi.file_wrapper")
    if wrapper is not None:
        return wrapper(file, 65536)
    return blocks_of(file)


def blocks_of(file):
    """Yield the file, and close it."""
    with file:
        yield from iter(lambda: file.read(65536), b"")
