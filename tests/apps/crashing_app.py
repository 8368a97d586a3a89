"""Ends its process in the way the path names; `/` answers the process id.

`/exit/3` os._exit(3), `/signal/11` a signal to itself, `/segfault` a read of address 0, `/abort` os.abort(),
`/system-exit` SystemExit in the request thread (which must *not* end the process), `/thread` an exception in a thread
of the application, `/forever` nothing until it is interrupted, `/late/7` answers first and leaves with code 7 when the
response is closed, `/fork` leaves a child behind that keeps all descriptors and waits at the gate (`gated_app`, word
`orphan`).
"""

import ctypes
import os
import signal
import threading
import time

import gated_app


class Leaving:
    """A body whose close() ends the process."""

    def __init__(self, code):
        self.code = code

    def __iter__(self):
        return iter([b"leaving\n"])

    def close(self):
        """End the process at once."""
        os._exit(self.code)


def end_process(kind, number):
    """Do what the path asks for; returns where that leaves the process alive."""
    if kind == "exit":
        os._exit(number)
    if kind == "signal":
        os.kill(os.getpid(), number)
        signal.pause()  # it arrives in the main thread: nothing is answered before it does
    if kind == "segfault":
        ctypes.string_at(0)
    if kind == "abort":
        os.abort()
    if kind == "system-exit":
        raise SystemExit(number)
    if kind == "thread":
        thread = threading.Thread(target=int, args=("not a number",))
        thread.start()
        thread.join()
    while kind == "forever":  # in Python, so that an interruption can end it
        time.sleep(0.01)
    if kind == "fork" and os.fork() == 0:
        gated_app.wait_at_gate("orphan")
        os._exit(0)


def application(environ, start_response):
    """Dispatch on the path."""
    parts = [part for part in environ.get("PATH_INFO", "/").split("/") if part] or ["pid"]
    number = int(parts[1]) if len(parts) > 1 else 0
    if parts[0] == "late":
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "8")])
        return Leaving(number)
    end_process(parts[0], number)
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
