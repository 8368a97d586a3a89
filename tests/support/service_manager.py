"""A service manager's end of sd_notify(3): a datagram socket, and what came by it."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

HUNG_S = 40.0


class ServiceManager:
    """Listens at a path, or at @name in the abstract name space; `lines` are those of all messages so far."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind("\0" + address[1:] if address.startswith("@") else address)
        self.messages: list[list[str]] = []
        self.stored: list[tuple[str, int]] = []  # FDNAME and descriptor: its own, closed by `close` or by FDSTOREREMOVE

    @property
    def lines(self) -> list[str]:
        """All lines, in order."""
        return [line for message in self.messages for line in message]

    def read(self, wait_s: float = 0.0) -> None:
        """Take in what has come, and for so long what comes."""
        while select.select([self.sock], [], [], wait_s)[0]:
            data, fds, _flags, _address = socket.recv_fds(self.sock, 65536, 16)
            lines = data.decode().split("\n")
            self.messages.append(lines)
            name = next((line[len("FDNAME=") :] for line in lines if line.startswith("FDNAME=")), "stored")
            if "FDSTORE=1" in lines:
                self.stored += [(name, fd) for fd in fds]
            elif "FDSTOREREMOVE=1" in lines:
                for item in [item for item in self.stored if item[0] == name]:
                    self.stored.remove(item)
                    os.close(item[1])
            wait_s = 0.0

    def wait_for(self, what: str, condition: Callable[[], bool]) -> None:
        """Read until the condition holds."""
        until = time.monotonic() + HUNG_S
        while not condition():
            assert time.monotonic() < until, f"never: {what}\n{self.lines}"
            self.read(0.2)

    def wait_for_line(self, line: str, times: int = 1) -> None:
        """Read until a line has come so often."""
        self.wait_for(f"{line} ({times})", lambda: self.lines.count(line) >= times)

    def last(self, variable: str) -> str:
        """The last value of a variable, empty when there is none."""
        return next((line.partition("=")[2] for line in reversed(self.lines) if line.startswith(variable + "=")), "")

    def close(self) -> None:
        """Close the socket and all that is stored."""
        self.sock.close()
        if not self.address.startswith("@"):
            os.unlink(self.address)
        for _name, fd in self.stored:
            os.close(fd)


@contextlib.contextmanager
def service_manager(directory: Path) -> Iterator[ServiceManager]:
    """One that listens in a directory."""
    listening = ServiceManager(str(directory / "notify"))
    try:
        yield listening
    finally:
        listening.close()


_LAUNCHER = """
import fcntl, os, sys
count = int(sys.argv[1])
copies = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in sys.argv[2:2 + count]]
for number, fd in enumerate(copies):
    os.dup2(fd, 3 + number)
    os.close(fd)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2 + count], sys.argv[2 + count:])
"""


def passing(fds: list[int]) -> list[str]:
    """Begin a command that gets descriptors as sd_listen_fds(3) has them; LISTEN_FDS is the caller's to set."""
    return [sys.executable, "-c", _LAUNCHER, str(len(fds)), *map(str, fds)]
