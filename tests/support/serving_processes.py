"""Server processes for tests: the test binds, the children inherit (`support.serving_runner`).

Runs in pytest's process. Leaving the context ends every child by its pid, and fails if one did not leave in order.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from support.serving import receive_all

from wsgigroups.runtime.wire import board, pulse

HUNG_S = 30.0
REPOSITORY = Path(__file__).resolve().parents[2]


class Processes:
    """Servers that share one listening socket."""

    def __init__(self, listener: socket.socket, application: str, options: dict[str, Any]) -> None:
        self.listener = listener
        self.address = listener.getsockname()
        self._application = application
        self._options = options
        self.processes: list[subprocess.Popen[bytes]] = []
        self._boards: dict[int, int] = {}
        self._threads = int(options.get("settings", {}).get("threads", 15))
        self._pulse = pulse.create("test")
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 — closed by `processes`

    def start(self) -> subprocess.Popen[bytes]:
        """Start one more and wait until it is ready."""
        ready_read, ready_write = os.pipe()
        board_fd = board.create(self._threads, "test")
        shared = [self.listener.fileno(), ready_write, board_fd, self._pulse]
        options = {
            "fds": [self.listener.fileno()],
            "application": self._application,
            "ready_fd": ready_write,
            "board_fd": board_fd,
            "pulses": [self._pulse],
            "slot": len(self.processes) + 1,
            **self._options,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "support.serving_runner", json.dumps(options)],
            pass_fds=shared,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, _PATH))},
            stderr=self.log,
        )
        os.close(ready_write)
        self.processes.append(process)
        self._boards[process.pid] = board_fd
        line = os.read(ready_read, 100) if select.select([ready_read], [], [], HUNG_S)[0] else b""
        os.close(ready_read)
        assert line, f"the server did not become ready: {self.logged()}"
        return process

    def word(self, process: subprocess.Popen[bytes], name: str) -> int:
        """Return a word of its board."""
        return board.read(self._boards[process.pid], self._threads)[name]

    def connect(self) -> socket.socket:
        """Open a connection that fails rather than hangs."""
        sock = socket.socket(self.listener.family, socket.SOCK_STREAM)
        sock.settimeout(HUNG_S)
        sock.connect(self.address)
        return sock

    @contextlib.contextmanager
    def connect_later(self) -> Iterator[Callable[[], socket.socket]]:
        """Give a function that connects; its connections end with the context."""
        with contextlib.ExitStack() as stack:
            yield lambda: stack.enter_context(self.connect())

    def stop(self, process: subprocess.Popen[bytes]) -> int:
        """Ask it to leave, and wait for its exit code: 0 when everything was answered."""
        process.send_signal(signal.SIGTERM)
        return process.wait(HUNG_S)

    def logged(self) -> str:
        """Return everything the servers have logged."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def close(self) -> None:
        """End what is left."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait(HUNG_S)
        for fd in self._boards.values():
            os.close(fd)
        os.close(self._pulse)
        self.log.close()


_PATH = (REPOSITORY, REPOSITORY / "tests", REPOSITORY / "tests" / "apps")


@contextlib.contextmanager
def processes(application: str, count: int = 1, *, unix: bool = False, **options: Any) -> Iterator[Processes]:
    """Serve "module:name" with `count` processes; options: those of `support.serving_runner`."""
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX if unix else socket.AF_INET, socket.SOCK_STREAM))
        listener.bind(os.path.join(directory, "socket") if unix else ("127.0.0.1", 0))
        listener.listen(128)
        found = Processes(listener, application, options)
        stack.callback(found.close)
        for _ in range(count):
            found.start()
        yield found


def answer(servers: Processes, pieces: list[bytes]) -> bytes:
    """Send and return everything until the server's end."""
    with servers.connect() as sock:
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            try:
                sock.sendall(piece)
            except ConnectionError:  # refused already
                break
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        return receive_all(sock)
