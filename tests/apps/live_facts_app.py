"""Answers, as JSON, by what the process that runs it goes: its server's settings, its way out, its listening sockets.

The settings are found where the main thread keeps them: nothing else in the process says them.
"""

import dataclasses
import json
import os
import socket
import struct
import sys
import threading


def lifetime():
    """Return the object that waits in the main thread."""
    frame = sys._current_frames()[threading.main_thread().ident]
    while frame is not None:
        found = frame.f_locals.get("self")
        if type(found).__name__ == "Lifetime":
            return found
        frame = frame.f_back
    raise LookupError("the main thread does not wait")


def listening():
    """Return what the kernel says of each listening TCP socket that this process has: sizes and bound of its queue."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            duplicate = os.dup(int(name))
        except OSError:
            continue
        try:
            sock = socket.socket(fileno=duplicate)
        except OSError:
            os.close(duplicate)
            continue
        with sock:
            listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            if listens and sock.family == socket.AF_INET:
                sizes = [sock.getsockopt(socket.SOL_SOCKET, option) for option in (socket.SO_RCVBUF, socket.SO_SNDBUF)]
                information = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
                found.append({"sizes": sizes, "backlog": struct.unpack("=28xI", information)[0]})  # tcpi_sacked
    return found


def application(environ, start_response):
    """Return pid, serving, leaving and listening; `/said` is printed."""
    if environ.get("PATH_INFO") == "/said":
        print("said")
    found = lifetime()
    rules = found._rules
    facts = {
        "pid": os.getpid(),
        "serving": dataclasses.asdict(found._server._settings),
        "leaving": dict(found._times, script_user=rules.user, script_group=rules.group, reload=found._files.patterns),
        "listening": listening(),
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(facts).encode()]
