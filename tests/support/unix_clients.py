"""Requests to servers on UNIX sockets. Runs in pytest's process."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path

TIMEOUT_S = 20.0


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection to a socket file."""

    def __init__(self, path: Path, timeout_s: float = TIMEOUT_S) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Connect to the file. Raises OSError."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def unix_get(path: Path, target: str = "/") -> tuple[int, bytes]:
    """One request on a connection of its own. Raises OSError."""
    connection = UnixConnection(path)
    try:
        connection.request("GET", target)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def reached(path: Path) -> bool:
    """Whether somebody answers 200 behind a socket file."""
    try:
        return unix_get(path)[0] == 200
    except OSError:
        return False
