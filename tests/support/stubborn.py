"""Descriptors whose last close takes a minute, sent to somebody by a process that ends.

Only that process has them: whoever closes the test's own copy last would wait instead of who is attacked. It ends
without waiting, because the kernel lets processes that end not linger. Its peer is in pytest's process, which reads
nothing.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_SENDER = """
import os, socket, struct, sys
port, path, count, before = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), bytes.fromhex(sys.argv[4])
sock = socket.socket(socket.AF_UNIX)
sock.connect(chr(0) + path[1:] if path[0] == "@" else path)
if sys.argv[5] == "stays" and os.fork() == 0:
    os.close(1)
    os.close(2)  # nobody waits for its end
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        pass
    os._exit(0)
stubborn = socket.create_connection(("127.0.0.1", port))
stubborn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
stubborn.setblocking(False)
try:
    while True:
        stubborn.send(bytes(65536))
except BlockingIOError:
    pass
try:
    sock.sendall(before)
    socket.send_fds(sock, [b"x"], [stubborn.fileno()] * count)
except PermissionError:
    os.write(1, b"refused")
    sock.shutdown(socket.SHUT_RDWR)
else:
    os.write(1, b"sent")
os._exit(0)
"""


class Stubborn:
    """Who listens and never reads."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._accepted: list[socket.socket] = []

    def send(self, path: Path | str, count: int, before: bytes = b"", *, stays: bool = False) -> str:
        """Send a descriptor so many times, behind these bytes: `sent`, or `refused` by the kernel.

        path: an abstract one begins with a zero byte. stays: a child that has nothing but the connection does not go
        before it was hung up on.
        """
        arguments = [
            str(self._listener.getsockname()[1]),
            str(path).replace("\0", "@"),
            str(count),
            before.hex(),
            "stays" * stays,
        ]
        command = [sys.executable, "-I", "-S", "-c", _SENDER, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        self._accepted.append(self._listener.accept()[0])
        return done.stdout

    def close(self) -> None:
        """End the connections: whoever still waits for one to be read gets on."""
        for sock in self._accepted:
            sock.close()


@contextlib.contextmanager
def stubborn_peer() -> Iterator[Stubborn]:
    """As long as the block runs, what was sent does not close."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stubborn = Stubborn(listener)
        try:
            yield stubborn
        finally:
            stubborn.close()
