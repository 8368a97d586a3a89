"""Heads of requests, and connections that have one, without a client."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from wsgigroups.runtime.front.connection import RUNNING, Connection
from wsgigroups.runtime.protocol.heads import Head
from wsgigroups.runtime.protocol.names import UNTRUSTED

MS = 1_000_000


def head(target: str = "/wait", method: str = "GET") -> Head:
    """Return the head of a request."""
    return Head(method, target, {}, True)


@contextlib.contextmanager
def requests(*targets: str) -> Iterator[list[Connection]]:
    """Return connections, each with a complete request."""
    with socket.socket() as sock:
        found = []
        for target in targets:
            connection = Connection(sock, {}, UNTRUSTED, "peer", False)
            connection.head = head(target)
            connection.owned = True
            connection.to(RUNNING)
            found.append(connection)
        yield found
