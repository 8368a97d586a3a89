"""Forks a child that lives on, as `multiprocessing` does by default on Linux before Python 3.14.

The child waits at the gate (`gated_app.wait_at_gate`) and tells what it has open; the parent answers at once. Tests ask
whether the client sees the end of its answer while the child lives.
"""

import os

from gated_app import wait_at_gate


def application(environ, start_response):
    """Fork, then answer the child's pid."""
    child = os.fork()
    if child == 0:
        sockets = 0
        for name in os.listdir("/proc/self/fd"):
            try:
                sockets += os.readlink("/proc/self/fd/" + name).startswith(("socket:", "anon_inode:[eventpoll]"))
            except OSError:  # the directory itself
                continue
        wait_at_gate(f"child with {sockets} sockets")
        os._exit(0)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(child).encode()]
