"""Takes its time without using any: `/0.25` answers after a quarter of a second, `/` at once.

Tests of timeouts and of threads use it where a gate (`gated_app`) would not show what they mean: a request that ends by
itself. `/0.25/1` also waits 1 s between two halves of the body.
"""

import time


def application(environ, start_response):
    """Sleep for the seconds in the path, then answer them."""
    waits = [float(part) for part in environ.get("PATH_INFO", "/").split("/") if part]
    if waits:
        time.sleep(waits[0])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return halves(waits)


def halves(waits):
    """Yield the two halves of the body with the second wait between."""
    yield b"first half, "
    if len(waits) > 1:
        time.sleep(waits[1])
    yield b"second half\n"
