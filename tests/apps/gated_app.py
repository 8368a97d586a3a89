"""Requests that announce themselves and wait for the test: "a request is in flight" is a fact, not a hope.

The environment variable GATE_DIRECTORY names a directory with two FIFOs, both held open by the test
(`support.gate.Gate`): a request writes a line `PID PATH` to `arrived`, then reads one byte from `release`. When the
test closes its ends, every waiting request goes on. `/open` does not wait; `/body` sends half an answer, then waits.
"""

import errno
import os


def wait_at_gate(word):
    """Announce `word` and wait for a byte; returns at once when the test has gone."""
    directory = os.environ["GATE_DIRECTORY"]
    try:
        arrived = os.open(os.path.join(directory, "arrived"), os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ENXIO:  # fifo(7): nobody has it open for reading, so the test has gone
            return
        raise
    release = os.open(os.path.join(directory, "release"), os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(release, True)
    try:
        os.write(arrived, f"{os.getpid()} {word}\n".encode())
        os.read(release, 1)
    except BrokenPipeError:  # the test has gone since
        return
    finally:
        os.close(arrived)
        os.close(release)


def application(environ, start_response):
    """Wait, then answer the process id."""
    path = environ.get("PATH_INFO", "/")
    if path == "/body":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return gated_body()
    if path != "/open":
        wait_at_gate(path)
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def gated_body():
    """Yield a first half, wait, yield the second."""
    yield b"first half, "
    wait_at_gate("/body")
    yield b"second half\n"
