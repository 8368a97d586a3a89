"""For clients that leave: reads bodies, answers for ever, and counts what it has begun and what was closed.

`/one` is a short answer, `/endless` never ends, `/reading` reads the body before it answers, `/begun` begins its answer
before it reads; `/counts` gives two numbers: answers begun, and calls of their close().
"""

import threading

TEXT = ("Content-Type", "text/plain")
_counting = threading.Lock()
_counts = [0, 0]


class Counted:
    """An iterable whose close() is counted, and so is its making."""

    def __init__(self, blocks):
        self.blocks = blocks
        with _counting:
            _counts[0] += 1

    def __iter__(self):
        return iter(self.blocks)

    def close(self):
        """Count the call."""
        with _counting:
            _counts[1] += 1


def endless():
    """Yield blocks until the client has gone."""
    while True:
        yield b"y" * 65536


def begun(stream):
    """Yield something, then what can be read."""
    yield b"begun"
    yield stream.read()


def application(environ, start_response):
    """Dispatch on the path."""
    path = environ["PATH_INFO"]
    if path == "/counts":
        body = b"%d %d" % tuple(_counts)
        start_response("200 OK", [TEXT, ("Content-Length", str(len(body)))])
        return [body]
    blocks = [b"one"]
    if path == "/endless":
        blocks = endless()
    elif path == "/begun":
        blocks = begun(environ["wsgi.input"])
    elif path == "/reading":
        blocks = [environ["wsgi.input"].read()]
    start_response("200 OK", [TEXT])
    return Counted(blocks)
