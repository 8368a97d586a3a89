"""What a test does to a manager's processes from outside, and what the kernel counts of them meanwhile.

Runs in pytest's process. Nothing here asks the manager: its answers would be part of what is measured.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import select
import signal
import socket
import threading
from http import HTTPStatus
from types import TracebackType

import psutil

HUNG_S = 40.0
AGAIN_S = 1.0


class Killer:
    """A context: whoever answers on the port with its pid (`crashing_app`) is killed with SIGKILL, again and again.

    An answer is the proof that a process is ready, and the listening socket is the queue in which the next request
    waits for the next process: neither the killer nor the manager has to look. `kills` counts.
    """

    def __init__(self, port: int) -> None:
        self.kills = 0
        self._port = port
        self._over = threading.Event()
        self._connection: http.client.HTTPConnection | None = None
        self._thread = threading.Thread(target=self._go_on)

    def __enter__(self) -> Killer:  # noqa: PYI034 — Self is Python 3.11
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        while self._thread.is_alive():
            with contextlib.suppress(OSError, AttributeError):  # not connected yet, or not any more
                self._connection.sock.shutdown(socket.SHUT_RDWR)  # a wait for a life in backoff ends here
            self._thread.join(0.05)

    def _go_on(self) -> None:
        while not self._over.is_set():
            connection = self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=HUNG_S)
            try:
                connection.request("GET", "/")
                response = connection.getresponse()
                if response.status == HTTPStatus.SERVICE_UNAVAILABLE:  # nobody serves: what is measured is no flood
                    self._over.wait(AGAIN_S)
                    continue
                victim = int(response.read())
            except (http.client.HTTPException, OSError, ValueError):  # accepted by one that was just dying
                continue
            finally:
                connection.close()
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
            self.kills += 1


def outlives(pid: int, seconds: float) -> bool:
    """Wait for the process to end, at most that long; tell whether it lives on: a window in which to measure."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        return not select.select([pidfd], [], [], seconds)[0]
    finally:
        os.close(pidfd)


def processor_s(manager: int) -> float:
    """Processor seconds of a manager, its spawners, and every daemon of theirs, those that have ended included."""
    used_s = _own_s(psutil.Process(manager))
    for spawner in psutil.Process(manager).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            # before the daemons, so that one that ends just now is counted twice rather than not at all
            living = [_own_s(daemon) for daemon in spawner.children() if daemon.is_running()]
            times = spawner.cpu_times()
            used_s += sum(living) + times.user + times.system + times.children_user + times.children_system
    return used_s


def _own_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system
