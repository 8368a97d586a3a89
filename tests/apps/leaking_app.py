"""Keeps memory or descriptors for ever: `/memory/10` keeps 10 MiB more, `/files/5` five descriptors more.

Tests of memory-limit, memory-soft-limit and maximum-requests use it. The answer is what is kept now, as JSON.
A MemoryError is let through: what the server makes of it is part of the test.
"""

import json
import os

_kept_memory = []
_kept_files = []


def application(environ, start_response):
    """Keep what the path says, and tell the totals."""
    parts = [part for part in environ.get("PATH_INFO", "/").split("/") if part]
    kind, amount = (parts[0], int(parts[1])) if len(parts) > 1 else ("nothing", 0)
    if kind == "memory":
        _kept_memory.extend(bytearray(b"\1" * 1048576) for _ in range(amount))
    elif kind == "files":
        _kept_files.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(amount))
    body = json.dumps({"memory_mib": len(_kept_memory), "files": len(_kept_files), "pid": os.getpid()}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
